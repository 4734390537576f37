//! The database of the Node gateway, read and never written, and its users taken over.
//!
//! Its table grew over time, so columns may be missing; only the names and the password hashes must be there.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use domain::{
    Timestamp, UserId,
    webhook_auth::{AuthType, Incomplete, RENEW_EARLY, Tokens, WebhookAuth, WebhookAuthChange},
};
use secrecy::SecretString;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use crate::{
    Result,
    database::Database,
    driver::{Tx, with_conn},
    endpoints, users, webhook_auth,
};

/// A user as the Node gateway stored it.
#[derive(Clone)]
pub struct NodeUser {
    pub id: Option<i64>,
    pub username: String,
    pub password_hash: String,
    pub is_admin: bool,
    pub session_name: Option<String>,
    pub callback_url: Option<String>,
    pub created_at: Option<Timestamp>,
    pub webhook_auth: NodeWebhookAuth,
}

impl fmt::Debug for NodeUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeUser").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How webhooks of a user logged in at their receiver. Empty texts count as none.
#[derive(Debug, Clone, Default)]
pub struct NodeWebhookAuth {
    /// `none`, `basic`, `bearer` or `oauth2`.
    pub kind: Option<String>,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub bearer_token: Option<SecretString>,
    pub client_id: Option<String>,
    pub client_secret: Option<SecretString>,
    pub token_url: Option<String>,
    pub scope: Option<String>,
    pub access_token: Option<SecretString>,
    pub refresh_token: Option<SecretString>,
    /// Milliseconds since 1970.
    pub token_expiry: Option<i64>,
}

impl NodeWebhookAuth {
    /// The same in our words; an error says what its type needs and has not. An unknown type is none.
    pub fn settings(&self) -> Result<WebhookAuth, Incomplete> {
        WebhookAuth::default().changed(WebhookAuthChange {
            kind: self.kind.as_deref().and_then(AuthType::parse),
            username: self.username.clone(),
            password: self.password.clone(),
            bearer_token: self.bearer_token.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            token_url: self.token_url.clone(),
            scope: self.scope.clone(),
        })
    }

