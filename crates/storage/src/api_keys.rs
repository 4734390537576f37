//! Keys that programs call with. A key is stored as a hash; it is shown once.

use domain::{
    ApiKeyId, Timestamp, UserId,
    access::{ApiKey, MOST_API_KEYS, Scope},
    user::User,
};
use secrets::TokenHash;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    dialect::LOCK_ROWS,
    driver::with_conn,
    logins::{CredentialVersions, Holder, count_up, holder},
};

/// A key to be.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    pub name: String,
    /// How it begins.
    pub prefix: String,
    pub token: TokenHash,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<Timestamp>,
}

/// What became of a key to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMade {
    Done(ApiKey),
    /// The user has as many as one may have.
    TooMany,
    /// The user is gone, or has another password by now.
    NoUser,
}

/// A key, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    pub user: User,
    pub versions: CredentialVersions,
    pub key: ApiKey,
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "k.id, k.user_id, k.name, k.prefix, k.scopes, k.created_at, k.last_used_at, k.expires_at"
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: i64,
    name: String,
    prefix: String,
    scopes: String,
    created_at: i64,
    last_used_at: Option<i64>,
    expires_at: Option<i64>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            user: UserId(row.user_id),
            name: row.name,
            prefix: row.prefix,
            // A scope of a later version opens nothing here.
            scopes: row.scopes.split(',').filter_map(Scope::parse).collect(),
            created_at: Timestamp(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp),
            expires_at: row.expires_at.map(Timestamp),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    key: Row,
    #[sqlx(flatten)]
    holder: Holder,
}

/// How storage keeps scopes.
fn written(scopes: &[Scope]) -> String {
    let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    format!(",{},", words.join(","))
}

impl Database {
    /// Makes a key for a user who was just verified.
    pub async fn create_api_key(&self, user: &User, new: &NewApiKey) -> Result<KeyMade> {
        let id = ApiKeyId::new();
        let now = self.now();
        let mut tx = self.begin().await?;
        // Locked, so that two at once are not both the last one.
        let owner = format!(
            "SELECT s.id FROM users s WHERE s.id = $1 AND s.password_version = $2 AND s.deleted_at IS NULL{}",
            LOCK_ROWS.of(&tx)
        );
        let made = with_conn!(&mut tx, conn => {
            let owner: Option<i64> = sqlx::query_scalar(AssertSqlSafe(owner))
                .bind(user.id.0)
                .bind(user.password_version)
                .fetch_optional(&mut *conn)
                .await?;
            if owner.is_none() {
                return Ok(KeyMade::NoUser);
            }
            sqlx::query(
                "INSERT INTO api_keys (id, user_id, name, prefix, token, scopes, password_version, created_at,
                   expires_at)
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
                 WHERE $10 > (SELECT COUNT(*) FROM api_keys WHERE user_id = $2)",
            )
            .bind(id.uuid())
            .bind(user.id.0)
            .bind(&new.name)
            .bind(&new.prefix)
            .bind(&new.token.as_bytes()[..])
            .bind(written(&new.scopes))
            .bind(user.password_version)
            .bind(now.0)
            .bind(new.expires_at.map(|at| at.0))
            .bind(i64::try_from(MOST_API_KEYS).unwrap_or(i64::MAX))
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        if made == 0 {
            return Ok(KeyMade::TooMany);
        }
        Ok(KeyMade::Done(ApiKey {
            id,
            user: user.id,
            name: new.name.clone(),
            prefix: new.prefix.clone(),
            scopes: new.scopes.clone(),
            created_at: now,
            last_used_at: None,
            expires_at: new.expires_at,
        }))
    }

    /// The keys of a user that are good under the present password, the newest first, from before `before` on.
    pub async fn api_keys(&self, user: UserId, before: Option<ApiKeyId>, limit: u32) -> Result<Vec<ApiKey>> {
        let mut reader = self.reader().await?;
        let rows: Vec<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!(
                "SELECT ", columns!(), " FROM api_keys k JOIN users u ON u.id = k.user_id
                 WHERE k.user_id = $1 AND k.id < $2 AND k.password_version = u.password_version
                 ORDER BY k.id DESC LIMIT $3"
            ))
            .bind(user.0)
            .bind(before.map_or(Uuid::max(), ApiKeyId::uuid))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// The key of a token, also one that has expired; none whose user has another password by now.
    pub async fn api_key(&self, token: &TokenHash) -> Result<Option<StoredKey>> {
        let mut reader = self.reader().await?;
        let found: Option<Found> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!(
                "SELECT ", columns!(), ", ", holder!(), "
                 FROM api_keys k JOIN users u ON u.id = k.user_id
                 WHERE k.token = $1 AND k.password_version = u.password_version AND u.deleted_at IS NULL"
            ))
            .bind(&token.as_bytes()[..])
            .fetch_optional(conn)
            .await?
        });
        Ok(found.map(|found| {
            let (user, versions) = found.holder.into();
            StoredKey { user, versions, key: found.key.into() }
        }))
    }

    /// Notes that a key is in use.
    pub async fn see_api_key(&self, id: ApiKeyId, at: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1")
                .bind(id.uuid())
                .bind(at.0)
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }

    /// Ends a key of a user; returns its name, if it was there. What others remember of the user's tokens is worth
    /// nothing from then on.
    pub async fn end_api_key(&self, user: UserId, id: ApiKeyId) -> Result<Option<String>> {
        let mut tx = self.begin().await?;
        let name: Option<String> = with_conn!(&mut tx, conn => {
            sqlx::query_scalar("DELETE FROM api_keys WHERE id = $1 AND user_id = $2 RETURNING name")
                .bind(id.uuid())
                .bind(user.0)
                .fetch_optional(conn)
                .await?
        });
        if name.is_some() {
            count_up(&mut tx, user).await?;
        }
        tx.commit().await?;
        Ok(name)
    }
}
