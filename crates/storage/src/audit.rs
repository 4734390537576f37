//! What was done, by whom, from where.

use std::net::IpAddr;

use domain::{Timestamp, access::AuditAction};
use sqlx::QueryBuilder;

use crate::{Result, database::Database, driver::with_conn, retention::Swept};

/// The most characters that are kept of a text: some are what strangers say.
const MOST_CHARS: usize = 256;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The name of whoever did it, or said to be that.
    pub actor: String,
    pub action: AuditAction,
    /// What it was done to.
    pub target: Option<String>,
    pub address: Option<IpAddr>,
    pub detail: Option<String>,
}

/// An [`AuditRecord`] as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Grows with time.
    pub position: i64,
    pub at: Timestamp,
    pub actor: String,
    /// A word of this version or of another one.
    pub action: String,
    pub target: Option<String>,
    pub address: Option<String>,
    pub detail: Option<String>,
}

/// Which entries; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub action: Option<AuditAction>,
    /// From before this position on.
    pub before: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    at: i64,
    actor: String,
    action: String,
    target: Option<String>,
    address: Option<String>,
    detail: Option<String>,
}

impl From<Row> for AuditEntry {
    fn from(row: Row) -> Self {
        Self {
            position: row.position,
            at: Timestamp(row.at),
            actor: row.actor,
            action: row.action,
            target: row.target,
            address: row.address,
            detail: row.detail,
        }
    }
}

/// A text as it is kept: not longer than it may be, and without the one character that PostgreSQL does not take.
fn kept(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(MOST_CHARS).collect()
}

impl Database {
    /// Notes what was done.
    pub async fn add_audit_record(&self, record: &AuditRecord) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "INSERT INTO audit (at, actor, action, target, address, detail) VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(self.now().0)
            .bind(kept(&record.actor))
            .bind(record.action.as_str())
            .bind(record.target.as_deref().map(kept))
            .bind(record.address.map(|address| address.to_canonical().to_string()))
            .bind(record.detail.as_deref().map(kept))
            .execute(conn)
            .await?;
        });
        Ok(tx.commit().await?)
    }

    /// What was done, the latest first.
    pub async fn audit(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditEntry>> {
        let mut reader = self.reader().await?;
        let rows: Vec<Row> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new(
                "SELECT position, at, actor, action, target, address, detail FROM audit WHERE position < ",
            );
            query.push_bind(filter.before.unwrap_or(i64::MAX));
            if let Some(actor) = &filter.actor {
                query.push(" AND actor = ").push_bind(kept(actor));
            }
            if let Some(action) = filter.action {
                query.push(" AND action = ").push_bind(action.as_str());
            }
            query.push(" ORDER BY position DESC LIMIT ").push_bind(i64::from(limit));
            query.build_query_as().fetch_all(conn).await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Removes up to `limit` entries from before `before`, the oldest first.
    pub async fn sweep_audit(&self, before: Timestamp, limit: u32) -> Result<Swept<()>> {
        let mut tx = self.begin().await?;
        let removed = with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM audit WHERE at < $1 AND position IN (
                   SELECT position FROM audit ORDER BY position LIMIT $2)",
            )
            .bind(before.0)
            .bind(i64::from(limit))
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(Swept { removed, next: (removed >= u64::from(limit)).then_some(()) })
    }
}
