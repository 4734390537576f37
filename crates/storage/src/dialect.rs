//! The few statements in which the two databases differ.

use crate::driver::Tx;

/// A statement in the words of each database.
pub(crate) struct Dialect {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl Dialect {
    pub(crate) const fn of(&self, tx: &Tx) -> &'static str {
        if tx.is_postgres() { self.postgres } else { self.sqlite }
    }
}

/// Milliseconds since 1970 by the database's own clock: runner leases are counted by it, so that the clocks of
/// the runners need not agree.
pub(crate) const DATABASE_NOW: Dialect = Dialect {
    sqlite: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    postgres: "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
};

/// Keeps rows that were read unchanged until the transaction ends. SQLite has one writer anyway.
pub(crate) const LOCK_ROWS: Dialect = Dialect { sqlite: "", postgres: " FOR NO KEY UPDATE OF s" };

/// Keeps rows that others are about to refer to from being removed until the transaction ends.
pub(crate) const KEEP_ROWS: Dialect = Dialect { sqlite: "", postgres: " FOR KEY SHARE OF s" };

/// Takes rows that nobody else is taking at the moment.
pub(crate) const SKIP_LOCKED: Dialect = Dialect { sqlite: "", postgres: " FOR UPDATE SKIP LOCKED" };

/// Claims of deliveries happen one after the other, whoever makes them: only so is the order within a chat kept.
/// A claim takes many at once, so this is no narrow place; nor does it wait for the disk: a claim that is lost in a
/// crash is made again.
pub(crate) const LOCK_CLAIMS: Only = Only { postgres: "SELECT pg_advisory_xact_lock(7726519)" };

/// A statement that only PostgreSQL needs.
pub(crate) struct Only {
    pub postgres: &'static str,
}

impl Only {
    pub(crate) fn of(&self, tx: &Tx) -> Option<&'static str> {
        tx.is_postgres().then_some(self.postgres)
    }
}
