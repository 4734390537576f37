//! What the server has accepted and delivered, so that tests can count instead of assume.

use crate::offline::Delivery;
use std::collections::{BTreeMap, HashMap};
use wacore_binary::CompactString;

/// A message id the server has acknowledged to its sender.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Accepted {
    /// The number of the sending account.
    pub from: String,
    /// The device that sent it.
    pub device: u16,
    /// Where it was addressed to, as the client wrote it.
    pub to: String,
    /// The message id.
    pub id: String,
    /// When the first copy came, in milliseconds since the epoch.
    pub at: u64,
    /// How many copies came with this id to this address; more than 1 are duplicates. Resends that the recipient asked
    /// for with a retry receipt do not count.
    pub copies: u32,
}

/// What the server saw, at one moment.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Ledger {
    /// Every accepted message.
    pub accepted: Vec<Accepted>,
    /// For each companion device (`number:device`), what became of each message id relayed to it.
    pub deliveries: BTreeMap<String, BTreeMap<String, Delivery>>,
}

impl Ledger {
    /// How many different messages were accepted from a number.
    pub fn distinct_from(&self, number: &str) -> usize {
        self.accepted.iter().filter(|accepted| accepted.from == number).count()
    }

    /// Messages of which more than one copy was accepted.
    pub fn duplicates(&self) -> Vec<&Accepted> {
        self.accepted.iter().filter(|accepted| accepted.copies > 1).collect()
    }

    /// Whether a message with this id was accepted from a number.
    pub fn has(&self, from: &str, id: &str) -> bool {
        self.accepted.iter().any(|accepted| accepted.from == from && accepted.id == id)
    }
}

#[derive(Debug)]
struct Record {
    device: u16,
    to: CompactString,
    at: u64,
    copies: u32,
}

/// What one account has sent.
#[derive(Debug)]
pub(crate) struct AccountLedger {
    enabled: bool,
    records: HashMap<CompactString, Vec<Record>>,
    total: u64,
}

impl AccountLedger {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled, records: HashMap::new(), total: 0 }
    }

    /// Notes an accepted message.
    pub(crate) fn accept(&mut self, id: &str, to: &str, device: u16, at: u64) {
        self.total += 1;
        if !self.enabled {
            return;
        }
        let records = self.records.entry(id.into()).or_default();
        match records.iter_mut().find(|record| record.to == to) {
            Some(record) => record.copies += 1,
            None => records.push(Record { device, to: to.into(), at, copies: 1 }),
        }
    }

    /// How many message stanzas were accepted in all, copies included.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Everything accepted.
    pub(crate) fn accepted<'a>(&'a self, from: &'a str) -> impl Iterator<Item = Accepted> + 'a {
        self.records.iter().flat_map(move |(id, records)| {
            records.iter().map(move |record| Accepted {
                from: from.to_owned(),
                device: record.device,
                to: record.to.to_string(),
                id: id.to_string(),
                at: record.at,
                copies: record.copies,
            })
        })
    }
}
