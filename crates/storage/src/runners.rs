//! Runners and their leases, counted by the database's clock.

use std::time::Duration;

use domain::{RunnerId, Timestamp};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{Result, database::Database, dialect::DATABASE_NOW, driver::with_conn};

/// A runner that wants to hold sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerRegistration {
    pub id: RunnerId,
    pub name: String,
    pub version: String,
    /// The most sessions it can hold.
    pub capacity: u32,
    pub place: Placement,
}

/// Where in a cluster a process runs, if it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// The name of its pod.
    pub pod: Option<String>,
    /// The node that the pod is on.
    pub node: Option<String>,
}

/// A runner as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    pub id: RunnerId,
    pub name: String,
    pub version: String,
    /// It takes sessions; not so while it drains.
    pub accepting: bool,
    pub capacity: i64,
    pub sessions: i64,
    pub started_at: Timestamp,
    /// By the database's clock.
    pub expires_at: Timestamp,
    /// What is left of its lease, by the same clock; zero when it has run out.
    pub lease_left: Duration,
    pub place: Placement,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    version: String,
    accepting: bool,
    capacity: i64,
    sessions: i64,
    started_at: i64,
    expires_at: i64,
    lease_left: i64,
    pod: Option<String>,
    node: Option<String>,
}

impl Database {
    /// Registers a runner with a lease of `lease`.
    pub async fn register_runner(&self, runner: &RunnerRegistration, lease: Duration) -> Result<()> {
        let mut tx = self.begin().await?;
        let now = DATABASE_NOW.of(&tx);
        let sql = format!(
            "INSERT INTO runners (id, name, version, accepting, capacity, started_at, expires_at, pod, node)
             VALUES ($1, $2, $3, TRUE, $4, {now}, {now} + $5, $6, $7)"
        );
        with_conn!(&mut tx, conn => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(runner.id.uuid())
                .bind(&runner.name)
                .bind(&runner.version)
                .bind(i64::from(runner.capacity))
                .bind(millis(lease))
                .bind(&runner.place.pod)
                .bind(&runner.place.node)
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }

    /// Renews a lease; `false` when the runner is no longer known: it has been given up and must start anew.
    pub async fn renew_runner(&self, runner: RunnerId, lease: Duration) -> Result<bool> {
        let mut tx = self.shared.begin_renewal().await?;
        let now = DATABASE_NOW.of(&tx);
        let sql = format!("UPDATE runners SET expires_at = {now} + $2 WHERE id = $1");
        let renewed = with_conn!(&mut tx, conn => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(runner.uuid())
                .bind(millis(lease))
                .execute(conn)
                .await?
                .rows_affected()
        });
        tx.commit().await?;
        Ok(renewed == 1)
    }

    /// Stops a runner from taking more sessions.
    pub async fn stop_accepting(&self, runner: RunnerId) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("UPDATE runners SET accepting = FALSE WHERE id = $1")
                .bind(runner.uuid())
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }

    /// Forgets a runner; its sessions are free.
    pub async fn remove_runner(&self, runner: RunnerId) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("DELETE FROM runners WHERE id = $1").bind(runner.uuid()).execute(conn).await?;
        });
        Ok(tx.commit().await?)
    }

    /// Forgets the runners whose leases have run out, which frees their sessions; returns how many there were.
    /// An embedded database has one process: whatever runner stands there when it starts is dead.
    pub async fn reap_runners(&self, all: bool) -> Result<u64> {
        let mut tx = self.begin().await?;
        let now = DATABASE_NOW.of(&tx);
        let sql = format!("DELETE FROM runners WHERE $1 OR expires_at < {now}");
        let reaped = with_conn!(&mut tx, conn => {
            sqlx::query(AssertSqlSafe(sql)).bind(all).execute(conn).await?.rows_affected()
        });
        tx.commit().await?;
        Ok(reaped)
    }

    /// All runners, oldest first.
    pub async fn runners(&self) -> Result<Vec<Runner>> {
        let now = if self.is_embedded() { DATABASE_NOW.sqlite } else { DATABASE_NOW.postgres };
        let sql = format!(
            "SELECT id, name, version, accepting, capacity, started_at, expires_at, expires_at - {now} AS lease_left, pod, node,
               (SELECT COUNT(*) FROM sessions WHERE runner_id = runners.id) AS sessions
             FROM runners ORDER BY started_at, id"
        );
        let mut reader = self.reader().await?;
        let rows: Vec<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(conn).await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

impl From<Row> for Runner {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            version: row.version,
            accepting: row.accepting,
            capacity: row.capacity,
            sessions: row.sessions,
            started_at: Timestamp(row.started_at),
            expires_at: Timestamp(row.expires_at),
            lease_left: Duration::from_millis(u64::try_from(row.lease_left).unwrap_or(0)),
            place: Placement { pod: row.pod, node: row.node },
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
