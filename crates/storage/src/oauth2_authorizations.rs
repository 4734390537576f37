//! Users who were sent to an authorization server, until they come back with a code.

use std::time::Duration;

use domain::UserId;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Result, database::Database, driver::with_conn, error::Error};

/// The most that one user can have begun and not ended.
const MOST_OPEN: i64 = 20;

/// What an authorization began with, and its end needs.
#[derive(Debug, Clone)]
pub struct Authorization {
    pub redirect_uri: String,
    /// PKCE's secret.
    pub verifier: SecretString,
}

/// What a verifier is sealed to.
fn place(user: UserId) -> Vec<u8> {
    format!("oauth2_authorizations/{user}/verifier").into_bytes()
}

/// What is stored of a state, which is as good as a password until it is used.
fn hash(state: &str) -> Vec<u8> {
    secrets::hash_token(state).as_bytes().to_vec()
}

impl Database {
    /// Remembers that a user was sent away with this `state`, for as long as `life`.
    pub async fn begin_authorization(
        &self,
        user: UserId,
        state: &str,
        authorization: &Authorization,
        life: Duration,
    ) -> Result<()> {
        let now = self.now();
        let sealed = authorization.verifier.expose_secret().as_bytes();
        let sealed = self.shared.keys.seal(sealed, &place(user));
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM oauth2_authorizations WHERE user_id = $1 AND (expires_at <= $2 OR state NOT IN (
                    SELECT state FROM oauth2_authorizations WHERE user_id = $1 ORDER BY expires_at DESC LIMIT $3))",
            )
            .bind(user.0)
            .bind(now.0)
            .bind(MOST_OPEN - 1)
            .execute(&mut *conn)
            .await?;
            sqlx::query(
                "INSERT INTO oauth2_authorizations (state, user_id, redirect_uri, verifier, expires_at)
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(hash(state))
            .bind(user.0)
            .bind(&authorization.redirect_uri)
            .bind(sealed)
            .bind((now + life).0)
            .execute(conn)
            .await?;
        });
        Ok(tx.commit().await?)
    }

    /// What the user began with this `state`, once: it is forgotten. `None` when there is no such thing, or it is
    /// too late.
    pub async fn end_authorization(&self, user: UserId, state: &str) -> Result<Option<Authorization>> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let row: Option<(String, Vec<u8>, i64)> = with_conn!(&mut tx, conn => {
            sqlx::query_as(
                "DELETE FROM oauth2_authorizations WHERE state = $1 AND user_id = $2
                 RETURNING redirect_uri, verifier, expires_at",
            )
            .bind(hash(state))
            .bind(user.0)
            .fetch_optional(conn)
            .await?
        });
        tx.commit().await?;
        let Some((redirect_uri, sealed, expires_at)) = row else { return Ok(None) };
        if expires_at <= now.0 {
            return Ok(None);
        }
        let unreadable = |reason: String| Error::Unreadable { what: "authorization", reason };
        let verifier =
            self.shared.keys.open(&sealed, &place(user)).map_err(|error| unreadable(error.to_string()))?;
        let verifier = String::from_utf8(verifier).map_err(|error| unreadable(error.to_string()))?;
        Ok(Some(Authorization { redirect_uri, verifier: verifier.into() }))
    }
}
