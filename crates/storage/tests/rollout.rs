//! Expand, then contract: during a rollout the version before runs on the schema of the version after. What its code
//! writes and reads, as [`STATEMENTS`] has it, must work before and after the migrations that it does not know.
//!
//! When a release is made: raise [`RELEASED`] to its last migration, and let [`STATEMENTS`] say what its code does. A
//! statement that stops working here needs another migration, or, one release later, a raised `schema_floor`.

use std::{borrow::Cow, sync::Arc};

use domain::SystemClock;
use scratch::Dir;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool, migrate::Migrator};
use storage::{Database, Options};

use crate::stand::{Raw, keys};

/// The last migration of the version before.
const RELEASED: i64 = 1;

/// What the version before writes and reads, table by table. `{uN}` is a UUID, `{b}` some bytes, and `{r}` tells the
/// rounds apart.
const STATEMENTS: &[&str] = &[
    "INSERT INTO users (username, password_hash, is_admin, created_at) VALUES ('anna{r}', 'hash', FALSE, 1)
     ON CONFLICT (username) DO NOTHING",
    "UPDATE users SET password_hash = 'other', password_version = password_version + 1 WHERE username = 'anna{r}'",
    "SELECT id, username, password_hash, password_version, is_admin, created_at FROM users",
    "INSERT INTO runners (id, name, version, accepting, capacity, started_at, expires_at)
     VALUES ({u1}, 'r', '1', TRUE, 10, 1, 2)",
    "UPDATE runners SET expires_at = 3, accepting = FALSE WHERE id = {u1}",
    "INSERT INTO sessions (id, user_id, name, wanted, state, since, disconnected_since, created_at)
     VALUES ({u2}, (SELECT id FROM users WHERE username = 'anna{r}'), 'shop{r}', TRUE, 'connecting', 1, 1, 1)
     ON CONFLICT (name) DO NOTHING",
    "UPDATE sessions SET runner_id = {u1}, token = token + 1 WHERE id = {u2} AND runner_id IS NULL",
    "UPDATE sessions SET state = 'connected', reason = NULL, since = 2, event_sequence = 1,
       disconnected_since = NULL, qr = NULL, qr_expires_at = NULL, phone = '62811', credentials_present = TRUE,
       last_message_at = 5 WHERE id = {u2}",
    "SELECT id, user_id, name, wanted, state, reason, since, credentials_present, phone, qr, qr_expires_at,
       last_message_at, disconnected_since, created_at, token FROM sessions WHERE runner_id = {u1}",
    "INSERT INTO session_events (session_id, user_id, at, state, reason, runner_id)
     VALUES ({u2}, 1, 2, 'connected', NULL, {u1})",
    "INSERT INTO session_state (session_id, kind, key, value, number, expires_at)
     VALUES ({u2}, 'session', 'a', {b}, 0, NULL)
     ON CONFLICT (session_id, kind, key) DO UPDATE SET value = excluded.value",
    "DELETE FROM session_state WHERE session_id = {u2} AND kind = 'none'",
    "INSERT INTO outbound (id, session_id, user_id, wa_id, chat, body, state, idempotency_key, request_hash,
       accepted_at, expires_at)
     VALUES ({u3}, {u2}, 1, 'WA{r}', '1@s.whatsapp.net', '{}', 'queued', 'key{r}', {b}, 1, 9)",
    "UPDATE outbound SET state = 'sent', sent_at = 2 WHERE id = {u3} AND state = 'queued'",
    "SELECT position, id, session_id, user_id, wa_id, chat, body, state, failure_code, failure_reason, accepted_at,
       expires_at, sent_at, delivered_at, read_at FROM outbound WHERE session_id = {u2}",
    "INSERT INTO events (id, session_id, user_id, kind, sequence, chat, sender, message_id, payload, created_at)
     VALUES ({u4}, {u2}, 1, 'message', 2, 'c', 's', 'm{r}', '{}', 1)
     ON CONFLICT (session_id, chat, sender, message_id) WHERE message_id IS NOT NULL DO NOTHING",
    "INSERT INTO endpoints (id, user_id, layout, url, kinds, enabled, secret, created_at)
     VALUES ({u5}, (SELECT id FROM users WHERE username = 'anna{r}'), 'callback', 'http://h', ',message,', TRUE, NULL, 1)",
    "INSERT INTO deliveries (id, event_id, endpoint_id, ordering_key, state, next_attempt_at, created_at)
     VALUES ({u6}, {u4}, {u5}, 'c', 'pending', 1, 1)",
    "UPDATE deliveries SET state = 'claimed', claimed_until = 9 WHERE id = {u6} AND state = 'pending'",
    "UPDATE deliveries SET state = 'delivered', claimed_until = NULL, attempts = 1, last_status = 200,
       last_error = NULL, finished_at = 3 WHERE id = {u6} AND state = 'claimed'",
    "INSERT INTO attempts (delivery_id, number, at, duration_ms, status, answer) VALUES ({u6}, 1, 2, 3, 200, NULL)
     ON CONFLICT (delivery_id, number) DO NOTHING",
    "UPDATE sessions SET runner_id = NULL WHERE id = {u2} AND token = 1",
    "DELETE FROM runners WHERE expires_at < 4",
];

