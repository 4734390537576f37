//! What a phone sends.

use super::{Phone, address, at_once, sender_key_name};
use crate::account::keys::PublicKeys;
use crate::account::{Account, Addressing, digits};
use crate::error::Error;
use crate::groups::Group;
use crate::inner::Inner;
use crate::stanza::message;
use std::sync::Arc;
use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeContent};
use wacore_libsignal::protocol::{
    CiphertextMessage, CiphertextMessageType, PreKeyBundle, PreKeySignalMessage, PublicKey, UsePQRatchet,
    create_sender_key_distribution_message, group_encrypt, message_encrypt, process_prekey_bundle,
};
use waproto::buffa::MessageField;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::{DeviceSentMessage, SenderKeyDistributionMessage};

/// Where a phone sends a message to.
pub(crate) enum Recipient {
    Account(Arc<Account>, Addressing),
    Group(Arc<Group>),
}

impl Recipient {
    /// Who is meant by a number, an address by LID, or the address of a group.
    pub(crate) fn find(inner: &Inner, to: &str) -> Option<Self> {
        if let Ok(jid) = to.parse::<Jid>()
            && to.contains('@')
        {
            if jid.is_group() {
                return inner.groups.get(&jid.user).map(Self::Group);
            }
            let addressing = Addressing::of(jid.server());
            return inner.directory.by_jid(&jid).map(|peer| Self::Account(peer, addressing));
        }
        inner.directory.by_number(&digits(to)).map(|peer| Self::Account(peer, Addressing::Pn))
    }
}

/// Sends a message from the phone of `account`.
pub(crate) fn send(
    inner: &Arc<Inner>,
    account: &Arc<Account>,
    recipient: &Recipient,
    message: &Message,
    id: &str,
    corrupt: bool,
) -> Result<(), Error> {
    let mut stanza = {
        let mut phone = account.phone.lock();
        let stanza = match recipient {
            Recipient::Account(peer, addressing) => phone.compose(account, peer, *addressing, message, id)?,
            Recipient::Group(group) => phone.compose_for_group(inner, account, group, message, id)?,
        };
        let to = match recipient {
            Recipient::Account(peer, _) => peer.number.clone(),
            Recipient::Group(group) => group.jid().to_string(),
        };
        phone.remember(id, &to, message.clone());
        stanza
    };
    if corrupt {
        damage(&mut stanza);
    }
    message::relay(inner, account, 0, &stanza.as_node_ref());
    Ok(())
}

/// Sends a message to one of the account's own companions (`category="peer"`).
pub(crate) fn send_to_companion(
    inner: &Arc<Inner>,
    account: &Arc<Account>,
    device: u16,
    message: &Message,
) -> Result<(), Error> {
    let stanza = {
        let mut phone = account.phone.lock();
        let enc = phone.encrypt_for(account, device, message)?;
        NodeBuilder::new("message")
            .attr("to", account.device_jid(Addressing::Pn, device))
            .attr("id", inner.message_id())
            .attr("type", "text")
            .attr("category", "peer")
            .children([enc])
            .build()
    };
    message::relay(inner, account, 0, &stanza.as_node_ref());
    Ok(())
}

impl Phone {
    fn compose(
        &mut self,
        account: &Arc<Account>,
        peer: &Arc<Account>,
        addressing: Addressing,
        message: &Message,
        id: &str,
    ) -> Result<Node, Error> {
        let to = peer.jid(addressing);
        let mut participants = Vec::new();
        for device in peer.device_ids() {
            if peer.number == account.number && device == 0 {
                continue;
            }
            participants.push(recipient(
                peer.device_jid(addressing, device),
                self.encrypt_for(peer, device, message)?,
            ));
        }
        if peer.number != account.number {
            let copy = Message {
                device_sent_message: MessageField::some(DeviceSentMessage {
                    destination_jid: Some(to.to_string()),
                    message: MessageField::some(message.clone()),
                    phash: None,
                }),
                ..Message::default()
            };
            for device in account.device_ids().into_iter().filter(|device| *device != 0) {
                let enc = self.encrypt_for(account, device, &copy)?;
                participants.push(recipient(account.device_jid(addressing, device), enc));
            }
        }
        Ok(NodeBuilder::new("message")
            .attr("to", to)
            .attr("id", id)
            .attr("type", kind_of(message))
            .children([NodeBuilder::new("participants").children(participants).build()])
            .build())
    }

