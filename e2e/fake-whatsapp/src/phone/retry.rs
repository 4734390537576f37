//! Retries: asking for what the phone could not read, and sending again what others could not.

use super::say::kind_of;
use super::{Phone, at_once, sender_key_name};
use crate::account::{Account, Addressing};
use crate::clock;
use crate::inner::Inner;
use crate::stanza::{jid, message};
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeRef};
use wacore_libsignal::protocol::create_sender_key_distribution_message;
use waproto::buffa::MessageField;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::{DeviceSentMessage, SenderKeyDistributionMessage};

/// The children of a retry receipt; from the second time on it carries keys for a new session.
pub(super) fn request(account: &Account, id: &str, count: u8) -> Vec<Node> {
    let retry = NodeBuilder::new("retry")
        .attr("v", "1")
        .attr("id", id)
        .attr("t", clock::unix_seconds())
        .attr("count", count)
        .build();
    let registration = account.phone.lock().identities.registration_id;
    let registration = NodeBuilder::new("registration").bytes(registration.to_be_bytes().to_vec()).build();
    let keys = (count > 1).then(|| keys(account));
    [retry, registration].into_iter().chain(keys).collect()
}

fn keys(account: &Account) -> Node {
    let mut state = account.state.lock();
    let bundle = state.devices.get_mut(&0).map(|device| device.keys.take_bundle()).unwrap_or_default();
    // The registration id travels beside the keys, not among them.
    NodeBuilder::new("keys").children(bundle.into_iter().filter(|node| node.tag != "registration")).build()
}

/// Sends a message again to the one device that could not read it.
pub(super) fn resend(
    inner: &Arc<Inner>,
    account: &Arc<Account>,
    peer: &Arc<Account>,
    device: u16,
    id: &str,
    receipt: &NodeRef<'_>,
) {
    let count = receipt
        .get_optional_child("retry")
        .and_then(|retry| retry.get_attr("count").map(|count| count.as_str().into_owned()))
        .unwrap_or_else(|| "1".to_owned());
    let stanza = {
        let mut phone = account.phone.lock();
        let Some((to, mut message)) = phone.sent(id) else {
            tracing::debug!(id, "a retry for a message the phone has not sent");
            return;
        };
        phone.forget_session(&peer.number, device);
        if let Some(group) = to.contains('@').then(|| to.clone()) {
            attach_sender_key(&mut phone, &group, &mut message);
        } else if peer.number == account.number {
            message = as_own_copy(message, inner, &to);
        }
        let kind = kind_of(&message);
        let enc = match phone.encrypt_for(peer, device, &message) {
            Ok(mut enc) => {
                enc.attrs.insert("count", count);
                enc
            }
            Err(error) => {
                tracing::warn!(%error, id, "a message cannot be sent again");
                return;
            }
        };
        let mut stanza = NodeBuilder::new("message").attr("id", id).attr("type", kind);
        stanza = match to.parse::<Jid>() {
            Ok(group) if to.contains('@') => stanza
                .attr("to", group)
                .attr("participant", peer.device_jid(Addressing::Lid, device))
                .attr("addressing_mode", "lid"),
            _ => {
                let addressing =
                    jid(receipt, "from").map_or(Addressing::Pn, |from| Addressing::of(from.server()));
                let mut stanza = stanza.attr("to", peer.device_jid(addressing, device));
                if peer.number == account.number
                    && let Some(recipient) = jid(receipt, "recipient")
                {
                    stanza = stanza.attr("recipient", recipient);
                }
                stanza
            }
        };
        stanza.children([enc]).build()
    };
    message::relay(inner, account, 0, &stanza.as_node_ref());
}

fn as_own_copy(message: Message, inner: &Inner, to: &str) -> Message {
    let destination = inner.directory.by_number(to).map(|peer| peer.jid(Addressing::Pn).to_string());
    Message {
        device_sent_message: MessageField::some(DeviceSentMessage {
            destination_jid: destination,
            message: MessageField::some(message),
            phash: None,
        }),
        ..Message::default()
    }
}

fn attach_sender_key(phone: &mut Phone, group: &str, message: &mut Message) {
    let name = sender_key_name(group, &phone.number.clone(), 0);
    let distribution =
        at_once(create_sender_key_distribution_message(&name, &mut phone.sender_keys, &mut rand::rng()));
    if let Ok(distribution) = distribution {
        message.sender_key_distribution_message = MessageField::some(SenderKeyDistributionMessage {
            group_id: Some(group.to_owned()),
            axolotl_sender_key_distribution_message: Some(distribution.serialized().to_vec()),
        });
    }
}
