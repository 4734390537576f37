//! What a received message carries besides its text.

use serde::{Deserialize, Serialize};

use crate::degrees::Degrees;

/// What a message carries besides its text. In a webhook it is one more field, named after the kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Detail {
    /// Somebody reacted to a message; an empty `emoji` takes the reaction back.
    Reaction {
        /// WhatsApp's id of the message that is reacted to.
        message_id: String,
        emoji: String,
    },
    /// A place.
    Location {
        latitude: Degrees,
        longitude: Degrees,
        name: Option<String>,
        address: Option<String>,
        url: Option<String>,
        /// It is followed while it moves.
        live: bool,
    },
    /// A visiting card.
    Contact(Card),
    /// Several of them.
    Contacts(Vec<Card>),
    /// A question with answers to choose from.
    Poll {
        name: String,
        options: Vec<String>,
        /// How many may be chosen; 0 for any number.
        selectable: u32,
    },
    /// What somebody has chosen in a poll by now; a later vote replaces an earlier one.
    PollVote {
        /// WhatsApp's id of the poll.
        message_id: String,
        /// The options chosen; null when the vote could not be read, as when the poll is older than the link.
        options: Option<Vec<String>>,
    },
    /// The message is the new form of an earlier one.
    Edited {
        /// WhatsApp's id of the earlier one; null when it was not said.
        message_id: Option<String>,
    },
    /// The message takes an earlier one back.
    Deleted {
        /// WhatsApp's id of the earlier one.
        message_id: String,
    },
}

/// A visiting card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub name: Option<String>,
    pub vcard: Option<String>,
}

/// A poll as far as the gateway knows it: what is needed to read a vote in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPoll {
    pub options: Vec<String>,
    /// The JIDs of who made it; none when the session itself did.
    pub authors: Vec<String>,
    /// The poll's secret, when the session made it.
    pub secret: Option<Vec<u8>>,
}
