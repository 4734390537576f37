//! The gateway's database as others see it: locked by somebody else, read after the fact, or not its own.

use std::path::Path;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection,
    sqlite::SqliteConnectOptions,
};

use crate::{Gateway, PATIENCE, Storage, World, eventually};

/// Nothing that comes in can be committed while this lives.
pub enum Locked {
    /// The whole file is locked for writers.
    Sqlite(SqliteConnection),
    /// The table of events is locked for writers.
    Postgres(PgConnection),
}

impl Locked {
    /// Takes the lock.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub async fn take(world: &World, gateway: &Gateway) -> Self {
        match world.storage {
            Storage::Sqlite => {
                let mut connection = open(&gateway.database_file()).await;
                sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.expect("the lock");
                Self::Sqlite(connection)
            }
            Storage::Postgres => {
                let connection = PgConnection::connect(gateway.database_url()).await;
                let mut connection = connection.expect("a connection to PostgreSQL");
                for statement in ["BEGIN", "LOCK TABLE events IN EXCLUSIVE MODE"] {
                    sqlx::query(statement).execute(&mut connection).await.expect("the lock");
                }
                Self::Postgres(connection)
            }
        }
    }

    /// Waits until a commit of the gateway waits for the lock. SQLite does not tell; there, `otherwise` must show it.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub async fn contended(&mut self, otherwise: impl AsyncFn() -> bool) {
        match self {
            Self::Sqlite(_) => {
                eventually("a sign of the lock", PATIENCE, async || otherwise().await.then_some(())).await;
            }
            Self::Postgres(connection) => {
                eventually("a commit that waits for the lock", PATIENCE, async || {
                    let waiting: i64 = sqlx::query_scalar(
                        "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass",
                    )
                    .fetch_one(&mut *connection)
                    .await
                    .expect("PostgreSQL tells who waits");
                    (waiting > 0).then_some(())
                })
                .await;
            }
        }
    }

    /// Lets go of it.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub async fn release(self) {
        match self {
            Self::Sqlite(mut connection) => {
                sqlx::query("ROLLBACK").execute(&mut connection).await.expect("the lock is let go");
                connection.close().await.expect("the file is closed");
            }
            Self::Postgres(connection) => connection.close().await.expect("the connection is closed"),
        }
    }
}

/// How many rows of WhatsApp keys a stopped or running gateway on SQLite has.
#[expect(clippy::expect_used, reason = "the test cannot go on without it")]
pub async fn stored_keys(gateway: &Gateway) -> i64 {
    let mut connection = open(&gateway.database_file()).await;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM session_state").fetch_one(&mut connection).await;
    connection.close().await.expect("the file is closed");
    count.expect("the table of keys")
}

/// Makes a sound SQLite database that belongs to some other program.
pub async fn foreign_database(file: &Path) {
    database_of(file, &["CREATE TABLE recipes (name TEXT)", "INSERT INTO recipes VALUES ('rendang')"]).await;
}

/// Makes a SQLite database that another program could have left.
#[expect(clippy::expect_used, reason = "the test cannot go on without it")]
pub async fn database_of(file: &Path, statements: &[&str]) {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.expect("a SQLite database");
    for statement in statements {
        let statement = AssertSqlSafe((*statement).to_owned());
        sqlx::query(statement).execute(&mut connection).await.expect("somebody else's table");
    }
    connection.close().await.expect("the file is closed");
}

#[expect(clippy::expect_used, reason = "the test cannot go on without it")]
async fn open(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).connect().await.expect("the gateway's SQLite database")
}
