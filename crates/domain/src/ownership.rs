//! Which runner holds which session: the arithmetic of it.

/// How many sessions a runner may hold: its fair part of all of them and a tenth more, but never more than it
/// has room for.
#[must_use]
pub fn fair_share(sessions: u64, accepting_runners: u64, capacity: u64) -> u64 {
    let share = sessions.div_ceil(accepting_runners.max(1));
    (share + share.div_ceil(10)).min(capacity)
}

/// How many free sessions a runner takes now: up to its fair share, a batch at a time.
#[must_use]
pub fn claim_size(held: u64, fair_share: u64, free: u64, batch: u64) -> u64 {
    fair_share.saturating_sub(held).min(free).min(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_fair_within_a_tenth_and_capacity() {
        let table = [
            (0, 1, 100, 0),
            (1, 1, 100, 2),
            (100, 1, 1000, 110),
            (100, 4, 1000, 28),
            (10_000, 3, 2000, 2000),
            (10, 0, 100, 11),
        ];
        for (sessions, runners, capacity, share) in table {
            assert_eq!(fair_share(sessions, runners, capacity), share, "{sessions} on {runners}");
        }
    }

    #[test]
    fn a_claim_stops_at_the_share() {
        assert_eq!(claim_size(0, 100, 1000, 50), 50);
        assert_eq!(claim_size(90, 100, 1000, 50), 10);
        assert_eq!(claim_size(120, 100, 1000, 50), 0);
        assert_eq!(claim_size(0, 100, 3, 50), 3);
    }
}
