//! What a device has yet to acknowledge: the offline queue, which is also the window of what is in flight.
//!
//! A stanza stays in the queue until the device settles it, with a receipt (messages) or an `<ack>` (the rest), and is
//! delivered again at every login until then.

use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use wacore_binary::{CompactString, OwnedNodeRef};

/// What kind of stanza an entry is; the kind decides how it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Settled by a `<receipt>`.
    Message,
    /// Settled by an `<ack class="receipt">`.
    Receipt,
    /// Settled by an `<ack class="notification">`.
    Notification,
}

/// One stanza on its way to a device.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) class: Class,
    pub(crate) id: CompactString,
    /// Packed, flag byte included.
    pub(crate) stanza: Bytes,
}

/// Whether the device gets what is queued, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Not connected, or not asked for its stanzas yet.
    Waiting,
    /// The client pulls the backlog in batches: `left` entries of `total`, `credit` of them asked for.
    Backlog { total: usize, left: usize, credit: usize },
    /// Everything goes out as it comes in.
    Live,
}

/// What to write to the device now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) stanzas: Vec<Bytes>,
    /// The backlog is through; it had this many entries.
    pub(crate) backlog_done: Option<usize>,
}

/// How often a device has been handed a message, and whether it settled it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Delivery {
    /// How many times it was written to the device's connection.
    pub delivered: u32,
    /// How many times the device settled it.
    pub settled: u32,
}

/// The queue of one device.
#[derive(Debug)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
    in_flight: usize,
    mode: Mode,
    window: usize,
    held: bool,
    record: bool,
    deliveries: HashMap<CompactString, Delivery>,
    delivered: u64,
    settled: u64,
}

impl Queue {
    pub(crate) fn new(window: usize, record: bool) -> Self {
        Self {
            entries: VecDeque::new(),
            in_flight: 0,
            mode: Mode::Waiting,
            window: window.max(1),
            held: false,
            record,
            deliveries: HashMap::new(),
            delivered: 0,
            settled: 0,
        }
    }

    /// Adds a stanza; what to write comes from [`Self::pump`].
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
    }

    /// The device is gone: everything unsettled will be delivered again.
    pub(crate) fn disconnected(&mut self) {
        self.mode = Mode::Waiting;
        self.in_flight = 0;
    }

    /// The device wants its stanzas. Returns how many wait for it; with 0 the backlog is through already.
    pub(crate) fn activate(&mut self) -> usize {
        self.in_flight = 0;
        let total = if self.held { 0 } else { self.entries.len() };
        self.mode = if total == 0 { Mode::Live } else { Mode::Backlog { total, left: total, credit: 0 } };
        total
    }

    /// The device asks for up to `count` more of its backlog.
    pub(crate) fn grant(&mut self, count: usize) {
        if let Mode::Backlog { credit, .. } = &mut self.mode {
            *credit = credit.saturating_add(count);
        }
    }

    /// Keeps everything back (or lets it go again).
    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Takes what may be written now.
    pub(crate) fn pump(&mut self) -> Outgoing {
        let mut outgoing = Outgoing::default();
        if self.held {
            return outgoing;
        }
        if self.finish_backlog(&mut outgoing) {
            return outgoing;
        }
        while let Some(entry) = self.entries.get(self.in_flight) {
            match &mut self.mode {
                Mode::Waiting | Mode::Backlog { credit: 0, .. } => break,
                Mode::Live if self.in_flight >= self.window => break,
                Mode::Live => outgoing.stanzas.push(entry.stanza.clone()),
                Mode::Backlog { left, credit, .. } => {
                    outgoing.stanzas.push(as_offline(&entry.stanza));
                    *credit -= 1;
                    *left -= 1;
                }
            }
            self.delivered += 1;
            if self.record && entry.class == Class::Message {
                self.deliveries.entry(entry.id.clone()).or_default().delivered += 1;
            }
            self.in_flight += 1;
            if self.finish_backlog(&mut outgoing) {
                break;
            }
        }
        outgoing
    }

    fn finish_backlog(&mut self, outgoing: &mut Outgoing) -> bool {
        let Mode::Backlog { total, left: 0, .. } = self.mode else { return false };
        outgoing.backlog_done = Some(total);
        self.mode = Mode::Live;
        true
    }

    /// The device has settled a stanza; false when there is none such.
    pub(crate) fn settle(&mut self, class: Class, id: &str) -> bool {
        let Some(at) = self.entries.iter().position(|entry| entry.class == class && entry.id == id) else {
            return false;
        };
        let Some(entry) = self.entries.remove(at) else { return false };
        self.settled += 1;
        if at < self.in_flight {
            self.in_flight -= 1;
        } else if let Mode::Backlog { left, .. } = &mut self.mode
            && at < self.in_flight + *left
        {
            *left -= 1;
        }
        if self.record && class == Class::Message {
            self.deliveries.entry(entry.id).or_default().settled += 1;
        }
        true
    }

    /// How many stanzas are not settled.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many stanzas have been written and settled in all.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.delivered, self.settled)
    }

    /// What became of each message.
    pub(crate) fn deliveries(&self) -> &HashMap<CompactString, Delivery> {
        &self.deliveries
    }
}

