//! Messages: accepted, acknowledged, and relayed to every device they are encrypted for.

use super::{Context, jid, text};
use crate::account::{Account, Addressing};
use crate::clock;
use crate::inner::Inner;
use crate::offline::{Class, Entry};
use crate::phone;
use crate::socket::connection::Login;
use bytes::Bytes;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeRef, Server};

/// A message from a client.
pub(crate) fn handle(context: &Context<'_>, login: &Login, node: &NodeRef<'_>) {
    let (Some(id), Some(to)) = (text(node, "id"), jid(node, "to")) else {
        context.inner.unhandled(node);
        return;
    };
    let account = &login.account;
    let mut ack = NodeBuilder::new("ack")
        .attr("class", "message")
        .attr("id", &*id)
        .attr("from", &to)
        .attr("t", clock::unix_seconds());
    let peer = node.get_attr("category").is_some();
    if !peer && let Some(code) = account.faults.next_nack() {
        context.answer(&["message"], ack.attr("error", code).build());
        return;
    }
    if let Some(hash) = text(node, "phash") {
        ack = ack.attr("phash", &*hash);
    }
    if !peer && !is_resend(node) {
        account.ledger.lock().accept(&id, &to.to_non_ad_string(), login.device, clock::unix_millis());
        context.inner.counters.message_accepted();
    }
    if !account.faults.swallows_ack() {
        context.answer(&["message"], ack.build());
    }
    relay(context.inner, account, login.device, node);
    context.inner.note(account);
}

/// A resend that a retry receipt has asked for says so on its ciphertext.
fn is_resend(node: &NodeRef<'_>) -> bool {
    node.get_children_by_tag("enc").any(|enc| enc.get_attr("count").is_some())
}

/// Passes a message on to the devices it is for.
pub(crate) fn relay(inner: &Arc<Inner>, sender: &Arc<Account>, device: u16, node: &NodeRef<'_>) {
    let Some(to) = jid(node, "to") else { return };
    let Some(envelope) = Envelope::read(sender, device, &to, node) else { return };
    if to.is_group() {
        relay_to_group(inner, &envelope, &to);
    } else if to.server() == Server::Broadcast {
        relay_to_listed(inner, &envelope);
    } else if let Some(participants) = node.get_optional_child("participants") {
        for recipient in participants.get_children_by_tag("to") {
            let Some(jid) = jid(recipient, "jid") else { continue };
            let ciphertexts: Vec<&NodeRef<'_>> = recipient.get_children_by_tag("enc").collect();
            deliver(inner, &envelope, &jid, &ciphertexts);
        }
    } else {
        deliver(inner, &envelope, &to, &envelope.bare);
    }
}

/// What all copies of a message have in common.
struct Envelope<'a> {
    sender: &'a Arc<Account>,
    device: u16,
    to: &'a Jid,
    node: &'a NodeRef<'a>,
    id: String,
    push_name: Option<String>,
    /// Ciphertexts that are not for one device in particular.
    bare: Vec<&'a NodeRef<'a>>,
}

impl<'a> Envelope<'a> {
    fn read(sender: &'a Arc<Account>, device: u16, to: &'a Jid, node: &'a NodeRef<'a>) -> Option<Self> {
        Some(Self {
            sender,
            device,
            to,
            node,
            id: text(node, "id")?.into_owned(),
            push_name: sender.state.lock().profile.push_name.clone(),
            bare: node.get_children_by_tag("enc").collect(),
        })
    }

    fn in_group(&self) -> bool {
        self.to.is_group() || self.to.server() == Server::Broadcast
    }

