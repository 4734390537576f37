//! Receipts: they settle what they are about, are acknowledged, and go on to the author's devices.

use super::message::hand_over;
use super::{Context, jid, settle, text};
use crate::account::{Account, Addressing};
use crate::clock;
use crate::inner::Inner;
use crate::offline::Class;
use crate::socket::connection::Login;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{JidExt as _, NodeRef, Server};

/// A receipt from a client.
pub(crate) fn handle(context: &Context<'_>, login: &Login, node: &NodeRef<'_>) {
    let (Some(id), Some(to)) = (text(node, "id"), jid(node, "to")) else {
        context.inner.unhandled(node);
        return;
    };
    for id in ids(node) {
        settle(context.inner, login, Class::Message, &id);
    }
    let mut ack = NodeBuilder::new("ack").attr("class", "receipt").attr("id", &*id).attr("from", to);
    for key in ["type", "participant"] {
        if let Some(value) = node.get_attr(key) {
            ack = ack.attr(key, value.to_node_value());
        }
    }
    context.answer(&["receipt"], ack.build());
    forward(context.inner, &login.account, login.device, node);
}

/// All message ids a receipt is about.
pub(crate) fn ids(node: &NodeRef<'_>) -> Vec<String> {
    let listed = node.get_optional_child("list").and_then(|list| list.children()).unwrap_or_default();
    text(node, "id")
        .into_iter()
        .chain(listed.iter().filter_map(|item| text(item, "id")))
        .map(std::borrow::Cow::into_owned)
        .collect()
}

/// Passes a receipt on to whom it concerns.
pub(crate) fn forward(inner: &Arc<Inner>, sender: &Arc<Account>, device: u16, node: &NodeRef<'_>) {
    let (Some(id), Some(to)) = (text(node, "id"), jid(node, "to")) else { return };
    let kind = text(node, "type");
    // These only say that a message has been dealt with.
    if matches!(kind.as_deref(), Some("sender" | "peer_msg" | "hist_sync")) {
        return;
    }
    let in_group = to.is_group() || to.server() == Server::Broadcast;
    let author = if in_group { jid(node, "participant") } else { Some(to.clone()) };
    let Some(author) = author else { return };
    let account = if kind.as_deref() == Some("read-self") {
        Some(Arc::clone(sender))
    } else {
        inner.directory.by_jid(&author)
    };
    let Some(account) = account else { return };
    let mut receipt = NodeBuilder::new("receipt").attr("id", &*id).attr("t", clock::unix_seconds());
    receipt = if in_group {
        receipt.attr("from", &to).attr("participant", sender.device_jid(Addressing::Lid, device))
    } else {
        receipt.attr("from", sender.device_jid(Addressing::of(to.server()), device))
    };
    for key in ["type", "recipient", "category"] {
        if let Some(value) = node.get_attr(key) {
            receipt = receipt.attr(key, value.to_node_value());
        }
    }
    if let Some(children) = node.children() {
        receipt = receipt.children(children.iter().map(NodeRef::to_owned));
    }
    let receipt = receipt.build();
    let only = (kind.as_deref() == Some("retry")).then(|| author.device());
    let own = account.number == sender.number;
    for target in targets(&account, only) {
        if !(own && target == device) {
            hand_over(inner, &account, target, Class::Receipt, &id, receipt.clone());
        }
    }
}

fn targets(account: &Account, only: Option<u16>) -> Vec<u16> {
    only.map_or_else(|| account.device_ids(), |device| vec![device])
}
