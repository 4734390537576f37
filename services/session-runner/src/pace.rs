//! Spreads connects out, so that a restart of many sessions is no storm for WhatsApp or the database.

use std::time::Duration;

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};

/// Hands out turns at a steady rate.
pub struct Pace {
    /// Between two turns; zero for no limit.
    gap: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many turns per second; 0 for no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let gap = if per_second == 0 { Duration::ZERO } else { Duration::from_secs(1) / per_second };
        Self { gap, next: Mutex::new(Instant::now()) }
    }
}

#[async_trait]
impl whatsapp::Pace for Pace {
    /// Waits for a turn. A caller that goes away gives its turn to nobody: the rate is a limit, not a promise.
    async fn turn(&self) {
        if self.gap.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + self.gap;
            turn
        };
        tokio::time::sleep_until(turn).await;
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
}