/// The stanza with the mark of a redelivery.
fn as_offline(stanza: &Bytes) -> Bytes {
    let marked = stanza.get(1..).and_then(|packed| {
        let mut node = OwnedNodeRef::new(Bytes::copy_from_slice(packed)).ok()?.to_owned_node();
        node.attrs.insert("offline", "0");
        wacore_binary::marshal(&node).ok()
    });
    marked.map_or_else(|| stanza.clone(), Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_binary::builder::NodeBuilder;

    fn entry(id: &str) -> Entry {
        let stanza = NodeBuilder::new("message").attr("id", id).build();
        Entry {
            class: Class::Message,
            id: id.into(),
            stanza: Bytes::from(wacore_binary::marshal(&stanza).expect("packed")),
        }
    }

    fn ids(outgoing: &Outgoing) -> Vec<(String, bool)> {
        outgoing
            .stanzas
            .iter()
            .map(|stanza| {
                let node = OwnedNodeRef::new(stanza.slice(1..)).expect("stanza");
                (node.get_attr("id").expect("id").as_str().into_owned(), node.get_attr("offline").is_some())
            })
            .collect()
    }

    #[test]
    fn nothing_goes_out_before_the_device_asks() {
        let mut queue = Queue::new(10, true);
        queue.push(entry("a"));
        assert_eq!(queue.pump(), Outgoing::default());
    }

    #[test]
    fn backlog_goes_out_in_the_batches_asked_for_and_then_live() {
        let mut queue = Queue::new(10, true);
        for id in ["a", "b", "c"] {
            queue.push(entry(id));
        }
        assert_eq!(queue.activate(), 3);
        queue.push(entry("live"));
        queue.grant(2);
        let first = queue.pump();
        assert_eq!(ids(&first), [("a".to_owned(), true), ("b".to_owned(), true)]);
        assert_eq!(first.backlog_done, None);
        queue.grant(2);
        let second = queue.pump();
        assert_eq!(ids(&second), [("c".to_owned(), true)]);
        assert_eq!(second.backlog_done, Some(3));
        assert_eq!(ids(&queue.pump()), [("live".to_owned(), false)]);
    }

    #[test]
    fn unsettled_stanzas_come_again_and_settled_ones_do_not() {
        let mut queue = Queue::new(10, true);
        queue.push(entry("a"));
        queue.push(entry("b"));
        assert_eq!(queue.activate(), 2);
        queue.grant(200);
        queue.pump();
        assert!(queue.settle(Class::Message, "a"));
        assert!(!queue.settle(Class::Message, "a"));
        queue.disconnected();
        assert_eq!(queue.activate(), 1);
        queue.grant(200);
        assert_eq!(ids(&queue.pump()), [("b".to_owned(), true)]);
        assert_eq!(queue.deliveries()["b"], Delivery { delivered: 2, settled: 0 });
    }

    #[test]
    fn the_window_bounds_what_is_in_flight() {
        let mut queue = Queue::new(1, false);
        assert_eq!(queue.activate(), 0);
        queue.push(entry("a"));
        queue.push(entry("b"));
        assert_eq!(ids(&queue.pump()).len(), 1);
        assert_eq!(ids(&queue.pump()).len(), 0);
        queue.settle(Class::Message, "a");
        assert_eq!(ids(&queue.pump()), [("b".to_owned(), false)]);
    }
}
