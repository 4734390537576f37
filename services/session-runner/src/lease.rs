//! A runner's lease, and a session's share in it.
//!
//! The lease protects WhatsApp's side: two processes must not be on line for one session. It is counted from the
//! moment a renewal *began*, on a clock that cannot be set and that goes on while the process is frozen or the machine
//! asleep, so whoever was away knows that it is too late before it does anything. The fencing token protects the data,
//! should this fail.

use std::{
    sync::Arc,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::RunnerId;
use storage::Database;
use telemetry::metrics;
use tokio_util::sync::CancellationToken;

/// A time on the clock of the lease: since the machine was started, its sleep included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    /// Linux's monotonic clock, which `Instant` reads, stands still while the machine sleeps.
    #[cfg(target_os = "linux")]
    fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self(Duration::try_from(now).unwrap_or_default())
    }

    #[cfg(not(target_os = "linux"))]
    fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Self(Duration::try_from(now).unwrap_or_default())
    }

    fn plus(self, span: Duration) -> Self {
        Self(self.0 + span)
    }

    fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Whether this runner may act.
pub(crate) struct RunnerLease {
    runner: RunnerId,
    fence: Duration,
    good_until: Mutex<Moment>,
    given_up: AtomicBool,
}

impl RunnerLease {
    /// A lease that begins now: call it before the registration, so that it ends no later than the row's.
    pub(crate) fn begin(runner: RunnerId, fence: Duration) -> Self {
        Self {
            runner,
            fence,
            good_until: Mutex::new(Moment::now().plus(fence)),
            given_up: AtomicBool::new(false),
        }
    }

    pub(crate) const fn runner(&self) -> RunnerId {
        self.runner
    }

    /// Whether it may act at this very moment.
    pub(crate) fn held(&self) -> bool {
        !self.given_up.load(Ordering::Acquire) && Moment::now() < self.good_until()
    }

    /// Renews the lease until that fails for too long; then it is lost for good.
    pub(crate) async fn keep(&self, database: &Database, lease: Duration, renew: Duration) {
        loop {
            let began = Moment::now();
            let left = self.good_until().since(began);
            let renewed = tokio::time::timeout(left, database.renew_runner(self.runner, lease)).await;
            metrics().runner_lease_renewal.note(Moment::now().since(began).as_secs_f64());
            match renewed {
                Ok(Ok(true)) => self.extend(began),
                Ok(Ok(false)) => {
                    tracing::warn!(runner.id = %self.runner, "this runner was declared dead");
                    break;
                }
                Ok(Err(error)) => {
                    tracing::warn!(runner.id = %self.runner, %error, "the lease was not renewed");
                }
                Err(_) => tracing::warn!(runner.id = %self.runner, "the lease was not renewed in time"),
            }
            if !self.held() {
                break;
            }
            tokio::time::sleep(renew.saturating_sub(Moment::now().since(began))).await;
        }
        metrics().runner_lease_losses.one();
        self.given_up.store(true, Ordering::Release);
    }

    fn good_until(&self) -> Moment {
        *self.good_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, began: Moment) {
        *self.good_until.lock().unwrap_or_else(PoisonError::into_inner) = began.plus(self.fence);
    }
}

/// Whether this process may still act for one session.
pub(crate) struct SessionLease {
    runner: Arc<RunnerLease>,
    lost: CancellationToken,
}

impl SessionLease {
    /// A share in the lease of `runner`; lost with `cut`, which ends every session of it.
    pub(crate) fn new(runner: Arc<RunnerLease>, cut: &CancellationToken) -> Self {
        Self { runner, lost: cut.child_token() }
    }

    /// Resolves once the session has been lost.
    pub(crate) fn lost_signal(&self) -> CancellationToken {
        self.lost.clone()
    }
}

impl whatsapp::Lease for SessionLease {
    fn held(&self) -> bool {
        !self.lost.is_cancelled() && self.runner.held()
    }

    fn lost(&self) {
        if !self.lost.is_cancelled() {
            metrics().session_lease_losses.one();
        }
        self.lost.cancel();
    }
}

#[cfg(test)]
mod tests {
    use whatsapp::Lease as _;

    use super::*;

    #[test]
    fn a_lease_that_is_not_renewed_ends_by_itself() {
        let lease = RunnerLease::begin(RunnerId::new(), Duration::ZERO);
        assert!(!lease.held());
        lease.extend(Moment::now().plus(Duration::from_mins(1)));
        assert!(lease.held());
        lease.given_up.store(true, Ordering::Release);
        assert!(!lease.held(), "a lease that was given up does not come back");
    }

    #[test]
    fn a_session_is_lost_alone_or_with_its_runner() {
        let runner = Arc::new(RunnerLease::begin(RunnerId::new(), Duration::from_mins(1)));
        let cut = CancellationToken::new();
        let (one, other) =
            (SessionLease::new(Arc::clone(&runner), &cut), SessionLease::new(Arc::clone(&runner), &cut));
        one.lost();
        assert!(!one.held() && other.held() && one.lost_signal().is_cancelled());
        runner.given_up.store(true, Ordering::Release);
        assert!(!other.held());
        cut.cancel();
        assert!(other.lost_signal().is_cancelled());
    }
}
