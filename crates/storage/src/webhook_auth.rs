//! How users' webhooks authenticate, and who renews a token.
//!
//! Only one renews, among all processes: it claims the renewal for a time, as dispatchers claim deliveries. Every
//! claim has a number that grows, and the tokens are stored under that number only. So a claim that ran out, or
//! that new settings made worthless, stores nothing.

use std::{borrow::Cow, sync::Arc, time::Duration};

use domain::{
    Timestamp, UserId,
    webhook_auth::{Incomplete, Tokens, WebhookAuth, WebhookAuthChange, pause_after_failures},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use crate::{
    Result,
    database::{Database, Shared},
    dialect::LOCK_ROWS,
    driver::{Tx, with_conn},
    error::Error,
    rows::word,
};

/// A user's settings and the tokens held.
#[derive(Debug, Clone, Default)]
pub struct StoredAuth {
    pub settings: WebhookAuth,
    pub tokens: Option<Tokens>,
    /// Grows with every change of either.
    pub version: i64,
}

/// What became of new settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthChanged {
    /// They are stored, and the tokens held are dropped.
    Done,
    /// Nothing is stored: with what was there before, something is still missing.
    Incomplete(Incomplete),
    /// There is no such user.
    NoUser,
}

/// Whether the caller is to renew a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalClaim {
    /// Yes, under this number.
    Yours(i64),
    /// Somebody else is at it.
    Taken,
    /// The last renewal failed a moment ago.
    TooEarly,
    /// The settings or the tokens are other ones by now.
    Changed,
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "s.type, s.username, s.password, s.bearer_token, s.client_id, s.client_secret, s.token_url, s.scope, \
         s.tokens, s.token_expires_at, s.token_renew_at, s.version"
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    r#type: String,
    username: Option<String>,
    password: Option<Vec<u8>>,
    bearer_token: Option<Vec<u8>>,
    client_id: Option<String>,
    client_secret: Option<Vec<u8>>,
    token_url: Option<String>,
    scope: Option<String>,
    tokens: Option<Vec<u8>>,
    token_expires_at: Option<i64>,
    token_renew_at: Option<i64>,
    version: i64,
}

/// The form of tokens before they are sealed.
#[derive(Serialize, Deserialize)]
struct Pair<'a> {
    access: Cow<'a, str>,
    refresh: Option<Cow<'a, str>>,
}

/// What a sealed value belongs to.
fn place(user: UserId, column: &str) -> Vec<u8> {
    format!("webhook_auth/{user}/{column}").into_bytes()
}

fn open(shared: &Shared, user: UserId, column: &'static str, sealed: &[u8]) -> Result<SecretString> {
    let unreadable = |reason: String| Error::Unreadable { what: "webhook authentication", reason };
    let opened = shared.keys.open(sealed, &place(user, column));
    let opened = opened.map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(opened).map(Into::into).map_err(|error| unreadable(error.to_string()))
}

fn seal(shared: &Shared, user: UserId, column: &str, secret: Option<&SecretString>) -> Option<Vec<u8>> {
    secret.map(|secret| shared.keys.seal(secret.expose_secret().as_bytes(), &place(user, column)))
}

impl Row {
    fn open(self, shared: &Shared, user: UserId) -> Result<StoredAuth> {
        let opened = |column, sealed: Option<Vec<u8>>| {
            sealed.map(|sealed| open(shared, user, column, &sealed)).transpose()
        };
        let tokens = match (opened("tokens", self.tokens)?, self.token_expires_at, self.token_renew_at) {
            (Some(pair), Some(expires_at), Some(renew_at)) => {
                let pair: Pair<'_> = serde_json::from_str(pair.expose_secret())
                    .map_err(|error| Error::Unreadable { what: "token", reason: error.to_string() })?;
                Some(Tokens {
                    access: pair.access.into_owned().into(),
                    refresh: pair.refresh.map(|refresh| refresh.into_owned().into()),
                    expires_at: Timestamp(expires_at),
                    renew_at: Timestamp(renew_at),
                })
            }
            _ => None,
        };
        let settings = WebhookAuth {
            kind: word(&self.r#type)?,
            username: self.username,
            password: opened("password", self.password)?,
            bearer_token: opened("bearer_token", self.bearer_token)?,
            client_id: self.client_id,
            client_secret: opened("client_secret", self.client_secret)?,
            token_url: self.token_url,
            scope: self.scope,
        };
        Ok(StoredAuth { settings, tokens, version: self.version })
    }
}

impl Database {
    /// A user's settings and tokens as they are now; equal questions of one moment share a query.
    pub async fn webhook_auth(&self, user: UserId) -> Result<Arc<StoredAuth>> {
        self.shared
            .coalesce
            .ask(("webhook auth", user.0), || async {
                let mut reader = self.reader().await?;
                let row: Option<Row> = with_conn!(&mut reader, conn => {
                    sqlx::query_as(concat!("SELECT ", columns!(), " FROM webhook_auth s WHERE s.user_id = $1"))
                        .bind(user.0)
                        .fetch_optional(conn)
                        .await?
                });
                row.map_or_else(|| Ok(StoredAuth::default()), |row| row.open(&self.shared, user))
            })
            .await
    }

