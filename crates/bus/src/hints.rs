//! The side that listens for hints.

use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::JoinSet,
};

use crate::{codec, local::Listener};

/// Receives the hints of one pattern, until it is dropped.
#[derive(Debug)]
pub struct Hints<H> {
    receiver: mpsc::Receiver<Item>,
    lagged: Arc<AtomicBool>,
    _source: Source,
    hint: PhantomData<fn() -> H>,
}

/// What a listener receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received<H> {
    /// A hint.
    Hint(H),
    /// Hints were or may have been lost: the listener was slow, or the connection was away. Look at
    /// everything that a hint could have pointed at.
    Lagged,
}

/// What keeps the hints coming, and stops them when it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held for what its drop does")]
pub(crate) enum Source {
    Nats(JoinSet<()>),
    Local(Listener),
}

#[derive(Debug)]
enum Item {
    Hint(Bytes),
    /// Nothing but a reason to look whether hints were lost.
    Wake,
}

/// Where hints are put for a listener. Never waits.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    sender: mpsc::Sender<Item>,
    lagged: Arc<AtomicBool>,
}

pub(crate) fn channel(capacity: usize) -> (Sink, impl FnOnce(Source) -> RawHints) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let lagged = Arc::new(AtomicBool::new(false));
    let sink = Sink { sender, lagged: Arc::clone(&lagged) };
    (sink, move |source| RawHints { receiver, lagged, source })
}

/// [`Hints`] before their type is known.
pub(crate) struct RawHints {
    receiver: mpsc::Receiver<Item>,
    lagged: Arc<AtomicBool>,
    source: Source,
}

impl<H> From<RawHints> for Hints<H> {
    fn from(raw: RawHints) -> Self {
        Self { receiver: raw.receiver, lagged: raw.lagged, _source: raw.source, hint: PhantomData }
    }
}

impl Sink {
    pub(crate) fn put(&self, payload: Bytes) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Item::Hint(payload)) {
            self.lagged.store(true, Ordering::Release);
        }
    }

    pub(crate) fn lagged(&self) {
        self.lagged.store(true, Ordering::Release);
        // A full queue wakes the listener as well.
        let _ = self.sender.try_send(Item::Wake);
    }
}

impl<H: DeserializeOwned> Hints<H> {
    /// The next hint; `None` once the bus is closed. Hints that this version does not know are skipped. Safe
    /// to cancel.
    pub async fn next(&mut self) -> Option<Received<H>> {
        loop {
            if self.lagged.swap(false, Ordering::AcqRel) {
                return Some(Received::Lagged);
            }
            let Item::Hint(payload) = self.receiver.recv().await? else { continue };
            match codec::decode(&payload) {
                Ok(hint) => return Some(Received::Hint(hint)),
                Err(error) => {
                    tracing::warn!(?error, bytes = payload.len(), "skipped a hint that could not be read");
                }
            }
        }
    }
}
