//! How long to wait before the next connect.

use std::time::Duration;

/// A connection that lasted this long was a good one: the next failure is the first again. What WhatsApp Web does.
const STABLE: Duration = Duration::from_secs(30);

/// The least that jitter leaves of a delay; the most is one more.
const LEAST: f64 = 0.5;

/// How a connection ended, as far as the next one is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// WhatsApp restarted the stream, which it does on purpose.
    Restarted,
    /// It broke or could not be made.
    Failed,
    /// WhatsApp refused it for a reason that will not go away soon.
    Refused,
}

/// Delays that double with every failure up to a cap.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
    restarted: bool,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, failures: 0, restarted: false }
    }

    /// The delay before the next attempt, after a connection that was up for `up`. `random` lies in `0.0..1.0`.
    pub(crate) fn delay(&mut self, ended: Ended, up: Duration, random: f64) -> Duration {
        if up >= STABLE {
            self.failures = 0;
            self.restarted = false;
        }
        // A restart in a row of restarts is a failure in disguise.
        if ended == Ended::Restarted && !std::mem::replace(&mut self.restarted, true) {
            return Duration::ZERO;
        }
        if ended == Ended::Refused {
            return jittered(self.longest(), random);
        }
        let doubled = self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1).min(30);
        jittered(doubled.min(self.longest()), random)
    }

    /// What is the cap with all of its jitter: nobody waits longer, and those who wait longest are spread as the others.
    fn longest(&self) -> Duration {
        self.cap.div_f64(LEAST + 1.0)
    }
}

/// Between half of `delay` and one and a half of it.
fn jittered(delay: Duration, random: f64) -> Duration {
    delay.mul_f64(LEAST + random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, ended: Ended, up: u64) -> f64 {
        backoff.delay(ended, Duration::from_secs(up), 0.5).as_secs_f64()
    }

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_mins(1))
    }

    #[test]
    fn delays_double_up_to_the_cap_for_ever() {
        let mut backoff = backoff();
        let delays: Vec<_> = (0..40).map(|_| seconds(&mut backoff, Ended::Failed, 0)).collect();
        assert_eq!(&delays[..8], [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 40.0, 40.0]);
        assert!(delays[8..].iter().all(|delay| (*delay - 40.0).abs() < f64::EPSILON));
    }

    #[test]
    fn nobody_waits_longer_than_the_cap() {
        let mut backoff = backoff();
        for ended in [Ended::Failed, Ended::Refused] {
            let longest = (0..10).map(|_| backoff.delay(ended, Duration::ZERO, 1.0)).max();
            assert_eq!(longest, Some(Duration::from_mins(1)), "{ended:?}");
        }
    }

    #[test]
    fn a_connection_that_lasted_starts_anew() {
        let mut backoff = backoff();
        for _ in 0..5 {
            seconds(&mut backoff, Ended::Failed, 29);
        }
        assert!((seconds(&mut backoff, Ended::Failed, 30) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn one_restart_is_free_a_row_of_them_is_not() {
        let mut backoff = backoff();
        let row: Vec<_> = (0..3).map(|_| seconds(&mut backoff, Ended::Restarted, 1)).collect();
        assert_eq!(row, [0.0, 1.0, 2.0]);
        assert!(seconds(&mut backoff, Ended::Restarted, 60) < f64::EPSILON);
    }

    #[test]
    fn a_refusal_waits_the_longest() {
        assert!((seconds(&mut backoff(), Ended::Refused, 0) - 40.0).abs() < f64::EPSILON);
    }

    #[test]
    fn jitter_is_half_of_it_either_way() {
        assert_eq!(jittered(Duration::from_secs(10), 0.0), Duration::from_secs(5));
        assert!(jittered(Duration::from_secs(10), 0.999) < Duration::from_secs(15));
    }
}