    /// Changes a user's settings, and drops the tokens held.
    pub async fn change_webhook_auth(&self, user: UserId, change: WebhookAuthChange) -> Result<AuthChanged> {
        let mut tx = self.begin().await?;
        let sql = format!(
            concat!("SELECT ", columns!(), " FROM webhook_auth s WHERE s.user_id = $1{}"),
            LOCK_ROWS.of(&tx)
        );
        let found: Option<Row> = with_conn!(&mut tx, conn => {
            sqlx::query(
                "INSERT INTO webhook_auth (user_id) SELECT id FROM users WHERE id = $1 AND deleted_at IS NULL
                 ON CONFLICT DO NOTHING",
            )
            .bind(user.0)
            .execute(&mut *conn)
            .await?;
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(user.0)
                .fetch_optional(conn)
                .await?
        });
        let Some(row) = found else { return Ok(AuthChanged::NoUser) };
        let stored = row.open(&self.shared, user)?;
        match stored.settings.changed(change) {
            Ok(settings) => store_settings(&mut tx, &self.shared, user, &settings).await?,
            Err(incomplete) => return Ok(AuthChanged::Incomplete(incomplete)),
        }
        tx.commit().await?;
        Ok(AuthChanged::Done)
    }

    /// Claims the renewal of what the caller knows as `version`, for as long as `hold`.
    pub async fn claim_renewal(&self, user: UserId, version: i64, hold: Duration) -> Result<RenewalClaim> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let claimed: Option<i64> = with_conn!(&mut tx, conn => {
            sqlx::query_scalar(
                "UPDATE webhook_auth SET renewal = renewal + 1, renewal_until = $3
                 WHERE user_id = $1 AND version = $2 AND (renewal_until IS NULL OR renewal_until <= $4)
                   AND (renewal_not_before IS NULL OR renewal_not_before <= $4)
                 RETURNING renewal",
            )
            .bind(user.0)
            .bind(version)
            .bind((now + hold).0)
            .bind(now.0)
            .fetch_optional(conn)
            .await?
        });
        if let Some(number) = claimed {
            tx.commit().await?;
            return Ok(RenewalClaim::Yours(number));
        }
        let found: Option<(i64, Option<i64>)> = with_conn!(&mut tx, conn => {
            sqlx::query_as("SELECT version, renewal_until FROM webhook_auth WHERE user_id = $1")
                .bind(user.0)
                .fetch_optional(conn)
                .await?
        });
        Ok(match found {
            Some((known, _)) if known != version => RenewalClaim::Changed,
            Some((_, Some(until))) if until > now.0 => RenewalClaim::Taken,
            Some(_) => RenewalClaim::TooEarly,
            None => RenewalClaim::Changed,
        })
    }

    /// Claims the renewal whoever is at it, because a person asks for a new token; `None` without settings.
    pub async fn take_renewal(&self, user: UserId, hold: Duration) -> Result<Option<i64>> {
        let until = self.now() + hold;
        let mut tx = self.begin().await?;
        let claimed = with_conn!(&mut tx, conn => {
            sqlx::query_scalar(
                "UPDATE webhook_auth SET renewal = renewal + 1, renewal_until = $2 WHERE user_id = $1
                 RETURNING renewal",
            )
            .bind(user.0)
            .bind(until.0)
            .fetch_optional(conn)
            .await?
        });
        tx.commit().await?;
        Ok(claimed)
    }

