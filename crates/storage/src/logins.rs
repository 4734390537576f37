//! People who are logged in to the dashboard. What their cookies hold is stored as a hash.

use domain::{
    Timestamp, UserId,
    access::{LOGIN_IDLE, LOGIN_TOTAL, MOST_LOGINS},
    user::User,
};
use secrets::TokenHash;

use crate::{
    Result,
    database::Database,
    driver::{Tx, with_conn},
};

/// What remembered credentials are good for: another value of either means to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialVersions {
    /// Grows with every change of the password.
    pub password: i64,
    /// Grows when a login or a key ends.
    pub access: i64,
}

/// A login, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLogin {
    pub user: User,
    pub versions: CredentialVersions,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
}

/// The columns of [`Holder`].
macro_rules! holder {
    () => {
        "u.id AS user_id, u.username, u.is_admin, u.password_version, u.access_version, \
         u.created_at AS user_created_at"
    };
}
pub(crate) use holder;

/// The user whom a token stands for.
#[derive(sqlx::FromRow)]
pub(crate) struct Holder {
    user_id: i64,
    username: String,
    is_admin: bool,
    password_version: i64,
    access_version: i64,
    user_created_at: i64,
}

impl From<Holder> for (User, CredentialVersions) {
    fn from(holder: Holder) -> Self {
        let versions =
            CredentialVersions { password: holder.password_version, access: holder.access_version };
        let user = User {
            id: UserId(holder.user_id),
            username: holder.username,
            is_admin: holder.is_admin,
            password_version: holder.password_version,
            created_at: Timestamp(holder.user_created_at),
        };
        (user, versions)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    created_at: i64,
    seen_at: i64,
    #[sqlx(flatten)]
    holder: Holder,
}

impl Database {
    /// What remembered credentials of a user are good for; `None` when the user is gone.
    pub async fn credential_versions(&self, user: UserId) -> Result<Option<CredentialVersions>> {
        let mut reader = self.reader().await?;
        let versions: Option<(i64, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT password_version, access_version FROM users WHERE id = $1 AND deleted_at IS NULL",
            )
            .bind(user.0)
            .fetch_optional(conn)
            .await?
        });
        Ok(versions.map(|(password, access)| CredentialVersions { password, access }))
    }

    /// Logs a user in. `false` when the user is gone, or has another password by now.
    pub async fn add_login(&self, user: &User, token: &TokenHash) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let added = with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM logins WHERE user_id = $1 AND token NOT IN (
                   SELECT token FROM logins WHERE user_id = $1 ORDER BY seen_at DESC LIMIT $2)",
            )
            .bind(user.id.0)
            .bind(i64::try_from(MOST_LOGINS - 1).unwrap_or(i64::MAX))
            .execute(&mut *conn)
            .await?;
            sqlx::query(
                "INSERT INTO logins (token, user_id, password_version, created_at, seen_at)
                 SELECT $2, id, password_version, $3, $3 FROM users
                 WHERE id = $1 AND password_version = $4 AND deleted_at IS NULL",
            )
            .bind(user.id.0)
            .bind(&token.as_bytes()[..])
            .bind(now.0)
            .bind(user.password_version)
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(added == 1)
    }

    /// The login of a token, also one that is over by its times; none whose user has another password by now.
    pub async fn login(&self, token: &TokenHash) -> Result<Option<StoredLogin>> {
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!(
                "SELECT l.created_at, l.seen_at, ", holder!(), "
                 FROM logins l JOIN users u ON u.id = l.user_id
                 WHERE l.token = $1 AND l.password_version = u.password_version AND u.deleted_at IS NULL"
            ))
            .bind(&token.as_bytes()[..])
            .fetch_optional(conn)
            .await?
        });
        Ok(row.map(|row| {
            let (user, versions) = row.holder.into();
            let (created_at, seen_at) = (Timestamp(row.created_at), Timestamp(row.seen_at));
            StoredLogin { user, versions, created_at, seen_at }
        }))
    }

    /// Notes that a login is in use.
    pub async fn see_login(&self, token: &TokenHash, at: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("UPDATE logins SET seen_at = $2 WHERE token = $1 AND seen_at < $2")
                .bind(&token.as_bytes()[..])
                .bind(at.0)
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }

    /// Ends a login; returns whose it was. What others remember of the user's tokens is worth nothing from then on.
    pub async fn end_login(&self, token: &TokenHash) -> Result<Option<UserId>> {
        let mut tx = self.begin().await?;
        let user: Option<i64> = with_conn!(&mut tx, conn => {
            sqlx::query_scalar("DELETE FROM logins WHERE token = $1 RETURNING user_id")
                .bind(&token.as_bytes()[..])
                .fetch_optional(conn)
                .await?
        });
        let user = user.map(UserId);
        if let Some(user) = user {
            count_up(&mut tx, user).await?;
        }
        tx.commit().await?;
        Ok(user)
    }

    /// Forgets logins and keys that are over.
    pub async fn tidy_access(&self) -> Result<u64> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let removed = with_conn!(&mut tx, conn => {
            let logins = sqlx::query(
                "DELETE FROM logins WHERE seen_at < $1 OR created_at < $2 OR password_version <> (
                   SELECT password_version FROM users WHERE id = logins.user_id)",
            )
            .bind((now - LOGIN_IDLE).0)
            .bind((now - LOGIN_TOTAL).0)
            .execute(&mut *conn)
            .await?
            .rows_affected();
            let keys = sqlx::query(
                "DELETE FROM api_keys WHERE password_version <> (
                   SELECT password_version FROM users WHERE id = api_keys.user_id)",
            )
            .execute(conn)
            .await?
            .rows_affected();
            logins + keys
        });
        tx.commit().await?;
        Ok(removed)
    }
}

/// A token of the user has ended.
pub(crate) async fn count_up(tx: &mut Tx, user: UserId) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query("UPDATE users SET access_version = access_version + 1 WHERE id = $1")
            .bind(user.0)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Ends all logins and keys that a user has under an earlier password.
pub(crate) async fn end_earlier(tx: &mut Tx, user: UserId) -> Result<()> {
    with_conn!(tx, conn => {
        for sql in [
            "DELETE FROM logins WHERE user_id = $1 AND password_version <> (
               SELECT password_version FROM users WHERE id = $1)",
            "DELETE FROM api_keys WHERE user_id = $1 AND password_version <> (
               SELECT password_version FROM users WHERE id = $1)",
        ] {
            sqlx::query(sql).bind(user.0).execute(&mut *conn).await?;
        }
    });
    Ok(())
}