    /// The stanza for one device.
    fn build(&self, own: bool, ciphertexts: &[&NodeRef<'_>]) -> Node {
        let addressing = if self.in_group() { Addressing::Lid } else { Addressing::of(self.to.server()) };
        let author = self.sender.device_jid(addressing, self.device);
        let other_name = self.sender.jid(addressing.other());
        let mut message = NodeBuilder::new("message");
        message = if self.in_group() {
            message
                .attr("from", self.to)
                .attr("participant", author)
                .attr("addressing_mode", "lid")
                .attr("participant_pn", other_name)
        } else {
            let key = if addressing == Addressing::Pn { "sender_lid" } else { "sender_pn" };
            message.attr("from", author).attr(key, other_name)
        };
        message = message.attr("id", self.id.as_str()).attr("t", clock::unix_seconds());
        for key in ["type", "edit", "category"] {
            if let Some(value) = text(self.node, key) {
                message = message.attr(key, &*value);
            }
        }
        if let Some(name) = &self.push_name {
            message = message.attr("notify", name.as_str());
        }
        if own && !self.in_group() && self.node.get_attr("category").is_none() {
            message = match jid(self.node, "recipient") {
                Some(recipient) => message.attr("recipient", recipient),
                None => message.attr("recipient", self.to.to_non_ad()),
            };
        }
        let starts_session =
            ciphertexts.iter().any(|enc| enc.get_attr("type").is_some_and(|kind| kind.as_str() == "pkmsg"));
        let mut children: Vec<Node> = ciphertexts.iter().copied().map(NodeRef::to_owned).collect();
        for child in self.node.children().unwrap_or_default() {
            match &*child.tag {
                "participants" | "enc" => {}
                "device-identity" if !starts_session => {}
                _ => children.push(child.to_owned()),
            }
        }
        message.children(children).build()
    }
}

/// Hands a copy to one device.
fn deliver(inner: &Arc<Inner>, envelope: &Envelope<'_>, to: &Jid, ciphertexts: &[&NodeRef<'_>]) {
    let Some(account) = inner.directory.by_jid(to) else { return };
    let own = account.number == envelope.sender.number;
    if ciphertexts.is_empty() || (own && to.device() == envelope.device) {
        return;
    }
    let stanza = envelope.build(own, ciphertexts);
    hand_over(inner, &account, to.device(), Class::Message, &envelope.id, stanza);
}

/// Puts a stanza in a device's queue, or gives it to the phone.
pub(crate) fn hand_over(
    inner: &Arc<Inner>,
    account: &Arc<Account>,
    device: u16,
    class: Class,
    id: &str,
    stanza: Node,
) {
    if device == 0 {
        match class {
            Class::Message => phone::receive::receive(inner, account, stanza),
            Class::Receipt => phone::receive::receive_receipt(inner, account, &stanza.as_node_ref()),
            Class::Notification => {}
        }
        return;
    }
    let packed = match wacore_binary::marshal(&stanza) {
        Ok(packed) => Bytes::from(packed),
        Err(error) => {
            tracing::error!(%error, "a stanza does not encode");
            return;
        }
    };
    {
        let mut state = account.state.lock();
        if let Some(device) = state.devices.get_mut(&device) {
            device.deliver(Entry { class, id: id.into(), stanza: packed });
        }
    }
    inner.note(account);
}

/// Everybody in the group gets the common ciphertext; who lacks the sender's key gets that as well.
fn relay_to_group(inner: &Arc<Inner>, envelope: &Envelope<'_>, group: &Jid) {
    if let Some(participant) = jid(envelope.node, "participant") {
        deliver(inner, envelope, &participant, &envelope.bare);
        return;
    }
    let Some(group) = inner.groups.get(&group.user) else { return };
    for member in group.member_accounts(inner) {
        fan_out(inner, envelope, &member);
    }
}

/// A status update: for whoever is listed.
fn relay_to_listed(inner: &Arc<Inner>, envelope: &Envelope<'_>) {
    let mut seen = Vec::new();
    let listed = envelope.node.get_optional_child("participants").and_then(|node| node.children());
    for recipient in listed.unwrap_or_default() {
        let Some(account) = jid(recipient, "jid").and_then(|jid| inner.directory.by_jid(&jid)) else {
            continue;
        };
        if !seen.contains(&account.number) {
            seen.push(account.number.clone());
            fan_out(inner, envelope, &account);
        }
    }
}

fn fan_out(inner: &Arc<Inner>, envelope: &Envelope<'_>, member: &Arc<Account>) {
    let own = member.number == envelope.sender.number;
    for device in member.device_ids() {
        if own && device == envelope.device {
            continue;
        }
        let mut ciphertexts = addressed_to(inner, envelope.node, member, device);
        ciphertexts.extend(&envelope.bare);
        if ciphertexts.is_empty() {
            continue;
        }
        let stanza = envelope.build(own, &ciphertexts);
        hand_over(inner, member, device, Class::Message, &envelope.id, stanza);
    }
}

fn addressed_to<'a>(
    inner: &Inner,
    node: &'a NodeRef<'a>,
    member: &Account,
    device: u16,
) -> Vec<&'a NodeRef<'a>> {
    let Some(participants) = node.get_optional_child("participants") else { return Vec::new() };
    let recipient = participants.get_children_by_tag("to").find(|to| {
        jid(to, "jid").is_some_and(|jid| {
            jid.device() == device
                && inner.directory.by_jid(&jid).is_some_and(|account| account.number == member.number)
        })
    });
    recipient.map(|to| to.get_children_by_tag("enc").collect()).unwrap_or_default()
}
