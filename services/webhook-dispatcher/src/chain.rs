//! The deliveries of one ordering key, sent one after the other.
//!
//! # Why settling may overlap the next attempt
//! The next delivery of a key begins when the attempt before it *ended*, while the outcome of that one is still
//! being committed. A crash in between cannot reorder what a receiver sees first:
//! - When it went on, the one before was answered with 2xx, was given up, or had used up the attempts in which
//!   others wait for it. The receiver had its first chance at it before the next one was sent.
//! - At most one outcome is outstanding, and it is committed before the next one is even queued. So no outcome is
//!   stored behind one that is not: after a crash both are still claimed, or only the later one, and they are sent
//!   again in their order and with their ids. The receiver may see one twice; it cannot see a new one too early.
//!   When an outcome cannot be stored at all, the chain ends there.
//! - When it did not go on, those behind are given back after the outcome is committed, or without it. Either way
//!   they are blocked: by one that is claimed, or by one that waits for its retry.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use domain::webhook::{ClaimedDelivery, Next, ORDERED_ATTEMPTS, Outcome, after_attempt};
use rand::RngExt as _;
use storage::{Database, Settlement};
use telemetry::{metrics, trace};
use tokio::{join, sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};
use webhooks::{Attempt, Sender};

use crate::lane::{Lane, Place};

/// What is kept free at the end of a claim, for settling.
pub(crate) const MARGIN: Duration = Duration::from_secs(5);

/// The longest pause between two tries to store an outcome.
const SETTLE_PAUSE: Duration = Duration::from_secs(1);

/// A claimed delivery, and the capacity that it takes up.
pub(crate) struct Held {
    pub delivery: ClaimedDelivery,
    pub _capacity: OwnedSemaphorePermit,
    /// None when there is no room for it in its lane: it goes back.
    pub _place: Option<Place>,
}

/// What all chains work with.
pub(crate) struct Workshop {
    pub database: Database,
    pub sender: Sender,
    pub timeout: Duration,
    pub stop: CancellationToken,
}

/// Deliveries of one key to one endpoint.
pub(crate) struct Chain {
    pub workshop: Arc<Workshop>,
    pub lane: Arc<Lane>,
    pub deliveries: VecDeque<Held>,
    /// When the claim ends.
    pub held_until: Instant,
}

/// An attempt that is over and not stored yet.
struct Unsettled {
    settlement: Settlement,
    /// Given up when it is stored.
    _held: Held,
}

impl Chain {
    /// Sends what it can. Returns what was not tried and must go back.
    pub(crate) async fn run(mut self) -> VecDeque<Held> {
        let mut unsettled: Option<Unsettled> = None;
        while let Some(held) = self.deliveries.pop_front() {
            let (settled, tried) = join!(self.settle(unsettled.take()), self.attempt(&held.delivery));
            let Some((attempt, span)) = tried else {
                self.deliveries.push_front(held);
                break;
            };
            let settlement = span.in_scope(|| decide(&held.delivery, attempt));
            drop(span);
            let go_on = settled && lets_others_pass(settlement.next, settlement.attempts);
            unsettled = Some(Unsettled { settlement, _held: held });
            if !go_on {
                break;
            }
        }
        self.settle(unsettled).await;
        self.deliveries
    }

    /// One attempt, when its turn comes; `None` when it should not be made now.
    async fn attempt(&self, delivery: &ClaimedDelivery) -> Option<(Attempt, Span)> {
        if self.workshop.stop.is_cancelled() {
            return None;
        }
        let _slot = self.lane.slot().await?;
        if self.workshop.stop.is_cancelled()
            || Instant::now() + self.workshop.timeout + MARGIN > self.held_until
        {
            return None;
        }
        let span = span(delivery);
        let attempt = self.workshop.sender.attempt(delivery).instrument(span.clone()).await;
        said(&span, &attempt);
        metrics().webhook_duration.record(attempt.took.as_secs_f64(), [class(attempt.status())]);
        self.lane.ended(attempt.took, attempt.status().is_some());
        Some((attempt, span))
    }

