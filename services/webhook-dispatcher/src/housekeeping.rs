//! Removes what is old, and puts right what was left behind. Slowly: nothing waits for it, and nothing should wait
//! because of it. Any number of dispatchers may do the same.

use std::time::Duration;

use domain::SharedClock;
use rand::RngExt as _;
use storage::{Database, Result, Swept};
use tokio::time::sleep;

use crate::{Parts, Settings};

/// The first round is made after this part of the time between two rounds.
const FIRST: u32 = 30;

/// How many rows one transaction looks at.
const BATCH: u32 = 500;

/// The pause between two transactions, in which others write.
const PAUSE: Duration = Duration::from_millis(50);

/// How many times as long what was given up is kept.
const DEAD_TIMES: u32 = 3;

pub(crate) struct Housekeeping {
    database: Database,
    clock: SharedClock,
    every: Duration,
    events: Option<Duration>,
    messages: Option<Duration>,
    audit: Option<Duration>,
}

/// What a round did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Round {
    given_up: u64,
    deliveries: u64,
    events: u64,
    messages: u64,
    audit: u64,
    /// Logins and keys that are over.
    access: u64,
}

impl Housekeeping {
    pub(crate) fn new(parts: &Parts, settings: &Settings) -> Self {
        Self {
            database: parts.database.clone(),
            clock: parts.clock.clone(),
            every: settings.housekeeping_every,
            events: settings.events_retention,
            messages: settings.messages_retention,
            audit: settings.audit_retention,
        }
    }

    /// One round after the other, for ever.
    pub(crate) async fn run(self) {
        let mut pause = self.every / FIRST;
        loop {
            let jitter = rand::rng().random_range(0.8..1.2);
            sleep(pause.mul_f64(jitter)).await;
            pause = self.every;
            match self.round().await {
                Ok(round) if round == Round::default() => {}
                Ok(Round { given_up, deliveries, events, messages, audit, access }) => {
                    tracing::info!(
                        given_up,
                        deliveries,
                        events,
                        messages,
                        audit,
                        access,
                        "removed what is old"
                    );
                }
                Err(error) => tracing::warn!(%error, "cannot remove what is old; trying again later"),
            }
        }
    }

    async fn round(&self) -> Result<Round> {
        let mut round = Round::default();
        loop {
            let given_up = self.database.tidy_deliveries(BATCH).await?;
            round.given_up += given_up;
            if given_up < u64::from(BATCH) {
                break;
            }
            sleep(PAUSE).await;
        }
        let now = self.clock.now();
        if let Some(age) = self.events {
            let (young, dead) = (now - age, now - age * DEAD_TIMES);
            let mut deliveries = Sweep::from(0);
            while let Some(after) = deliveries.next.take() {
                deliveries.took(self.database.sweep_deliveries(after, young, dead, BATCH).await?).await;
            }
            let mut events = Sweep::from(None);
            while let Some(after) = events.next.take() {
                let Swept { removed, next } = self.database.sweep_events(after, young, BATCH).await?;
                events.took(Swept { removed, next: next.map(Some) }).await;
            }
            (round.deliveries, round.events) = (deliveries.removed, events.removed);
        }
        if let Some(age) = self.messages {
            let mut messages = Sweep::from(0);
            while let Some(after) = messages.next.take() {
                messages.took(self.database.sweep_messages(after, now - age, BATCH).await?).await;
            }
            round.messages = messages.removed;
        }
        if let Some(age) = self.audit {
            let mut audit = Sweep::from(());
            while let Some(()) = audit.next.take() {
                audit.took(self.database.sweep_audit(now - age, BATCH).await?).await;
            }
            round.audit = audit.removed;
        }
        self.database.tidy_endpoints().await?;
        round.access = self.database.tidy_access().await?;
        Ok(round)
    }
}

/// One batch of a table after the other.
struct Sweep<K> {
    /// Where the next batch begins; `None` when the table is through.
    next: Option<K>,
    removed: u64,
}

impl<K> Sweep<K> {
    const fn from(first: K) -> Self {
        Self { next: Some(first), removed: 0 }
    }

    /// Counts a batch, and pauses before the next.
    async fn took(&mut self, batch: Swept<K>) {
        self.removed += batch.removed;
        self.next = batch.next;
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sweep_goes_on_until_it_is_through() {
        let mut sweep = Sweep::from(0);
        while let Some(after) = sweep.next.take() {
            sweep.took(Swept { removed: 2, next: (after < 6).then_some(after + 2) }).await;
        }
        assert_eq!(sweep.removed, 8);
    }
}
