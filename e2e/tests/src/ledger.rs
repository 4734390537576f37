//! What was sent and what arrived, counted: each text once, in the order of its chat.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use contact::Contact;
use parking_lot::Mutex;

use crate::Webhook;

/// A text at the end it was meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What makes it the same message when it comes again: for a phone its sender and its id, for a receiver of
    /// webhooks their id.
    pub identity: String,
    pub chat: String,
    pub text: String,
}

/// What one side was asked to send, in order per chat.
#[derive(Debug, Default)]
pub struct Ledger {
    sent: Mutex<BTreeMap<String, Vec<String>>>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Texts that arrived, each counted once.
    pub distinct: usize,
    /// Copies beyond the first, which the identity gives away.
    pub repeats: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} arrived, {} repeats", self.distinct, self.repeats)
    }
}

impl Ledger {
    /// Notes a text that was accepted.
    pub fn sent(&self, chat: &str, text: &str) {
        self.sent.lock().entry(chat.to_owned()).or_default().push(text.to_owned());
    }

    /// How many were accepted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sent.lock().values().map(Vec::len).sum()
    }

    /// Nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compares: every text that was accepted arrived as one message, no other did, and the first copies came in the
    /// order of their chat.
    ///
    /// # Panics
    /// When it is not so.
    #[must_use]
    pub fn tally(&self, arrived: &[Arrival]) -> Tally {
        let mut seen = HashSet::new();
        let mut chats: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for arrival in arrived.iter().filter(|arrival| seen.insert(&arrival.identity)) {
            chats.entry(arrival.chat.clone()).or_default().push(arrival.text.clone());
        }
        for (chat, expected) in self.sent.lock().iter() {
            let found = chats.remove(chat).unwrap_or_default();
            let first = expected.iter().zip(&found).position(|(expected, found)| expected != found);
            assert_eq!(
                (found.len(), first),
                (expected.len(), None),
                "chat {chat}: of the texts\n{expected:?}\narrived, in this order,\n{found:?}"
            );
        }
        assert!(chats.is_empty(), "nobody sent these: {chats:?}");
        Tally { distinct: seen.len(), repeats: arrived.len() - seen.len() }
    }
}

impl Arrival {
    /// What a contact decrypted, in its order, in the chat that is called by the contact's own number.
    #[must_use]
    pub fn at_contact(contact: &Contact) -> Vec<Self> {
        let received = contact.messages().into_iter().filter(|message| !message.from_me);
        received
            .map(|message| Self {
                identity: format!("{} {}", message.from.to_non_ad_string(), message.id),
                chat: contact.number().to_owned(),
                text: message.text.unwrap_or_default(),
            })
            .collect()
    }

    /// What came as message webhooks, in their order, in the chat that is called by the sender's number.
    #[must_use]
    pub fn as_webhooks(webhooks: &[Webhook]) -> Vec<Self> {
        let messages = webhooks.iter().filter(|webhook| webhook.path == "/message");
        messages
            .map(|webhook| Self {
                identity: webhook.id.clone(),
                chat: webhook.text("from").trim_end_matches("@s.whatsapp.net").to_owned(),
                text: webhook.text("message").to_owned(),
            })
            .collect()
    }
}

/// How many different messages are among these.
#[must_use]
pub fn distinct(arrived: &[Arrival]) -> usize {
    arrived.iter().map(|arrival| &arrival.identity).collect::<HashSet<_>>().len()
}
