//! A bounded record of an account's stanzas, for the failing test to print.

use std::collections::VecDeque;

/// Which way a stanza went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// One stanza.
#[derive(Debug, Clone, serde::Serialize)]
pub struct JournalEntry {
    /// Milliseconds since the epoch.
    pub at: u64,
    /// The device it came from or went to.
    pub device: u16,
    /// Which way it went.
    pub direction: Direction,
    /// The stanza as XML.
    pub stanza: String,
}

/// The last stanzas of one account.
#[derive(Debug)]
pub(crate) struct Journal {
    limit: usize,
    entries: VecDeque<JournalEntry>,
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, entries: VecDeque::new() }
    }

    /// Adds an entry, pushing out the oldest.
    pub(crate) fn add(&mut self, entry: JournalEntry) {
        if self.limit == 0 {
            return;
        }
        if self.entries.len() >= self.limit {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// What is kept, oldest first.
    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.entries.iter().cloned().collect()
    }
}
