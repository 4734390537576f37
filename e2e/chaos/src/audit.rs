//! What PostgreSQL saw: who wrote for which session. Every process has a name of its own there, and a trigger compares
//! it with the name of the session's owner.

use sqlx::{Connection as _, PgConnection};

/// The statements that make the triggers. The rows of a session that only its owner writes are its keys and what it
/// received; the API writes none of them.
const TRIGGERS: &str = "
    CREATE TABLE IF NOT EXISTS stale_writes (at TIMESTAMPTZ NOT NULL, what TEXT NOT NULL, writer TEXT NOT NULL, owner TEXT NOT NULL);
    CREATE OR REPLACE FUNCTION audit_write() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE writer TEXT := current_setting('application_name'); owner TEXT; session UUID;
    BEGIN
        IF writer LIKE 'runner%' THEN
            session := CASE WHEN TG_OP = 'DELETE' THEN OLD.session_id ELSE NEW.session_id END;
            SELECT r.name INTO owner FROM sessions s JOIN runners r ON r.id = s.runner_id WHERE s.id = session;
            IF owner IS NOT NULL AND owner <> writer THEN
                INSERT INTO stale_writes VALUES (clock_timestamp(), TG_TABLE_NAME, writer, owner);
            END IF;
        END IF;
        RETURN NULL;
    END $$;
    CREATE OR REPLACE TRIGGER audit_keys AFTER INSERT OR UPDATE OR DELETE ON session_state
        FOR EACH ROW EXECUTE FUNCTION audit_write();
    CREATE OR REPLACE TRIGGER audit_events AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION audit_write();
    CREATE OR REPLACE TRIGGER audit_outbound AFTER UPDATE ON outbound FOR EACH ROW EXECUTE FUNCTION audit_write();
    CREATE OR REPLACE TRIGGER audit_history AFTER INSERT ON session_events
        FOR EACH ROW EXECUTE FUNCTION audit_write();
";

/// Where a session is, and how often it has changed hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub session: String,
    /// The name of its runner.
    pub runner: Option<String>,
    pub token: i64,
}

/// A look into the database from outside.
#[derive(Debug)]
pub struct Audit {
    url: String,
}

impl Audit {
    /// Sets the triggers up, once the schema is there.
    #[expect(clippy::expect_used, reason = "nothing can be shown without it")]
    pub async fn install(url: &str) -> Self {
        let mut connection = PgConnection::connect(url).await.expect("a connection to PostgreSQL");
        sqlx::raw_sql(TRIGGERS).execute(&mut connection).await.expect("the triggers");
        connection.close().await.expect("the connection is closed");
        Self { url: url.to_owned() }
    }

    /// Takes a session out of the runners' hands; returns the token under which it can be written for.
    #[expect(clippy::expect_used, reason = "nothing can be shown without it")]
    pub async fn take_away(&self, session: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.url).await.expect("a connection to PostgreSQL");
        sqlx::query_scalar(
            "UPDATE sessions SET wanted = FALSE, runner_id = NULL, token = token + 1000 WHERE name = $1 RETURNING token",
        )
        .bind(session)
        .fetch_one(&mut connection)
        .await
        .expect("the session")
    }

    /// Writes for a session that another runner owned at that moment, in words.
    #[expect(clippy::expect_used, reason = "nothing can be shown without it")]
    pub async fn stale_writes(&self) -> Vec<String> {
        let mut connection = PgConnection::connect(&self.url).await.expect("a connection to PostgreSQL");
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT what, writer, owner FROM stale_writes ORDER BY at")
                .fetch_all(&mut connection)
                .await
                .expect("the audit");
        rows.into_iter().map(|(what, writer, owner)| format!("{writer} wrote {what} of {owner}'s")).collect()
    }

    /// Who holds what; `None` while the database is away.
    pub async fn holds(&self) -> Option<Vec<Hold>> {
        let mut connection = PgConnection::connect(&self.url).await.ok()?;
        let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
            "SELECT s.name, r.name, s.token FROM sessions s LEFT JOIN runners r ON r.id = s.runner_id
             WHERE s.wanted ORDER BY s.name",
        )
        .fetch_all(&mut connection)
        .await
        .ok()?;
        Some(rows.into_iter().map(|(session, runner, token)| Hold { session, runner, token }).collect())
    }
}
