//! Users as an admin sees them, and what is set about them.

use domain::{
    Timestamp, UserId,
    user::{Account, User},
};
use sqlx::FromRow;

use crate::{Result, database::Database, driver::with_conn, endpoints, logins};

/// What became of a change to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It is made.
    Done,
    /// There is no such user.
    NotFound,
    /// The admin comes from the environment and is changed there.
    IsAdmin,
}

/// What is changed about a user's session; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionConfig {
    /// What the session is called when no name is given.
    pub session_name: Option<String>,
    /// Where webhooks go; `Some(None)` takes the address away.
    pub callback_url: Option<Option<String>>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    username: String,
    password_version: i64,
    is_admin: bool,
    created_at: i64,
    session_name: Option<String>,
    callback_url: Option<String>,
    webhook_auth_type: String,
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self {
            session_name: row.session_name.unwrap_or_else(|| row.username.clone()),
            callback_url: row.callback_url,
            webhook_auth_type: row.webhook_auth_type,
            user: User {
                id: UserId(row.id),
                username: row.username,
                is_admin: row.is_admin,
                password_version: row.password_version,
                created_at: Timestamp(row.created_at),
            },
        }
    }
}

/// Reads [`Row`]s. A callback that its receiver had disabled is still the user's; one that was taken away is not.
const ACCOUNTS: &str = "
    SELECT u.id, u.username, u.password_version, u.is_admin, u.created_at, u.session_name, u.webhook_auth_type,
      e.url AS callback_url
    FROM users u
    LEFT JOIN endpoints e ON e.user_id = u.id AND e.layout = 'callback'
      AND (e.enabled OR e.disabled_reason IS NOT NULL)
    WHERE u.deleted_at IS NULL AND ($1 OR u.id = $2)
    ORDER BY u.id";

impl Database {
    /// All users, by id.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        self.read_accounts(None).await
    }

    /// One user.
    pub async fn account(&self, user: UserId) -> Result<Option<Account>> {
        Ok(self.read_accounts(Some(user)).await?.pop())
    }

    async fn read_accounts(&self, of: Option<UserId>) -> Result<Vec<Account>> {
        let mut reader = self.reader().await?;
        let rows: Vec<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(ACCOUNTS)
                .bind(of.is_none())
                .bind(of.map_or(0, |user| user.0))
                .fetch_all(conn)
                .await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Gives a user another password; its version grows, and logins and keys end.
    pub async fn set_password(&self, user: UserId, password_hash: &str) -> Result<Edited> {
        let mut tx = self.begin().await?;
        let edited = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE users SET password_hash = $2, password_version = password_version + 1
                 WHERE id = $1 AND NOT is_admin AND deleted_at IS NULL",
            )
            .bind(user.0)
            .bind(password_hash)
            .execute(conn)
            .await?
            .rows_affected()
        });
        logins::end_earlier(&mut tx, user).await?;
        tx.commit().await?;
        self.outcome(user, edited).await
    }

    /// Sets the name of a user's session and where its webhooks go.
    pub async fn configure_session(&self, user: UserId, config: &SessionConfig) -> Result<Edited> {
        let mut tx = self.begin().await?;
        let edited = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE users SET session_name = COALESCE($2, session_name)
                 WHERE id = $1 AND NOT is_admin AND deleted_at IS NULL",
            )
            .bind(user.0)
            .bind(config.session_name.as_deref())
            .execute(conn)
            .await?
            .rows_affected()
        });
        if edited == 1
            && let Some(url) = &config.callback_url
        {
            endpoints::set_callback(&mut tx, user, url.as_deref(), self.now()).await?;
        }
        tx.commit().await?;
        self.outcome(user, edited).await
    }

    /// What a change came to that touched so many rows.
    pub(crate) async fn outcome(&self, user: UserId, edited: u64) -> Result<Edited> {
        if edited == 1 {
            return Ok(Edited::Done);
        }
        let admin = self.account(user).await?.is_some_and(|account| account.user.is_admin);
        Ok(if admin { Edited::IsAdmin } else { Edited::NotFound })
    }
}
