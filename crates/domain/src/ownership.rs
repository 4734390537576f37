//! Which runner holds which session: the arithmetic of it.

/// A runner, as far as shares are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder<'a> {
    /// The version of its software.
    pub version: &'a str,
    /// The most sessions it can hold.
    pub capacity: u64,
    /// The sessions it holds.
    pub sessions: u64,
}

/// How many sessions a runner may hold: its fair part of all of them and a tenth more, but never more than it has
/// room for. What others have no room for is shared by those that have. `accepting` are the runners that take
/// sessions, itself among them.
#[must_use]
pub fn fair_share(sessions: u64, accepting: &[Holder<'_>], capacity: u64) -> u64 {
    let mut capacities: Vec<u64> = accepting.iter().map(|holder| holder.capacity).collect();
    capacities.sort_unstable();
    let (mut left, mut share) = (sessions, 0);
    let mut sharers = u64::try_from(capacities.len()).unwrap_or(u64::MAX).max(1);
    for room in &capacities {
        share = left.div_ceil(sharers);
        if share <= *room {
            break;
        }
        left -= room;
        sharers -= 1;
    }
    if capacities.is_empty() {
        share = sessions;
    }
    (share + share.div_ceil(10)).min(capacity)
}

/// How many free sessions a runner takes now: up to its fair share, a batch at a time.
#[must_use]
pub fn claim_size(held: u64, fair_share: u64, free: u64, batch: u64) -> u64 {
    fair_share.saturating_sub(held).min(free).min(batch)
}

/// How many more sessions `accepting` runners may hold in all.
#[must_use]
pub fn room(sessions: u64, accepting: &[Holder<'_>], which: impl Fn(&Holder<'_>) -> bool) -> u64 {
    let room = |holder: &Holder<'_>| {
        fair_share(sessions, accepting, holder.capacity).saturating_sub(holder.sessions)
    };
    accepting.iter().filter(|holder| which(holder)).map(room).sum()
}

/// Whether version `one` is newer than `other`: by the numbers in front of what else it says.
#[must_use]
pub fn newer(one: &str, other: &str) -> bool {
    numbers(one) > numbers(other)
}

fn numbers(version: &str) -> Vec<u64> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    core.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holders(capacities: &[u64]) -> Vec<Holder<'static>> {
        capacities.iter().map(|capacity| Holder { version: "1", capacity: *capacity, sessions: 0 }).collect()
    }

    #[test]
    fn shares_are_fair_within_a_tenth_and_capacity() {
        let table: [(u64, &[u64], u64, u64); 9] = [
            (0, &[100], 100, 0),
            (1, &[100], 100, 2),
            (100, &[1000], 1000, 110),
            (100, &[1000; 4], 1000, 28),
            (10_000, &[2000; 3], 2000, 2000),
            (10, &[], 100, 11),
            // A small one leaves its part to the others.
            (9000, &[100, 5000, 5000], 5000, 4895),
            (9000, &[100, 5000, 5000], 100, 100),
            (20_000, &[100, 5000, 5000], 5000, 5000),
        ];
        for (sessions, capacities, capacity, share) in table {
            let found = fair_share(sessions, &holders(capacities), capacity);
            assert_eq!(found, share, "{sessions} on {capacities:?}");
        }
    }

    #[test]
    fn together_the_shares_hold_everything_that_there_is_room_for() {
        for capacities in [&[1_u64, 2, 3][..], &[7], &[100, 1, 50, 2], &[5, 5, 5]] {
            let all: u64 = capacities.iter().sum();
            for sessions in 0..=all {
                let holders = holders(capacities);
                let shares: u64 =
                    capacities.iter().map(|capacity| fair_share(sessions, &holders, *capacity)).sum();
                assert!(shares >= sessions, "{sessions} on {capacities:?}: {shares}");
            }
        }
    }

    #[test]
    fn a_claim_stops_at_the_share() {
        assert_eq!(claim_size(0, 100, 1000, 50), 50);
        assert_eq!(claim_size(90, 100, 1000, 50), 10);
        assert_eq!(claim_size(120, 100, 1000, 50), 0);
        assert_eq!(claim_size(0, 100, 3, 50), 3);
    }

    #[test]
    fn room_is_what_is_left_of_shares() {
        let accepting = [
            Holder { version: "1.2.0", capacity: 1000, sessions: 40 },
            Holder { version: "1.10.0", capacity: 1000, sessions: 0 },
        ];
        assert_eq!(room(100, &accepting, |_| true), 15 + 55);
        assert_eq!(room(100, &accepting, |holder| newer(holder.version, "1.2.0")), 55);
        assert_eq!(room(100, &accepting, |holder| newer(holder.version, "1.10.0")), 0);
    }

    #[test]
    fn versions_are_compared_by_number() {
        for (one, other, is_newer) in [
            ("0.2.0", "0.1.9", true),
            ("0.10.0", "0.9.0", true),
            ("1.0.0", "1.0.0", false),
            ("1.0.0-rc.1", "1.0.0", false),
            ("1.0.1+build", "1.0.0", true),
            ("odd", "0.1.0", false),
            ("0.1.0", "0.2.0", false),
        ] {
            assert_eq!(newer(one, other), is_newer, "{one} {other}");
        }
    }
}