/// A statement in the words of a database. Each round has ids of its own.
fn spelled(statement: &str, round: u32, raw: &Raw) -> String {
    let mut text = statement.replace("{r}", &round.to_string());
    for number in 1..=6 {
        let hex = format!("0193b3f0a1b27c3d8e4f5a6b7c{round:02}{number:04}");
        let uuid = match raw {
            Raw::Sqlite(_) => format!("X'{hex}'"),
            Raw::Postgres(_) => format!("'{hex}'::uuid"),
        };
        text = text.replace(&format!("{{u{number}}}"), &uuid);
    }
    text.replace(
        "{b}",
        match raw {
            Raw::Sqlite(_) => "X'0102'",
            Raw::Postgres(_) => "'\\x0102'::bytea",
        },
    )
}

async fn everything_works(raw: &Raw, round: u32) {
    for statement in STATEMENTS {
        let sql = spelled(statement, round, raw);
        let reads = sql.trim_start().starts_with("SELECT");
        let touched = match raw {
            Raw::Sqlite(pool) => {
                let sql = AssertSqlSafe(sql.clone());
                if reads {
                    sqlx::query(sql).fetch_all(pool).await.map(|rows| rows.len() as u64)
                } else {
                    sqlx::query(sql).execute(pool).await.map(|done| done.rows_affected())
                }
            }
            Raw::Postgres(pool) => {
                let sql = AssertSqlSafe(sql.clone());
                if reads {
                    sqlx::query(sql).fetch_all(pool).await.map(|rows| rows.len() as u64)
                } else {
                    sqlx::query(sql).execute(pool).await.map(|done| done.rows_affected())
                }
            }
        };
        let touched = touched.unwrap_or_else(|error| panic!("round {round}: {error}: {sql}"));
        let none = sql.contains("kind = 'none'");
        assert_eq!(touched == 0, none, "round {round}: {touched} rows: {sql}");
    }
}

/// The migrations of the version before.
fn released(all: &Migrator) -> Migrator {
    let mut migrator = Migrator::DEFAULT;
    migrator.migrations = Cow::Owned(all.iter().filter(|one| one.version <= RELEASED).cloned().collect());
    migrator
}

async fn rollout(raw: Raw, url: &str) {
    let migrated = match &raw {
        Raw::Sqlite(pool) => released(&sqlx::migrate!("../../migrations/sqlite")).run(pool).await,
        Raw::Postgres(pool) => released(&sqlx::migrate!("../../migrations/postgres")).run(pool).await,
    };
    migrated.unwrap();
    everything_works(&raw, 1).await;
    let new = Database::open(&Options::new(url), keys(), Arc::new(SystemClock)).await.unwrap();
    everything_works(&raw, 2).await;
    // And what the old one wrote, the new one reads.
    let sessions = new.sessions(None).await.unwrap();
    assert_eq!(sessions.iter().map(|session| session.name.as_str()).collect::<Vec<_>>(), ["shop1", "shop2"]);
    for session in sessions.iter() {
        assert_eq!(new.queued_messages(session.id, 0, 10).await.unwrap(), []);
        assert!(session.connected());
    }
    assert!(new.user_by_name("anna1").await.unwrap().is_some());
}

#[tokio::test]
async fn the_version_before_runs_on_the_schema_after_sqlite() {
    let folder = Dir::new();
    let url = format!("sqlite:{}", folder.join("test.db").display());
    let pool = SqlitePool::connect(&format!("{url}?mode=rwc")).await.unwrap();
    rollout(Raw::Sqlite(pool), &url).await;
}

#[tokio::test]
async fn the_version_before_runs_on_the_schema_after_postgres() {
    let url = scratch::postgres_url().unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    rollout(Raw::Postgres(pool), &url).await;
}
