//! Time is passed in, so that every rule about it can be tested.

use std::{
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description,
};

/// Milliseconds since 1970-01-01T00:00:00Z. An integer compares and sorts the same in Rust, in SQLite
/// and in PostgreSQL; text forms do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds, as WhatsApp counts.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar form, or `None` far outside of it.
    #[must_use]
    pub fn to_datetime(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()
    }

    /// RFC 3339, such as `2026-11-22T19:36:11.5Z`; empty far outside the calendar.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.to_datetime()
            .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
            .unwrap_or_default()
    }
}

/// The form of [`Timestamp::to_sql`].
const SQL: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

impl Timestamp {
    /// As SQLite's `CURRENT_TIMESTAMP` writes it, `2026-11-22 19:36:11`; empty far outside the calendar.
    #[must_use]
    pub fn to_sql(self) -> String {
        self.to_datetime().and_then(|at| at.format(SQL).ok()).unwrap_or_default()
    }

    /// Reads what [`to_sql`](Self::to_sql) writes.
    #[must_use]
    pub fn from_sql(text: &str) -> Option<Self> {
        let at = PrimitiveDateTime::parse(text, SQL).ok()?.assume_utc();
        Some(Self::from_seconds(at.unix_timestamp()))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// A clock that many parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit for 292 million years")]
    fn now(&self) -> Timestamp {
        Timestamp((OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64)
    }
}

/// A clock that a test sets.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves it forward.
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_zero_away_from_the_future() {
        assert_eq!(Timestamp(1000).since(Timestamp(5000)), Duration::ZERO);
        assert_eq!(Timestamp(5000).since(Timestamp(1000)), Duration::from_secs(4));
    }

    #[test]
    fn the_calendar_form_is_rfc_3339() {
        assert_eq!(Timestamp(1_795_376_171_500).to_rfc3339(), "2026-11-22T19:36:11.5Z");
        assert_eq!(Timestamp(i64::MAX).to_rfc3339(), "");
    }

    #[test]
    fn sqlite_s_form_is_read_back() {
        assert_eq!(Timestamp(1_795_376_171_500).to_sql(), "2026-11-22 19:36:11");
        assert_eq!(Timestamp::from_sql("2026-11-22 19:36:11"), Some(Timestamp(1_795_376_171_000)));
        for text in ["", "2026-11-22", "2026-13-22 19:36:11", "yesterday"] {
            assert_eq!(Timestamp::from_sql(text), None, "{text}");
        }
        assert_eq!(Timestamp(i64::MAX).to_sql(), "");
    }
}
