//! How many runners there should be. More at once, fewer only when fewer would have been enough for a while, and one
//! at a time: sessions that move are off line for a second, sessions without a runner for good.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub min: u32,
    pub max: u32,
    /// Runners beyond what the sessions need, for when one dies.
    pub spare: u32,
    /// Sessions that one runner holds; at least 1.
    pub capacity: u32,
    /// For how long fewer must have been enough.
    pub stabilisation: Duration,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Sessions that somebody should hold.
    pub sessions: u64,
    /// Runners that there should be by now.
    pub replicas: u32,
    /// Pods of the Deployment, those of a rollout under way among them.
    pub pods: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Stay,
    Grow { to: u32 },
    Shrink { to: u32 },
}

/// Remembers what was needed.
#[derive(Debug)]
pub(crate) struct Scaler {
    limits: Limits,
    since: Instant,
    /// What was needed when, within the window.
    past: VecDeque<(Instant, u32)>,
}

impl Limits {
    /// Runners for so many sessions, whatever is allowed.
    fn wanted(&self, sessions: u64) -> u64 {
        sessions.div_ceil(u64::from(self.capacity.max(1))) + u64::from(self.spare)
    }

    /// Runners for so many sessions.
    fn needed(&self, sessions: u64) -> u32 {
        let wanted = u32::try_from(self.wanted(sessions)).unwrap_or(u32::MAX);
        wanted.min(self.max).max(self.min)
    }
}

impl Scaler {
    pub(crate) const fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, since: now, past: VecDeque::new() }
    }

    /// As many runners as are allowed cannot hold these sessions.
    pub(crate) fn falls_short(&self, sessions: u64) -> bool {
        sessions.div_ceil(u64::from(self.limits.capacity.max(1))) > u64::from(self.limits.max)
    }

    pub(crate) fn decide(&mut self, seen: Seen, now: Instant) -> Decision {
        let window = self.limits.stabilisation;
        let needed = self.limits.needed(seen.sessions);
        self.past.push_back((now, needed));
        while self.past.front().is_some_and(|(at, _)| now.duration_since(*at) > window) {
            self.past.pop_front();
        }
        let most = self.past.iter().map(|(_, needed)| *needed).max().unwrap_or(needed);
        if seen.replicas == 0 {
            // An operator has stopped them all.
            Decision::Stay
        } else if needed > seen.replicas {
            Decision::Grow { to: needed }
        } else if most < seen.replicas
            && seen.pods == seen.replicas
            && now.duration_since(self.since) >= window
        {
            Decision::Shrink { to: seen.replicas - 1 }
        } else {
            Decision::Stay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { min: 2, max: 10, spare: 1, capacity: 100, stabilisation: Duration::from_mins(5) };

    #[test]
    fn what_is_needed_follows_sessions_within_the_limits() {
        let table = [
            (0, 2),
            (1, 2),
            (100, 2),
            (101, 3),
            (200, 3),
            (201, 4),
            (900, 10),
            (901, 10),
            (5_000_000_000, 10),
            (u64::MAX, 10),
        ];
        for (sessions, needed) in table {
            assert_eq!(LIMITS.needed(sessions), needed, "{sessions}");
        }
        let scaler = Scaler::new(LIMITS, Instant::now());
        assert_eq!([1000, 1001].map(|sessions| scaler.falls_short(sessions)), [false, true]);
    }

    #[test]
    fn more_come_at_once_and_fewer_one_by_one_after_a_while() {
        use Decision::{Grow, Shrink, Stay};
        let start = Instant::now();
        let mut scaler = Scaler::new(LIMITS, start);
        // Seconds, sessions, replicas, pods.
        let table = [
            (0, 250, 2, 2, Grow { to: 4 }),
            (15, 250, 4, 2, Stay),
            (30, 700, 4, 4, Grow { to: 8 }),
            // Not yet: eight were needed a moment ago.
            (45, 100, 8, 8, Stay),
            (330, 100, 8, 8, Stay),
            (331, 100, 8, 8, Shrink { to: 7 }),
            (346, 100, 7, 7, Shrink { to: 6 }),
            // A rollout is under way.
            (361, 100, 6, 7, Stay),
            (376, 100, 6, 6, Shrink { to: 5 }),
            // Sessions come back: the way down ends, and begins anew after the window.
            (391, 500, 5, 5, Grow { to: 6 }),
            (406, 100, 6, 6, Stay),
            (692, 100, 6, 6, Shrink { to: 5 }),
            (707, 0, 2, 2, Stay),
            // Beyond the limits by somebody's hand.
            (722, 0, 1, 1, Grow { to: 2 }),
            (737, 0, 0, 0, Stay),
        ];
        for (seconds, sessions, replicas, pods, expected) in table {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(scaler.decide(Seen { sessions, replicas, pods }, now), expected, "at {seconds} s");
        }
    }

    #[test]
    fn who_has_just_begun_to_lead_shrinks_nothing() {
        let start = Instant::now();
        let mut scaler = Scaler::new(LIMITS, start);
        let seen = Seen { sessions: 0, replicas: 9, pods: 9 };
        for seconds in [0, 100, 299] {
            assert_eq!(scaler.decide(seen, start + Duration::from_secs(seconds)), Decision::Stay);
        }
        assert_eq!(scaler.decide(seen, start + Duration::from_mins(5)), Decision::Shrink { to: 8 });
    }
}