    /// The tokens held. One whose end is not known is renewed at once.
    fn tokens(&self) -> Option<Tokens> {
        let expires_at = Timestamp(self.token_expiry.unwrap_or(0));
        Some(Tokens {
            access: self.access_token.clone()?,
            refresh: self.refresh_token.clone(),
            expires_at,
            renew_at: expires_at - RENEW_EARLY,
        })
    }
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum NodeGatewayError {
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    #[error("{} is not a database of the Node gateway: {reason}", .path.display())]
    NotNodes { path: PathBuf, reason: String },
    #[error("{} cannot be read: {reason}", .path.display())]
    Unreadable { path: PathBuf, reason: String },
}

/// The columns that are read, in the order of [`user`].
const COLUMNS: [&str; 18] = [
    "id",
    "username",
    "password",
    "is_admin",
    "session_name",
    "callback_url",
    "created_at",
    "webhook_auth_type",
    "webhook_auth_username",
    "webhook_auth_password",
    "webhook_auth_bearer_token",
    "oauth2_client_id",
    "oauth2_client_secret",
    "oauth2_token_url",
    "oauth2_scope",
    "oauth2_access_token",
    "oauth2_refresh_token",
    "oauth2_token_expiry",
];

/// Reads the users of a Node gateway's database, in the order of their names. The file stays as it is.
pub async fn read_node_gateway(path: &Path) -> Result<Vec<NodeUser>, NodeGatewayError> {
    if !path.is_file() {
        return Err(NodeGatewayError::Missing(path.to_owned()));
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let failed = |error: sqlx::Error| failure(path, &error);
    let mut connection = options.connect().await.map_err(failed)?;
    let present: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('users')")
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?;
    for needed in ["username", "password"] {
        if !present.iter().any(|column| column == needed) {
            let reason = format!("it has no table `users` with a column `{needed}`");
            return Err(NodeGatewayError::NotNodes { path: path.to_owned(), reason });
        }
    }
    let users = read_users(&mut connection, &present).await.map_err(failed);
    connection.close().await.map_err(failed)?;
    users
}

async fn read_users(
    connection: &mut SqliteConnection,
    present: &[String],
) -> Result<Vec<NodeUser>, sqlx::Error> {
    // As texts, because SQLite's columns hold what was put there, whatever their declared type.
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|column| {
            let there = present.iter().any(|present| present == column);
            if there { format!("CAST({column} AS TEXT)") } else { "NULL".to_owned() }
        })
        .collect();
    let sql = format!("SELECT {} FROM users ORDER BY username", columns.join(", "));
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(user).collect()
}

fn user(row: &SqliteRow) -> Result<NodeUser, sqlx::Error> {
    let text = |nth: usize| -> Result<Option<String>, sqlx::Error> {
        Ok(row.try_get::<Option<String>, _>(nth)?.filter(|text| !text.is_empty()))
    };
    let secret = |nth| text(nth).map(|text| text.map(SecretString::from));
    let number = |nth| text(nth).map(|text| text.and_then(|text| text.parse::<f64>().ok()).map(whole));
    Ok(NodeUser {
        id: number(0)?,
        username: text(1)?.unwrap_or_default(),
        password_hash: text(2)?.unwrap_or_default(),
        is_admin: number(3)?.is_some_and(|flag| flag != 0),
        session_name: text(4)?,
        callback_url: text(5)?,
        created_at: text(6)?.and_then(|text| Timestamp::from_sql(&text)),
        webhook_auth: NodeWebhookAuth {
            kind: text(7)?,
            username: text(8)?,
            password: secret(9)?,
            bearer_token: secret(10)?,
            client_id: text(11)?,
            client_secret: secret(12)?,
            token_url: text(13)?,
            scope: text(14)?,
            access_token: secret(15)?,
            refresh_token: secret(16)?,
            token_expiry: number(17)?,
        },
    })
}

/// JavaScript has one kind of number: `1700000000000.0` is a time too.
#[expect(clippy::cast_possible_truncation, reason = "a cast that saturates is what is wanted")]
const fn whole(number: f64) -> i64 {
    number as i64
}

fn failure(path: &Path, error: &sqlx::Error) -> NodeGatewayError {
    let path = path.to_owned();
    match error {
        // NOTADB, CORRUPT
        sqlx::Error::Database(database) if matches!(database.code().as_deref(), Some("26" | "11")) => {
            NodeGatewayError::NotNodes { path, reason: database.message().to_owned() }
        }
        _ => NodeGatewayError::Unreadable { path, reason: error.to_string() },
    }
}

impl Database {
    /// Takes a user over with the hash as it is: the password stays the same. The number stays the same where it is
    /// free. Returns `None`, and changes nothing, when there is a user of that name.
    pub async fn import_user(&self, user: &NodeUser) -> Result<Option<UserId>> {
        let mut tx = self.begin().await?;
        let id = free_id(&mut tx, user.id).await?;
        let created_at = user.created_at.unwrap_or_else(|| self.now());
        let (column, value) = if id.is_some() { (", id", ", $5") } else { ("", "") };
        let sql = format!(
            "INSERT INTO users (username, password_hash, session_name, created_at{column})
             VALUES ($1, $2, $3, $4{value}) ON CONFLICT DO NOTHING RETURNING id"
        );
        let imported: Option<i64> = with_conn!(&mut tx, conn => {
            let mut query = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(&user.username)
                .bind(&user.password_hash)
                .bind(user.session_name.as_deref())
                .bind(created_at.0);
            if let Some(id) = id {
                query = query.bind(id);
            }
            query.fetch_optional(conn).await?
        });
        let Some(imported) = imported.map(UserId) else { return Ok(None) };
        users::continue_numbering(&mut tx).await?;
        if let Some(url) = &user.callback_url {
            endpoints::set_callback(&mut tx, imported, Some(url), self.now()).await?;
        }
        if let Ok(settings) = user.webhook_auth.settings() {
            let tokens = user.webhook_auth.tokens();
            webhook_auth::take_over(&mut tx, &self.shared, imported, &settings, tokens.as_ref()).await?;
        }
        tx.commit().await?;
        Ok(Some(imported))
    }
}

/// The number that a user had, unless somebody has it here; the admin's is never free.
async fn free_id(tx: &mut Tx, wanted: Option<i64>) -> Result<Option<i64>> {
    let Some(wanted) = wanted.filter(|&id| id > UserId::ADMIN.0) else { return Ok(None) };
    let taken: bool = with_conn!(tx, conn => {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)")
            .bind(wanted)
            .fetch_one(conn)
            .await?
    });
    Ok((!taken).then_some(wanted))
}
