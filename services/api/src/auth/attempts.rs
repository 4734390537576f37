//! Limits on failed logins, per address and per name. Only failures count, so many users behind one address do
//! not disturb each other; while a key is over its limit, its attempts are refused without looking at the
//! password. A name's limit does not lock out an address from which that name logged in before.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use moka::sync::Cache;
use secrets::KeyedHash;

use super::Peer;

/// How many logins may fail before a caller must wait.
#[derive(Debug, Clone)]
pub struct LoginLimits {
    /// From one address (of IPv6, one /64) within the window.
    pub per_address: NonZeroU32,
    /// To one name within the window.
    pub per_name: NonZeroU32,
    /// The time in which a spent allowance is whole again.
    pub window: Duration,
}

impl Default for LoginLimits {
    fn default() -> Self {
        let (per_address, per_name) = (NonZeroU32::MIN.saturating_add(29), NonZeroU32::MIN.saturating_add(9));
        Self { per_address, per_name, window: Duration::from_mins(5) }
    }
}

/// What failures are counted by: a hash of an address or a name, so that long names take no room.
type Key = [u8; 32];

/// Keys that are remembered, at most.
const MANY_KEYS: u64 = 100_000;

/// How long an address is remembered as one from which a name logged in.
const FAMILIAR: Duration = Duration::from_hours(24);

/// After so many failures, counters that are back at nothing are dropped.
const SWEEP_EVERY: u32 = 1024;

pub(super) struct Attempts {
    keyed: KeyedHash,
    addresses: DefaultKeyedRateLimiter<Key>,
    names: DefaultKeyedRateLimiter<Key>,
    /// Until when the attempts of a key are refused.
    refused: Cache<Key, Instant>,
    /// Addresses from which a name logged in.
    familiar: Cache<Key, ()>,
    failures: AtomicU32,
}

/// Whose attempt it is.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    address: Option<Key>,
    name: Option<Key>,
    both: Key,
}

impl Attempts {
    pub(super) fn new(limits: &LoginLimits, keyed: KeyedHash) -> Self {
        let limiter = |most: NonZeroU32| {
            let step = (limits.window / most.get()).max(Duration::from_millis(1));
            let quota = Quota::with_period(step).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
            RateLimiter::keyed(quota.allow_burst(most))
        };
        let longest = limits.window.max(Duration::from_secs(1));
        Self {
            keyed,
            addresses: limiter(limits.per_address),
            names: limiter(limits.per_name),
            refused: Cache::builder().max_capacity(MANY_KEYS).time_to_live(longest).build(),
            familiar: Cache::builder().max_capacity(MANY_KEYS).time_to_live(FAMILIAR).build(),
            failures: AtomicU32::new(0),
        }
    }

    pub(super) fn attempt(&self, peer: Option<Peer>, name: &str) -> Attempt {
        let address = peer.map(network);
        let part = address.unwrap_or_default();
        Attempt {
            address: address.map(|address| self.keyed.hash(&[b"address", &address])),
            name: Some(self.keyed.hash(&[b"name", name.as_bytes()])),
            both: self.keyed.hash(&[b"both", &part, name.as_bytes()]),
        }
    }

    /// An attempt that gives no name.
    pub(super) fn by_address(&self, peer: Option<Peer>) -> Attempt {
        Attempt { name: None, ..self.attempt(peer, "") }
    }

    /// How long the caller has to wait before it may try, if it has to.
    pub(super) fn wait(&self, attempt: &Attempt) -> Option<Duration> {
        let name = attempt.name.filter(|_| !self.familiar.contains_key(&attempt.both));
        [attempt.address, name]
            .into_iter()
            .flatten()
            .filter_map(|key| self.refused.get(&key)?.checked_duration_since(Instant::now()))
            .max()
    }

    /// Notes a failure; returns how long to wait when it was one too many.
    pub(super) fn failed(&self, attempt: &Attempt) -> Option<Duration> {
        if self.failures.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.addresses.retain_recent();
            self.names.retain_recent();
        }
        if let Some(address) = attempt.address {
            self.count(&self.addresses, address);
        }
        if let Some(name) = attempt.name {
            self.count(&self.names, name);
        }
        self.wait(attempt)
    }

    pub(super) fn succeeded(&self, attempt: &Attempt) {
        if attempt.address.is_some() {
            self.familiar.insert(attempt.both, ());
        }
    }

    fn count(&self, limiter: &DefaultKeyedRateLimiter<Key>, key: Key) {
        if let Err(refused) = limiter.check_key(&key) {
            let pause = refused.wait_time_from(DefaultClock::default().now());
            self.refused.insert(key, Instant::now() + pause);
        }
    }
}

/// The part of an address that one customer has for itself.
fn network(Peer(address): Peer) -> [u8; 8] {
    let octets = match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => return first_half(address.octets()),
    };
    let mut key = [0; 8];
    key.copy_from_slice(&octets[8..]);
    key
}

fn first_half(octets: [u8; 16]) -> [u8; 8] {
    let mut key = [0; 8];
    key.copy_from_slice(&octets[..8]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> Attempts {
        let most = |most| NonZeroU32::new(most).unwrap();
        let window = Duration::from_mins(10);
        Attempts::new(&LoginLimits { per_address: most(5), per_name: most(3), window }, KeyedHash::random())
    }

    fn peer(address: &str) -> Peer {
        Peer(address.parse().unwrap())
    }

    #[test]
    fn a_name_has_to_wait_after_too_many_failures_wherever_they_came_from() {
        let attempts = attempts();
        for last in 1..=3 {
            let attempt = attempts.attempt(Some(peer(&format!("10.0.0.{last}"))), "admin");
            assert_eq!(attempts.failed(&attempt), None);
        }
        let fourth = attempts.attempt(Some(peer("10.0.0.4")), "admin");
        let pause = attempts.failed(&fourth).unwrap();
        assert!(pause > Duration::from_secs(100) && pause <= Duration::from_secs(200), "{pause:?}");
        assert!(attempts.wait(&fourth).is_some());
        assert!(attempts.wait(&attempts.attempt(Some(peer("10.0.0.4")), "anna")).is_none());
    }

    #[test]
    fn a_guesser_does_not_lock_out_the_address_its_victim_uses() {
        let attempts = attempts();
        let victim = attempts.attempt(Some(peer("10.0.0.1")), "admin");
        attempts.succeeded(&victim);
        let guesser = attempts.attempt(Some(peer("10.9.9.9")), "admin");
        while attempts.failed(&guesser).is_none() {}
        assert!(attempts.wait(&victim).is_none());
    }

    #[test]
    fn an_address_has_to_wait_whichever_names_it_tries() {
        let attempts = attempts();
        let failures = (0..20).position(|n| {
            attempts.failed(&attempts.attempt(Some(peer("2001:db8::1")), &format!("u{n}"))).is_some()
        });
        assert_eq!(failures, Some(5));
        assert!(attempts.wait(&attempts.attempt(Some(peer("2001:db8::2")), "x")).is_some(), "the same /64");
        assert!(
            attempts.wait(&attempts.attempt(Some(peer("2001:db8:0:1::1")), "x")).is_none(),
            "another one"
        );
        assert!(attempts.wait(&attempts.attempt(None, "x")).is_none());
    }
}
