//! Two drivers behind one SQL text.
//!
//! [`with_conn!`] expands its body once per driver, so every statement is type-checked against both. The
//! portable subset: `$n` parameters in order, `RETURNING`, `ON CONFLICT`, CTEs, `VALUES` as a table (its columns
//! are `column1`, `column2`, … on both), partial indexes; no arrays, no `now()`, no intervals, no JSON operators.

use sqlx::{PgConnection, SqliteConnection};

use crate::{pool::Pooled, transaction::Transaction};

/// A connection of either database.
pub(crate) enum Driver<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// Something that statements can run on.
pub(crate) trait Connection {
    fn driver(&mut self) -> Driver<'_>;
}

/// A connection for reading.
pub(crate) enum Reader {
    Sqlite(Pooled<SqliteConnection>),
    Postgres(Pooled<PgConnection>),
}

impl Connection for Reader {
    fn driver(&mut self) -> Driver<'_> {
        match self {
            Self::Sqlite(connection) => Driver::Sqlite(connection),
            Self::Postgres(connection) => Driver::Postgres(connection),
        }
    }
}

/// A transaction; rolled back when dropped without [`Tx::commit`].
pub(crate) enum Tx {
    Sqlite(Transaction<SqliteConnection>),
    Postgres(Transaction<PgConnection>),
}

impl Tx {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

impl Connection for Tx {
    fn driver(&mut self) -> Driver<'_> {
        match self {
            Self::Sqlite(transaction) => Driver::Sqlite(transaction.connection()),
            Self::Postgres(transaction) => Driver::Postgres(transaction.connection()),
        }
    }
}

/// Runs `body` with `conn` bound to the connection of whichever database it is.
macro_rules! with_conn {
    ($connection:expr, $conn:ident => $body:expr) => {
        match $crate::driver::Connection::driver($connection) {
            $crate::driver::Driver::Sqlite($conn) => $body,
            $crate::driver::Driver::Postgres($conn) => $body,
        }
    };
}
pub(crate) use with_conn;

/// Splits `items` into runs for statements over many rows: up to 16 rows as they are, more in multiples of 16 and at
/// most 128. So a usual batch is one statement, and there are few enough shapes of each for all to stay prepared
/// ([`PREPARED`]).
pub(crate) fn runs<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    const STEP: usize = 16;
    const LONGEST: usize = 8 * STEP;
    std::iter::from_fn(move || {
        let length = match items.len() {
            0 => return None,
            length if length >= LONGEST => LONGEST,
            length if length > STEP => length - length % STEP,
            length => length,
        };
        let (run, rest) = items.split_at(length);
        items = rest;
        Some(run)
    })
}

/// Statements that a connection keeps prepared: each shape ([`runs`]) of each statement over many rows.
pub(crate) const PREPARED: usize = 512;

#[cfg(test)]
mod tests {
    #[test]
    fn many_rows_come_in_few_shapes() {
        let lengths = |n| super::runs(&vec![(); n]).map(<[()]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(0), Vec::<usize>::new());
        assert_eq!(lengths(13), [13]);
        assert_eq!(lengths(47), [32, 15]);
        assert_eq!(lengths(300), [128, 128, 32, 12]);
    }
}
