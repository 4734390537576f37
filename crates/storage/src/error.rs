//! What can go wrong with stored facts, in terms of what a caller can do about it.

/// A question or a change that the database did not carry out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another runner owns the session by now: stop, and write nothing more for it.
    #[error("the session belongs to another runner by now")]
    LeaseLost,
    /// There is no room left: nothing was stored; an operator must act.
    #[error("the database has no room left: {0}")]
    Full(String),
    /// The database cannot be reached or is overloaded: nothing was stored; try again later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A stored value cannot be read back: sealed under a key that is gone, or damaged.
    #[error("stored {what} cannot be read: {reason}")]
    Unreadable { what: &'static str, reason: String },
    /// The database refused the statement; trying again will not help.
    #[error("the database refused: {0}")]
    Refused(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let text = error.to_string();
        match &error {
            E::Database(database) => match database.code().as_deref() {
                // SQLite: FULL, IOERR_WRITE; PostgreSQL: disk_full.
                Some("13" | "778" | "53100") => Self::Full(text),
                // SQLite: BUSY, LOCKED, IOERR; PostgreSQL: serialization, deadlock, shutdown, too many clients.
                Some("5" | "6" | "10" | "261" | "517" | "40001" | "40P01" | "53300") => {
                    Self::Unavailable(text)
                }
                // Also "this transaction was silent for too long".
                Some(code) if ["57P", "08", "25P"].iter().any(|class| code.starts_with(class)) => {
                    Self::Unavailable(text)
                }
                _ => Self::Refused(text),
            },
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
                Self::Unavailable(text)
            }
            E::ColumnDecode { .. } | E::Decode(_) => Self::Unreadable { what: "row", reason: text },
            _ => Self::Refused(text),
        }
    }
}
