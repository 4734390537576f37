//! Users. Password hashes do not leave this crate but for the check.

use domain::{Timestamp, UserId, user::User};

use crate::{
    Result,
    database::Database,
    driver::{Connection as _, Driver, Tx, with_conn},
    logins,
};

/// A user with what is needed to check a password.
#[derive(Clone)]
pub struct StoredUser {
    pub user: User,
    pub password_hash: String,
}

impl std::fmt::Debug for StoredUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredUser").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A user to be.
pub struct NewUser {
    pub username: String,
    pub password_hash: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    username: String,
    password_hash: String,
    password_version: i64,
    is_admin: bool,
    created_at: i64,
}

impl From<Row> for StoredUser {
    fn from(row: Row) -> Self {
        Self {
            user: User {
                id: UserId(row.id),
                username: row.username,
                is_admin: row.is_admin,
                password_version: row.password_version,
                created_at: Timestamp(row.created_at),
            },
            password_hash: row.password_hash,
        }
    }
}

impl Database {
    /// The user of that name.
    pub async fn user_by_name(&self, username: &str) -> Result<Option<StoredUser>> {
        // PostgreSQL has no such texts, so it is nobody's name.
        if username.contains('\0') {
            return Ok(None);
        }
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT id, username, password_hash, password_version, is_admin, created_at
                 FROM users WHERE username = $1 AND deleted_at IS NULL",
            )
            .bind(username)
            .fetch_optional(conn)
            .await?
        });
        Ok(row.map(Into::into))
    }

    /// The version of a user's password; `None` when the user is gone.
    pub async fn password_version(&self, user: UserId) -> Result<Option<i64>> {
        let mut reader = self.reader().await?;
        Ok(with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT password_version FROM users WHERE id = $1 AND deleted_at IS NULL")
                .bind(user.0)
                .fetch_optional(conn)
                .await?
        }))
    }

    /// Makes the admin, or gives it a new name or hash; its password's version grows when the hash differs, and
    /// logins and keys end.
    pub async fn put_admin(&self, username: &str, password_hash: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "INSERT INTO users (id, username, password_hash, is_admin, created_at)
                 VALUES ($1, $2, $3, TRUE, $4)
                 ON CONFLICT (id) DO UPDATE SET
                   username = excluded.username,
                   password_version = users.password_version
                     + CASE WHEN users.password_hash = excluded.password_hash THEN 0 ELSE 1 END,
                   password_hash = excluded.password_hash",
            )
            .bind(UserId::ADMIN.0)
            .bind(username)
            .bind(password_hash)
            .bind(self.now().0)
            .execute(conn)
            .await?;
        });
        continue_numbering(&mut tx).await?;
        logins::end_earlier(&mut tx, UserId::ADMIN).await?;
        Ok(tx.commit().await?)
    }

    /// Makes a user; `None` when the name is taken.
    pub async fn create_user(&self, user: &NewUser) -> Result<Option<User>> {
        let mut tx = self.begin().await?;
        let row: Option<Row> = with_conn!(&mut tx, conn => {
            sqlx::query_as(
                "INSERT INTO users (username, password_hash, created_at) VALUES ($1, $2, $3)
                 ON CONFLICT (username) DO NOTHING
                 RETURNING id, username, password_hash, password_version, is_admin, created_at",
            )
            .bind(&user.username)
            .bind(&user.password_hash)
            .bind(self.now().0)
            .fetch_optional(conn)
            .await?
        });
        tx.commit().await?;
        Ok(row.map(|row| StoredUser::from(row).user))
    }
}

/// Whether there is such a user, and not about to be removed.
pub(crate) async fn is_there(tx: &mut Tx, user: UserId) -> Result<bool> {
    Ok(with_conn!(tx, conn => {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND deleted_at IS NULL)")
            .bind(user.0)
            .fetch_one(conn)
            .await?
    }))
}

/// PostgreSQL's sequence does not notice an id that was given by hand. It never goes back: the number of a user who is
/// gone is nobody else's.
pub(crate) async fn continue_numbering(tx: &mut Tx) -> Result<()> {
    if let Driver::Postgres(conn) = tx.driver() {
        sqlx::query(
            "SELECT setval('users_id_seq',
               GREATEST((SELECT MAX(id) FROM users), (SELECT last_value FROM users_id_seq)))",
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
