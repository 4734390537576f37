//! Which devices an account has, as others learn it.

use super::message::hand_over;
use crate::account::{Account, Addressing, State};
use crate::inner::Inner;
use crate::offline::Class;
use std::sync::Arc;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::Message as _;
use waproto::whatsapp::ADVKeyIndexList;

/// What has happened to a device.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// Linked, with this key index.
    Added(u32),
    /// Unlinked.
    Removed,
}

/// The `<devices>` of a usync answer.
pub(crate) fn devices_node(account: &Account) -> Node {
    let state = account.state.lock();
    let list = state.devices.iter().map(|(id, device)| {
        let node = NodeBuilder::new("device").attr("id", *id);
        if *id == 0 { node.build() } else { node.attr("key-index", device.key_index).build() }
    });
    let list = NodeBuilder::new("device-list")
        .attr("hash", format!("2:{}", state.devices_changed))
        .children(list)
        .build();
    let mut children = vec![list];
    if state.devices.len() > 1 {
        let index = key_index_list(&state);
        let changed = state.devices_changed;
        drop(state);
        children.push(key_index_node(changed, sign(account, index)));
    }
    NodeBuilder::new("devices").children(children).build()
}

fn key_index_list(state: &State) -> Vec<u8> {
    ADVKeyIndexList {
        raw_id: Some(state.raw_id),
        timestamp: Some(state.devices_changed),
        current_index: Some(state.next_key_index.saturating_sub(1)),
        valid_indexes: state.devices.values().map(|device| device.key_index).collect(),
        account_type: None,
    }
    .encode_to_vec()
}

fn key_index_node(changed: u64, signed: Vec<u8>) -> Node {
    NodeBuilder::new("key-index-list").attr("ts", changed).bytes(signed).build()
}

fn sign(account: &Account, details: Vec<u8>) -> Vec<u8> {
    let signed = [&[6_u8, 2][..], &details].concat();
    let (key, signature) = account.phone.lock().sign(&signed).unwrap_or_default();
    waproto::whatsapp::ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature),
        account_signature_key: Some(key),
    }
    .encode_to_vec()
}

/// Tells the account's other companions that a device has come or gone.
pub(crate) fn announce(inner: &Arc<Inner>, account: &Arc<Account>, device: u16, change: Change) {
    let (index, changed, others) = {
        let state = account.state.lock();
        let others: Vec<u16> =
            state.devices.keys().copied().filter(|other| *other != 0 && *other != device).collect();
        (key_index_list(&state), state.devices_changed, others)
    };
    if others.is_empty() {
        return;
    }
    let mut node = NodeBuilder::new("device")
        .attr("jid", account.device_jid(Addressing::Pn, device))
        .attr("lid", account.device_jid(Addressing::Lid, device));
    let (tag, node) = match change {
        Change::Added(key_index) => {
            node = node.attr("key-index", key_index);
            ("add", node.build())
        }
        Change::Removed => ("remove", node.build()),
    };
    let change =
        NodeBuilder::new(tag).children([node, key_index_node(changed, sign(account, index))]).build();
    let id = inner.next_id();
    let notification = NodeBuilder::new("notification")
        .attr("from", account.jid(Addressing::Pn))
        .attr("lid", account.jid(Addressing::Lid))
        .attr("type", "devices")
        .attr("id", id.as_str())
        .attr("t", crate::clock::unix_seconds())
        .children([change])
        .build();
    for other in others {
        hand_over(inner, account, other, Class::Notification, &id, notification.clone());
    }
}