    fn compose_for_group(
        &mut self,
        inner: &Inner,
        account: &Arc<Account>,
        group: &Group,
        message: &Message,
        id: &str,
    ) -> Result<Node, Error> {
        let jid = group.jid();
        let name = sender_key_name(&jid.to_string(), &self.number, 0);
        let distribution =
            at_once(create_sender_key_distribution_message(&name, &mut self.sender_keys, &mut rand::rng()))?;
        let distribution = Message {
            sender_key_distribution_message: MessageField::some(SenderKeyDistributionMessage {
                group_id: Some(jid.to_string()),
                axolotl_sender_key_distribution_message: Some(distribution.serialized().to_vec()),
            }),
            ..Message::default()
        };
        let mut participants = Vec::new();
        for member in group.member_accounts(inner) {
            for device in member.device_ids() {
                let own = member.number == account.number && device == 0;
                let known = self.sender_key_known.entry(jid.to_string()).or_default();
                if own || !known.insert((member.number.clone(), device)) {
                    continue;
                }
                let enc = self.encrypt_for(&member, device, &distribution)?;
                participants.push(recipient(member.device_jid(Addressing::Lid, device), enc));
            }
        }
        let plaintext = MessageUtils::encode_and_pad(message);
        let sealed = at_once(group_encrypt(&mut self.sender_keys, &name, &plaintext, &mut rand::rng()))?;
        let enc = NodeBuilder::new("enc")
            .attr("v", "2")
            .attr("type", "skmsg")
            .bytes(sealed.serialized().to_vec())
            .build();
        let mut children = Vec::new();
        if !participants.is_empty() {
            children.push(NodeBuilder::new("participants").children(participants).build());
        }
        children.push(enc);
        Ok(NodeBuilder::new("message")
            .attr("to", jid)
            .attr("id", id)
            .attr("type", kind_of(message))
            .attr("addressing_mode", "lid")
            .children(children)
            .build())
    }

    /// Encrypts for one device, starting a session if there is none.
    pub(crate) fn encrypt_for(
        &mut self,
        peer: &Account,
        device: u16,
        message: &Message,
    ) -> Result<Node, Error> {
        let address = address(&peer.number, device);
        if !self.sessions.0.contains_key(address.as_str()) {
            let bundle = {
                let mut state = peer.state.lock();
                let entry = state
                    .devices
                    .get_mut(&device)
                    .ok_or_else(|| Error::Unknown(format!("device {device} of {}", peer.number)))?;
                bundle(&mut entry.keys, device)?
            };
            at_once(process_prekey_bundle(
                &address,
                &mut self.sessions,
                &mut self.identities,
                &bundle,
                &mut rand::rng(),
                UsePQRatchet::No,
            ))?;
        }
        let plaintext = MessageUtils::encode_and_pad(message);
        let sealed =
            at_once(message_encrypt(&plaintext, &address, &mut self.sessions, &mut self.identities))?;
        Ok(enc_node(&sealed))
    }

    /// Forgets a session, so that the next message starts a new one.
    pub(crate) fn forget_session(&mut self, number: &str, device: u16) {
        self.sessions.0.remove(address(number, device).as_str());
        for known in self.sender_key_known.values_mut() {
            known.remove(&(number.to_owned(), device));
        }
    }

    /// A message the phone has sent, and whom to.
    pub(crate) fn sent(&self, id: &str) -> Option<(String, Message)> {
        self.sent.iter().rev().find(|sent| sent.id == id).map(|sent| (sent.to.clone(), sent.message.clone()))
    }
}

/// Makes every ciphertext in a stanza unreadable: all is well with it but for its authentication code, because a client
/// asks again for what does not decrypt, but refuses for good what it cannot parse.
fn damage(node: &mut Node) {
    let is_enc = node.tag == "enc";
    match &mut node.content {
        Some(NodeContent::Nodes(children)) => children.iter_mut().for_each(damage),
        Some(NodeContent::Bytes(bytes)) if is_enc => {
            let end = end_of_signal_message(bytes);
            if let Some(byte) = end.checked_sub(1).and_then(|last| bytes.get_mut(last)) {
                *byte ^= 0xFF;
            }
        }
        _ => {}
    }
}

/// Where the innermost message ends, which is where its authentication code does.
fn end_of_signal_message(sealed: &[u8]) -> usize {
    let Ok(outer) = PreKeySignalMessage::try_from(sealed) else { return sealed.len() };
    let inner = outer.message().serialized();
    let start = sealed.windows(inner.len().max(1)).position(|window| window == inner);
    start.map_or(sealed.len(), |start| start + inner.len())
}

fn recipient(jid: Jid, enc: Node) -> Node {
    NodeBuilder::new("to").attr("jid", jid).children([enc]).build()
}

fn enc_node(sealed: &CiphertextMessage) -> Node {
    let kind = if sealed.message_type() == CiphertextMessageType::PreKey { "pkmsg" } else { "msg" };
    NodeBuilder::new("enc").attr("v", "2").attr("type", kind).bytes(sealed.serialize().to_vec()).build()
}

/// The `type` attribute a message travels with.
pub(crate) fn kind_of(message: &Message) -> &'static str {
    let media = message.image_message.is_set()
        || message.video_message.is_set()
        || message.audio_message.is_set()
        || message.document_message.is_set()
        || message.sticker_message.is_set()
        || message.location_message.is_set()
        || message.contact_message.is_set();
    if media {
        "media"
    } else if message.reaction_message.is_set() {
        "reaction"
    } else if message.poll_creation_message.is_set() || message.poll_creation_message_v3.is_set() {
        "poll"
    } else {
        "text"
    }
}

fn bundle(keys: &mut PublicKeys, device: u16) -> Result<PreKeyBundle, Error> {
    let one_time = match keys.one_time.pop_front() {
        Some((id, public)) => Some((id.into(), PublicKey::from_djb_public_key_bytes(&public)?)),
        None => None,
    };
    Ok(PreKeyBundle::new(
        keys.registration_id,
        u32::from(device).into(),
        one_time,
        keys.signed.id.into(),
        PublicKey::from_djb_public_key_bytes(&keys.signed.public)?,
        keys.signed.signature.clone(),
        PublicKey::from_djb_public_key_bytes(&keys.identity)?.into(),
    )?)
}
