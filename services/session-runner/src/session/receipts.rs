//! Brings receipts into storage: the first at once, what gathers in the moment after it as one batch.

use std::time::Duration;

use bus::Bus;
use domain::{Fence, Timestamp};
use storage::{Database, Receipt};
use tokio::{task::JoinSet, time::Instant};
use whatsapp::ReceiptKind;

/// Receipts that wait to be stored; what comes on top is dropped, as WhatsApp does not repeat them anyway.
const MOST_WAITING: usize = 10_000;

/// How soon a batch may follow the one before. Each costs its transaction several statements, however many receipts it
/// has, and nobody waits for them.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a batch is tried, and how long it waits in between.
const TRIES: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_secs(1);

pub(crate) struct Receipts {
    database: Database,
    bus: Bus,
    fence: Fence,
    waiting: Vec<Receipt>,
    storing: JoinSet<()>,
    /// When the next batch may be stored.
    next: Instant,
}

impl Receipts {
    pub(crate) fn new(database: Database, bus: Bus, fence: Fence) -> Self {
        Self { database, bus, fence, waiting: Vec::new(), storing: JoinSet::new(), next: Instant::now() }
    }

    /// Takes what recipients told about messages.
    pub(crate) fn add(&mut self, message_ids: Vec<String>, kind: ReceiptKind, at: Timestamp) {
        if self.waiting.len() >= MOST_WAITING {
            tracing::warn!(session.id = %self.fence.session, receipts = message_ids.len(),
                "receipts were dropped: they come faster than they can be stored");
            return;
        }
        let read = matches!(kind, ReceiptKind::Read | ReceiptKind::Played);
        self.waiting.extend(message_ids.into_iter().map(|message_id| Receipt { message_id, read, at }));
        self.store();
    }

    /// Carries on when a batch is stored, or when the next one may be; `None` while there is nothing to do. Safe to
    /// cancel.
    pub(crate) async fn progress(&mut self) -> Option<()> {
        if self.storing.is_empty() && !self.waiting.is_empty() {
            tokio::time::sleep_until(self.next).await;
        } else if let Err(error) = self.storing.join_next().await? {
            tracing::error!(session.id = %self.fence.session, %error, "storing receipts failed");
        }
        self.store();
        Some(())
    }

    /// Waits up to `deadline` until all are stored.
    pub(crate) async fn finish(&mut self, deadline: Duration) {
        let all = async { while self.progress().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::info!(session.id = %self.fence.session, receipts = self.waiting.len(),
                "receipts were not stored in time");
        }
    }

    /// Drops everything: the session is somebody else's.
    pub(crate) async fn abandon(&mut self) {
        self.waiting.clear();
        self.storing.shutdown().await;
    }

    fn store(&mut self) {
        let now = Instant::now();
        if self.waiting.is_empty() || !self.storing.is_empty() || now < self.next {
            return;
        }
        self.next = now + PAUSE;
        let batch = std::mem::take(&mut self.waiting);
        self.storing.spawn(store(self.database.clone(), self.bus.clone(), self.fence, batch));
    }
}

async fn store(database: Database, bus: Bus, fence: Fence, batch: Vec<Receipt>) {
    for attempt in 1..=TRIES {
        match database.note_receipts(fence, batch.clone()).await {
            Ok(0) | Err(storage::Error::LeaseLost) => return,
            Ok(_) => return super::announce::deliveries_due(&bus),
            Err(error) if attempt == TRIES => {
                tracing::warn!(session.id = %fence.session, receipts = batch.len(), %error,
                    "receipts could not be stored and are lost");
            }
            Err(_) => tokio::time::sleep(TRY_AGAIN).await,
        }
    }
}
