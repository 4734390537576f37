//! How much went through a session, and how long WhatsApp took.

use crate::Timestamp;

/// Upper bounds of the classes that latencies are counted in, in milliseconds; what took longer has a class of its own.
pub const LATENCY_BOUNDS: [i64; 24] = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 350, 500, 750, 1_000, 1_500, 2_000, 3_500, 5_000, 10_000, 20_000,
    60_000, 300_000, 900_000, 3_600_000, 86_400_000,
];

/// Latencies, counted by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latencies([u64; LATENCY_BOUNDS.len() + 1]);

impl Latencies {
    /// Counts `many` latencies of a class: the number of bounds that they reach or pass.
    pub fn add(&mut self, class: usize, many: u64) {
        let last = self.0.len() - 1;
        self.0[class.min(last)] += many;
    }

    /// Counts what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// The latency, in milliseconds, that this part of them (in hundredths) does not exceed; within a class they are
    /// taken to be spread evenly. `None` when there are none.
    #[must_use]
    pub fn percentile(&self, hundredths: u64) -> Option<u64> {
        let total: u64 = self.0.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = (total * hundredths.min(100)).div_ceil(100).max(1);
        let mut before = 0;
        for (class, &count) in self.0.iter().enumerate() {
            if before + count >= rank {
                let bound = |class: usize| LATENCY_BOUNDS.get(class).map_or(0, |ms| ms.unsigned_abs());
                let low = class.checked_sub(1).map_or(0, bound);
                let high = LATENCY_BOUNDS.get(class).map_or(low, |ms| ms.unsigned_abs());
                return Some(low + (high - low) * (rank - before) / count);
            }
            before += count;
        }
        None
    }
}

/// What went through a session in one stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The beginning of the stretch.
    pub at: Timestamp,
    /// Messages accepted in it that WhatsApp has.
    pub sent: u64,
    /// Messages that came in.
    pub received: u64,
    /// Messages accepted in it that failed.
    pub failed: u64,
    /// From a message's acceptance until WhatsApp had it.
    pub latencies: Latencies,
}

/// What went through a session lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Messages that were accepted to be sent.
    pub sent: u64,
    /// Messages that came in.
    pub received: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(classes: &[(usize, u64)]) -> Latencies {
        let mut latencies = Latencies::default();
        for (class, many) in classes {
            latencies.add(*class, *many);
        }
        latencies
    }

    #[test]
    fn percentiles_lie_within_their_class() {
        type Case = (&'static [(usize, u64)], u64, Option<u64>);
        let table: [Case; 9] = [
            (&[], 50, None),
            (&[(0, 1)], 50, Some(5)),
            (&[(1, 1)], 99, Some(10)),
            (&[(1, 100)], 50, Some(7)),
            (&[(6, 50), (9, 50)], 50, Some(100)),
            (&[(6, 50), (9, 50)], 99, Some(347)),
            (&[(6, 99), (16, 1)], 99, Some(100)),
            (&[(6, 99), (16, 1)], 100, Some(5_000)),
            (&[(99, 3)], 50, Some(86_400_000)),
        ];
        for (classes, hundredths, expected) in table {
            assert_eq!(latencies(classes).percentile(hundredths), expected, "{classes:?} {hundredths}");
        }
        let mut all = latencies(&[(0, 2)]);
        all.merge(&latencies(&[(0, 1), (3, 4)]));
        assert_eq!(all, latencies(&[(0, 3), (3, 4)]));
    }
}
