//! Spreads connects out, so that a restart of many sessions is no storm for WhatsApp or the database.
//!
//! When attempts fail one after the other, whosever they are, the trouble is not any session's own: then the whole
//! process slows down until one succeeds.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};

/// So many failed attempts in a row are no coincidence.
const MANY_FAILURES: u32 = 20;

/// The least time between two turns while nothing succeeds.
const SLOWED: Duration = Duration::from_millis(200);

/// Hands out turns at a steady rate.
pub struct Pace {
    /// Between two turns; zero for no limit.
    gap: Duration,
    next: Mutex<Instant>,
    /// Attempts that have failed since the last that did not.
    failures: AtomicU32,
}

impl Pace {
    /// So many turns per second; 0 for no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let gap = if per_second == 0 { Duration::ZERO } else { Duration::from_secs(1) / per_second };
        Self { gap, next: Mutex::new(Instant::now()), failures: AtomicU32::new(0) }
    }

    fn gap(&self) -> Duration {
        let failing = self.failures.load(Ordering::Relaxed) >= MANY_FAILURES;
        if failing { self.gap.max(SLOWED) } else { self.gap }
    }
}

#[async_trait]
impl whatsapp::Pace for Pace {
    /// Waits for a turn. A caller that goes away gives its turn to nobody: the rate is a limit, not a promise.
    async fn turn(&self) {
        let gap = self.gap();
        if gap.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + gap;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }

    fn failed(&self) {
        // It stays at the top instead of starting anew.
        let more = |failures: u32| failures.checked_add(1);
        let before = self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if before == Ok(MANY_FAILURES - 1) {
            tracing::warn!("connects fail one after the other: slowing down until one succeeds");
        }
    }

    fn succeeded(&self) {
        if self.failures.swap(0, Ordering::Relaxed) >= MANY_FAILURES {
            tracing::info!("connects succeed again");
        }
    }
}

#[cfg(test)]
mod tests {
    use whatsapp::Pace as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_at_the_rate() {
        let pace = Pace::new(10);
        let start = Instant::now();
        for _ in 0..11 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed().as_millis().div_euclid(100), 10);
        Pace::new(0).turn().await;
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_slow_everybody_down_until_one_succeeds() {
        let pace = Pace::new(0);
        for _ in 0..MANY_FAILURES {
            pace.failed();
        }
        let start = Instant::now();
        for _ in 0..6 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed(), 5 * SLOWED);
        pace.succeeded();
        // Turns that are given out already stand; from then on there is no limit.
        pace.turn().await;
        assert_eq!(start.elapsed(), 5 * SLOWED);
    }
}
