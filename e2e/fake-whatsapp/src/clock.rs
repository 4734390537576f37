//! The one place where this crate reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch, as WhatsApp writes every `t` attribute.
#[expect(clippy::disallowed_methods, reason = "this module is the clock of a test server")]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

/// Milliseconds since the epoch, for the journal and the ledger.
#[expect(clippy::disallowed_methods, reason = "this module is the clock of a test server")]
pub(crate) fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