    /// Stores an outcome. Tries again as long as the delivery is ours; after that others send it again. `false`
    /// when it could not be stored.
    async fn settle(&self, unsettled: Option<Unsettled>) -> bool {
        let Some(Unsettled { settlement, _held }) = unsettled else { return true };
        loop {
            let Err(error) = self.workshop.database.settle_delivery(settlement.clone()).await else {
                return true;
            };
            let pause = SETTLE_PAUSE.mul_f64(rand::rng().random_range(0.5..1.0));
            let again = matches!(error, storage::Error::Unavailable(_) | storage::Error::Full(_))
                && !self.workshop.stop.is_cancelled()
                && Instant::now() + pause < self.held_until;
            tracing::warn!(
                %error, again, delivery.id = %settlement.delivery, attempt = settlement.attempts,
                "cannot store the outcome of a webhook attempt"
            );
            if !again {
                return false;
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Those behind it may go out: it is done with, or has held them up for long enough.
fn lets_others_pass(next: Next, attempts: i32) -> bool {
    match next {
        Next::Done | Next::Dead => true,
        Next::RetryAfter(_) => attempts >= ORDERED_ATTEMPTS,
        Next::DisableEndpoint => false,
    }
}

/// One attempt, in the trace that the event began in, however long ago that was.
fn span(delivery: &ClaimedDelivery) -> Span {
    let span = telemetry::span!(
        "client", "POST webhook", http.request.method = "POST", delivery.id = %delivery.id,
        event.id = %delivery.event, endpoint.id = %delivery.endpoint, attempt = delivery.attempts + 1
    );
    trace::follow(&span, delivery.traceparent.as_deref());
    span
}

fn said(span: &Span, attempt: &Attempt) {
    if let Some(status) = attempt.status() {
        trace::attribute(span, "http.response.status_code", i64::from(status));
    }
    match &attempt.outcome {
        Outcome::Delivered { .. } => {}
        Outcome::Refused { status, .. } => trace::failed(span, || status.to_string()),
        Outcome::Gone => trace::failed(span, || "gone".to_owned()),
        Outcome::Unreachable { .. } => trace::failed(span, || "no answer".to_owned()),
    }
}

/// What metrics call an answer.
const fn class(status: Option<u16>) -> &'static str {
    match status {
        None => "none",
        Some(..200) => "1xx",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..) => "5xx",
    }
}

fn count(delivery: &ClaimedDelivery, attempt: &Attempt, next: Next) {
    match next {
        Next::Done => {
            let lag = (attempt.at + attempt.took).since(delivery.event.made_at());
            metrics().webhook_lag.note(lag.as_secs_f64());
        }
        Next::Dead | Next::DisableEndpoint => metrics().webhooks_dead.one(),
        Next::RetryAfter(_) => {}
    }
}

fn decide(delivery: &ClaimedDelivery, attempt: Attempt) -> Settlement {
    let attempts = delivery.attempts.saturating_add(1);
    let since_replay = attempts.saturating_sub(delivery.earlier_attempts);
    let next = after_attempt(&attempt.outcome, since_replay, rand::rng().random());
    count(delivery, &attempt, next);
    let status = attempt.status();
    let duration_ms = u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
    if next == Next::Done {
        tracing::debug!(delivery.id = %delivery.id, event.id = %delivery.event, status, duration_ms, "webhook delivered");
    } else {
        tracing::warn!(
            delivery.id = %delivery.id, event.id = %delivery.event, endpoint.id = %delivery.endpoint,
            attempt = attempts, status, duration_ms, answer = attempt.answer, ?next, "webhook attempt failed"
        );
    }
    Settlement {
        delivery: delivery.id,
        endpoint: delivery.endpoint,
        attempts,
        at: attempt.at,
        duration: attempt.took,
        status,
        answer: attempt.answer,
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_holds_others_up_for_a_while_only() {
        let retry = Next::RetryAfter(Duration::from_secs(5));
        let table = [
            (Next::Done, 1, true),
            (Next::Dead, 11, true),
            (retry, 1, false),
            (retry, ORDERED_ATTEMPTS - 1, false),
            (retry, ORDERED_ATTEMPTS, true),
            (Next::DisableEndpoint, 5, false),
        ];
        for (next, attempts, expected) in table {
            assert_eq!(lets_others_pass(next, attempts), expected, "{next:?} {attempts}");
        }
    }
}
