//! The simulated phone of an account: device 0, with real Signal state.
//!
//! A phone decrypts what is sent to its account, says what a test wants it to say, hands the app-state keys to new
//! companions and takes part in groups. Everything happens at once and without waiting, under one lock for each phone,
//! because all of its state is in memory.

pub(crate) mod linking;
pub(crate) mod receive;
pub(crate) mod renew;
mod retry;
pub(crate) mod say;
pub(crate) mod store;

use crate::account::keys::{PublicKeys, SignedKey};
use crate::error::Error;
use crate::options::Options;
use futures::FutureExt as _;
use rand::RngExt as _;
use std::collections::{HashMap, HashSet, VecDeque};
use store::{Identities, PreKeys, SenderKeys, Sessions, SignedPreKeys};
use wacore_binary::Node;
use wacore_libsignal::protocol::{
    GenericSignedPreKey as _, IdentityKeyPair, KeyPair, PreKeyId, PreKeyRecord, ProtocolAddress,
    SenderKeyName, SignedPreKeyId, SignedPreKeyRecord, Timestamp,
};
use waproto::whatsapp::Message;

/// How many of its own messages a phone remembers for retries.
const MEMORY: usize = 512;
/// How many messages a lazy phone keeps undecrypted.
const LAZY_BACKLOG: usize = 4096;

/// A message as a phone read it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PhoneMessage {
    /// The message id.
    pub id: String,
    /// The sender's number.
    pub from: String,
    /// The sender's device.
    pub device: u16,
    /// The chat: a number, or the address of a group. For messages of the account's own companions, the recipient.
    pub chat: String,
    /// Sent by one of the account's own companions.
    pub from_me: bool,
    /// The text, for messages that have one.
    pub text: Option<String>,
    /// The decrypted message.
    #[serde(skip)]
    pub message: Box<Message>,
}

/// A receipt as a phone got it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PhoneReceipt {
    /// The message it is about.
    pub id: String,
    /// Who sent it.
    pub from: String,
    /// `delivery`, `read`, `retry`, …
    pub kind: String,
}

/// A message the phone has sent, kept for retries.
struct Sent {
    id: String,
    to: String,
    message: Message,
}

/// The phone of one account.
pub(crate) struct Phone {
    number: String,
    pub(crate) sessions: Sessions,
    pub(crate) identities: Identities,
    pub(crate) prekeys: PreKeys,
    pub(crate) signed: SignedPreKeys,
    pub(crate) sender_keys: SenderKeys,
    /// Devices that have the phone's sender key, by group.
    sender_key_known: HashMap<String, HashSet<(String, u16)>>,
    /// The app-state key, the same bytes for every companion.
    sync_key: [u8; 32],
    inbox: VecDeque<PhoneMessage>,
    inbox_limit: usize,
    /// How many messages arrived in all, the ones dropped from the inbox included.
    arrived: u64,
    receipts: VecDeque<PhoneReceipt>,
    backlog: VecDeque<Node>,
    sent: VecDeque<Sent>,
    retries: HashMap<String, u8>,
}

impl Phone {
    /// A phone with fresh keys.
    pub(crate) fn new(number: &str, options: &Options) -> Result<Self, Error> {
        let mut random = rand::rng();
        let identity = IdentityKeyPair::generate(&mut random);
        let signed = KeyPair::generate(&mut random);
        let signature =
            identity.private_key().calculate_signature(&signed.public_key.serialize(), &mut random)?;
        let prekeys = (1..=options.phone_prekeys)
            .map(|id| (id, PreKeyRecord::new(PreKeyId::from(id), &KeyPair::generate(&mut random))))
            .collect();
        Ok(Self {
            number: number.to_owned(),
            sessions: Sessions::default(),
            identities: Identities::new(identity, random.random_range(1..16_380)),
            prekeys: PreKeys(prekeys),
            signed: SignedPreKeys(SignedPreKeyRecord::new(
                SignedPreKeyId::from(1),
                Timestamp::from_epoch_millis(crate::clock::unix_millis()),
                &signed,
                &signature,
            )),
            sender_keys: SenderKeys::default(),
            sender_key_known: HashMap::new(),
            sync_key: random.random(),
            inbox: VecDeque::new(),
            inbox_limit: options.inbox,
            arrived: 0,
            receipts: VecDeque::new(),
            backlog: VecDeque::new(),
            sent: VecDeque::new(),
            retries: HashMap::new(),
        })
    }

