//! What came in, on its way into storage: WhatsApp hears that it arrived only after the commit.

use std::sync::Arc;

use async_trait::async_trait;
use bus::Bus;
use domain::{Fence, SharedClock, Timestamp, UserId, detail::KnownPoll, event::InboundMessage};
use storage::Database;
use telemetry::metrics;
use tokio::sync::Notify;
use tracing::Instrument as _;

use super::announce;
use crate::Parts;

/// The inbox of one session under one claim.
pub(crate) struct SessionInbox {
    database: Database,
    bus: Bus,
    fence: Fence,
    user: UserId,
    /// Told of messages with files.
    files: Arc<Notify>,
    clock: SharedClock,
}

/// When messages were sent that came at once, not from the offline queue.
fn live_times(messages: &[InboundMessage]) -> Vec<Timestamp> {
    messages.iter().filter(|message| !message.replayed).map(|message| message.sent_at).collect()
}

impl SessionInbox {
    pub(crate) fn new(parts: &Parts, fence: Fence, user: UserId, files: Arc<Notify>) -> Self {
        Self {
            database: parts.database.clone(),
            bus: parts.bus.clone(),
            fence,
            user,
            files,
            clock: Arc::clone(&parts.clock),
        }
    }

    /// Counts what is stored now: `new` of `all` that came, of which those with `times` came at once.
    fn count(&self, new: usize, all: usize, times: &[Timestamp]) {
        let metrics = metrics();
        // What is known already came again: then none of them counts as one that came at once.
        let times = if new == all { times } else { &[] };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for (replayed, count) in [("false", times.len()), ("true", new.saturating_sub(times.len()))] {
            if count > 0 {
                metrics.messages_received.add(number(count), [replayed]);
            }
        }
        let now = self.clock.now();
        for sent_at in times {
            metrics.inbound_lag.note(now.since(*sent_at).as_secs_f64());
        }
    }
}

#[async_trait]
impl whatsapp::Inbox for SessionInbox {
    async fn commit(&self, messages: Vec<InboundMessage>) -> Result<(), storage::Error> {
        let (all, times) = (messages.len(), live_times(&messages));
        let span = telemetry::span!("internal", "commit messages", session.id = %self.fence.session);
        let committed = self
            .database
            .commit_inbound(self.fence, messages)
            .instrument(span)
            .await
            .inspect_err(|_| metrics().inbound_failures.one())?;
        self.count(committed.new, all, &times);
        if committed.media > 0 {
            self.files.notify_one();
        }
        if committed.deliveries > 0 {
            announce::deliveries_due(&self.bus);
        }
        if committed.new > 0 {
            announce::events_stored(&self.bus, self.user);
        }
        Ok(())
    }

    async fn poll(&self, message_id: &str) -> Result<Option<KnownPoll>, storage::Error> {
        self.database.poll(self.fence.session, message_id).await
    }
}
