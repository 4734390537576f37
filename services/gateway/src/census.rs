//! Reads from the database what one process reports for all: of the processes that could, one holds the census, and the
//! others do not ask. When it dies, another takes over within half a minute.

use std::time::Duration;

use domain::{ProcessId, SharedClock, session::SessionState};
use storage::{Census, Database};
use telemetry::metrics;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often it is read.
const EVERY: Duration = Duration::from_secs(10);

/// How long the holder may be silent.
const HOLD: Duration = Duration::from_secs(25);

/// The longest that one reading may take.
const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Counting {
    pub database: Database,
    pub clock: SharedClock,
}

impl Counting {
    /// Counts until `stop`, as long as nobody else does.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let own = ProcessId::new();
        stop.run_until_cancelled(self.keep_counting(own)).await;
        metrics().clear_census();
        if let Err(error) = self.database.release_census(own).await {
            tracing::debug!(%error, "the census stays taken until it runs out");
        }
    }

    async fn keep_counting(&self, own: ProcessId) {
        loop {
            match tokio::time::timeout(DEADLINE, self.count(own)).await {
                Ok(Ok(())) => {}
                // What was read before stays, with its time beside it: rules see that it grows old.
                Ok(Err(error)) => tracing::warn!(%error, "cannot count what the metrics report"),
                Err(_) => tracing::warn!("counting what the metrics report takes too long"),
            }
            sleep(EVERY).await;
        }
    }

    async fn count(&self, own: ProcessId) -> storage::Result<()> {
        if !self.database.claim_census(own, HOLD).await? {
            metrics().clear_census();
            return Ok(());
        }
        let began = Instant::now();
        let census = self.database.census().await?;
        report(&census);
        metrics().census_duration.is(began.elapsed().as_secs_f64());
        metrics().census_time.is(seconds(self.clock.now().0));
        Ok(())
    }
}

fn report(census: &Census) {
    let metrics = metrics();
    let of_state = |state: &SessionState| census.sessions.get(state).copied().unwrap_or(0);
    metrics.sessions.set(SessionState::ALL.iter().map(|state| ([state.as_str()], number(of_state(state)))));
    metrics.sessions_expected.is(number(census.expected));
    metrics.sessions_connected.is(number(census.connected));
    metrics.sessions_needing_person.is(number(census.needing_person));
    metrics.sessions_unclaimed.is(number(census.unclaimed));
    metrics
        .runners
        .set([(["true"], number(census.runners_accepting)), (["false"], number(census.runners_leaving))]);
    metrics.runners_capacity.is(number(census.capacity));
    let queues = [("true", census.outbound_online), ("false", census.outbound_offline)];
    metrics.outbound_queued.set(queues.map(|(online, queue)| ([online], number(queue.waiting))));
    metrics.outbound_oldest.set(queues.map(|(online, queue)| ([online], seconds(queue.oldest_ms))));
    metrics.deliveries_due.is(number(census.deliveries_due.waiting));
    metrics.deliveries_oldest_due.is(seconds(census.deliveries_due.oldest_ms));
    metrics.deliveries_scheduled.is(number(census.deliveries_scheduled));
    metrics.deliveries_claimed.is(number(census.deliveries_claimed));
    metrics.deliveries_dead.is(number(census.deliveries_dead));
    metrics.media_pending.is(number(census.media_pending));
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
const fn number(count: i64) -> f64 {
    count as f64
}

fn seconds(milliseconds: i64) -> f64 {
    number(milliseconds) / 1000.0
}