    /// Stores the tokens that a claim brought; `false` when the claim is worth nothing any more.
    pub async fn finish_renewal(&self, user: UserId, claim: i64, tokens: &Tokens) -> Result<bool> {
        let sealed = seal_tokens(&self.shared, user, tokens)?;
        let mut tx = self.begin().await?;
        let stored = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE webhook_auth SET tokens = $3, token_expires_at = $4, token_renew_at = $5,
                   version = version + 1, renewal_until = NULL, renewal_failures = 0, renewal_not_before = NULL
                 WHERE user_id = $1 AND renewal = $2",
            )
            .bind(user.0)
            .bind(claim)
            .bind(sealed)
            .bind(tokens.expires_at.0)
            .bind(tokens.renew_at.0)
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(stored == 1)
    }

    /// Gives a claim up that brought nothing. The next one is made after a pause that grows with each failure.
    pub async fn fail_renewal(&self, user: UserId, claim: i64) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let failures: Option<i32> = with_conn!(&mut tx, conn => {
            sqlx::query_scalar(
                "UPDATE webhook_auth SET renewal_until = NULL, renewal_failures = renewal_failures + 1
                 WHERE user_id = $1 AND renewal = $2 RETURNING renewal_failures",
            )
            .bind(user.0)
            .bind(claim)
            .fetch_optional(&mut *conn)
            .await?
        });
        if let Some(failures) = failures {
            with_conn!(&mut tx, conn => {
                sqlx::query("UPDATE webhook_auth SET renewal_not_before = $2 WHERE user_id = $1")
                    .bind(user.0)
                    .bind((now + pause_after_failures(failures)).0)
                    .execute(conn)
                    .await?;
            });
        }
        Ok(tx.commit().await?)
    }

    /// Gives a claim up that a person's request took; it is no reason to leave the server alone.
    pub async fn abandon_renewal(&self, user: UserId, claim: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("UPDATE webhook_auth SET renewal_until = NULL WHERE user_id = $1 AND renewal = $2")
                .bind(user.0)
                .bind(claim)
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }
}

fn seal_tokens(shared: &Shared, user: UserId, tokens: &Tokens) -> Result<Option<Vec<u8>>> {
    let pair = Pair {
        access: tokens.access.expose_secret().into(),
        refresh: tokens.refresh.as_ref().map(|refresh| refresh.expose_secret().into()),
    };
    let pair = serde_json::to_string(&pair).map_err(|error| Error::Refused(error.to_string()))?;
    Ok(seal(shared, user, "tokens", Some(&pair.into())))
}

/// Gives a new user settings and tokens from elsewhere.
pub(crate) async fn take_over(
    tx: &mut Tx,
    shared: &Shared,
    user: UserId,
    settings: &WebhookAuth,
    tokens: Option<&Tokens>,
) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query("INSERT INTO webhook_auth (user_id) VALUES ($1)").bind(user.0).execute(conn).await?;
    });
    store_settings(tx, shared, user, settings).await?;
    let Some(tokens) = tokens else { return Ok(()) };
    let sealed = seal_tokens(shared, user, tokens)?;
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE webhook_auth SET tokens = $2, token_expires_at = $3, token_renew_at = $4 WHERE user_id = $1",
        )
        .bind(user.0)
        .bind(sealed)
        .bind(tokens.expires_at.0)
        .bind(tokens.renew_at.0)
        .execute(conn)
        .await?;
    });
    Ok(())
}

/// Writes settings; the tokens held are dropped.
async fn store_settings(tx: &mut Tx, shared: &Shared, user: UserId, settings: &WebhookAuth) -> Result<()> {
    let seal = |column, secret: &Option<SecretString>| seal(shared, user, column, secret.as_ref());
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE webhook_auth SET type = $2, username = $3, password = $4, bearer_token = $5, client_id = $6,
               client_secret = $7, token_url = $8, scope = $9, tokens = NULL, token_expires_at = NULL,
               token_renew_at = NULL, version = version + 1, renewal = renewal + 1, renewal_until = NULL,
               renewal_failures = 0, renewal_not_before = NULL
             WHERE user_id = $1",
        )
        .bind(user.0)
        .bind(settings.kind.as_str())
        .bind(settings.username.as_deref())
        .bind(seal("password", &settings.password))
        .bind(seal("bearer_token", &settings.bearer_token))
        .bind(settings.client_id.as_deref())
        .bind(seal("client_secret", &settings.client_secret))
        .bind(settings.token_url.as_deref())
        .bind(settings.scope.as_deref())
        .execute(&mut *conn)
        .await?;
        // For those who look at the user only.
        sqlx::query("UPDATE users SET webhook_auth_type = $2 WHERE id = $1")
            .bind(user.0)
            .bind(settings.kind.as_str())
            .execute(conn)
            .await?;
    });
    Ok(())
}