    /// What the server holds for others to fetch.
    pub(crate) fn public_keys(&self) -> PublicKeys {
        let signed = &self.signed.0;
        let mut one_time: Vec<(u32, [u8; 32])> = self
            .prekeys
            .0
            .iter()
            .filter_map(|(id, key)| {
                let public = key.public_key().ok()?;
                Some((*id, public.public_key_bytes().try_into().ok()?))
            })
            .collect();
        one_time.sort_unstable();
        PublicKeys {
            registration_id: self.identities.registration_id,
            identity: self.identity(),
            signed: SignedKey {
                id: signed.id().map_or(1, u32::from),
                public: signed.public_key().map(|key| key.public_key_bytes().to_vec()).unwrap_or_default(),
                signature: signed.signature().unwrap_or_default(),
            },
            one_time: one_time.into(),
        }
    }

    /// The public identity key, 32 bytes.
    pub(crate) fn identity(&self) -> Vec<u8> {
        self.identities.own.public_key().public_key_bytes().to_vec()
    }

    /// Signs with the account's key; returns the public key and the signature.
    pub(crate) fn sign(&self, data: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let signature = self.identities.own.private_key().calculate_signature(data, &mut rand::rng())?;
        Ok((self.identity(), signature.to_vec()))
    }

    /// Loses all Signal sessions, so that nothing can be read until they are made anew.
    pub(crate) fn forget_sessions(&mut self) {
        self.sessions.0.clear();
        self.sender_keys.0.clear();
        self.sender_key_known.clear();
    }

    /// Makes a new sender key for a group before the next message there: somebody has left, and must not read on.
    pub(crate) fn rotate_sender_key(&mut self, group: &str) {
        let name = sender_key_name(group, &self.number, 0);
        self.sender_keys.0.remove(name.cache_key());
        self.sender_key_known.remove(group);
    }

    /// What was received, oldest first.
    pub(crate) fn inbox(&self) -> impl Iterator<Item = &PhoneMessage> {
        self.inbox.iter()
    }

    /// What receipts came in, oldest first.
    pub(crate) fn receipts(&self) -> impl Iterator<Item = &PhoneReceipt> {
        self.receipts.iter()
    }

    /// How many messages arrived in all.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Notes a receipt.
    pub(crate) fn note_receipt(&mut self, receipt: PhoneReceipt) {
        if self.receipts.len() >= self.inbox_limit {
            self.receipts.pop_front();
        }
        self.receipts.push_back(receipt);
    }

    fn note_message(&mut self, message: PhoneMessage) {
        self.arrived += 1;
        if self.inbox.len() >= self.inbox_limit {
            self.inbox.pop_front();
        }
        self.inbox.push_back(message);
    }

    fn remember(&mut self, id: &str, to: &str, message: Message) {
        if self.sent.len() >= MEMORY {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { id: id.to_owned(), to: to.to_owned(), message });
    }
}

/// The address a phone keeps a peer's sessions under: always the number, whichever name the wire used.
pub(crate) fn address(number: &str, device: u16) -> ProtocolAddress {
    ProtocolAddress::new(number, u32::from(device).into())
}

/// The name of a sender key in a group.
pub(crate) fn sender_key_name(group: &str, number: &str, device: u16) -> SenderKeyName {
    SenderKeyName::new(group.to_owned(), format!("{number}:{device}"))
}

/// Runs a Signal operation to its end. Its stores are in memory, so it never has to wait for anything.
pub(crate) fn at_once<T>(operation: impl Future<Output = Result<T, SignalError>>) -> Result<T, Error> {
    match operation.now_or_never() {
        Some(result) => Ok(result?),
        None => Err(Error::Signal("an operation in memory had to wait".to_owned())),
    }
}

/// What the Signal library fails with.
pub(crate) type SignalError = wacore_libsignal::protocol::SignalProtocolError;
