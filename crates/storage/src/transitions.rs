//! A session's changes of state: stored, remembered in its history, and told to webhooks, in one transaction.

use domain::{
    EventId, Fence, SessionId, Timestamp, UserId,
    event::{EventKind, session_webhook},
    session::{PairingCode, SessionState},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    dialect::LOCK_ROWS,
    driver::{Tx, with_conn},
    error::Error,
    events::{NewEvent, announce},
    fence::Allowed,
    group_commit::Write,
    rows::word,
};

/// How a session changed, as its owner saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub fence: Fence,
    pub to: SessionState,
    pub reason: Option<String>,
    /// The linked number, when it became known.
    pub phone: Option<String>,
    /// Whether it is linked, when that changed.
    pub credentials_present: Option<bool>,
    /// What to scan now; forgotten with every state but pairing.
    pub qr: Option<PairingCode>,
    pub at: Timestamp,
}

impl Database {
    /// Stores a transition. Returns after the commit, so that nobody is told before.
    pub async fn transition(&self, transition: Transition) -> Result<()> {
        if self.writes.write(transition).await? { Ok(()) } else { Err(Error::LeaseLost) }
    }
}

impl Write for Transition {
    /// Whether the claim held.
    type Output = bool;

    fn fence(&self) -> Option<Fence> {
        Some(self.fence)
    }

    async fn apply(writes: &[&Self], allowed: &Allowed, _shared: &Shared, tx: &mut Tx) -> Result<Vec<bool>> {
        let mut outputs = Vec::with_capacity(writes.len());
        for write in writes {
            let held = allowed.contains(write.fence);
            if held {
                carry_out(tx, write).await?;
            }
            outputs.push(held);
        }
        Ok(outputs)
    }
}

async fn carry_out(tx: &mut Tx, transition: &Transition) -> Result<()> {
    let session = transition.fence.session;
    let (reason, phone) = (transition.reason.as_deref(), transition.phone.as_deref());
    set_state(tx, session, transition.to, reason, phone, transition.at).await?;
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE sessions SET qr = $2, qr_expires_at = $3,
               phone = COALESCE($4, phone),
               credentials_present = COALESCE($5, credentials_present)
             WHERE id = $1",
        )
        .bind(session.uuid())
        .bind(transition.qr.as_ref().map(|qr| &qr.text))
        .bind(transition.qr.as_ref().map(|qr| qr.expires_at.0))
        .bind(phone)
        .bind(transition.credentials_present)
        .execute(conn)
        .await?;
    });
    Ok(())
}

/// A change of state that no owner makes: a session is started or removed. Returns whether it was there.
pub(crate) async fn unowned(
    tx: &mut Tx,
    session: SessionId,
    to: SessionState,
    reason: Option<&str>,
    at: Timestamp,
) -> Result<bool> {
    set_state(tx, session, to, reason, None, at).await
}

#[derive(sqlx::FromRow)]
struct Before {
    user_id: i64,
    name: String,
    state: String,
    phone: Option<String>,
    event_sequence: i64,
    runner_id: Option<Uuid>,
}

/// Writes a state and its reason, with the linked number when that became known; when the state is another one than before, also the history and the webhook's
/// event.
async fn set_state(
    tx: &mut Tx,
    session: SessionId,
    to: SessionState,
    reason: Option<&str>,
    phone: Option<&str>,
    at: Timestamp,
) -> Result<bool> {
    // Locked, because the number of the event is counted up from what is read here.
    let sql = format!(
        "SELECT s.user_id, s.name, s.state, s.phone, s.event_sequence, s.runner_id FROM sessions s WHERE s.id = $1{}",
        LOCK_ROWS.of(tx)
    );
    let before: Option<Before> = with_conn!(tx, conn => {
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(session.uuid())
            .fetch_optional(conn)
            .await?
    });
    let Some(before) = before else { return Ok(false) };
    if word::<SessionState>(&before.state)? == to {
        with_conn!(tx, conn => {
            sqlx::query("UPDATE sessions SET reason = $2 WHERE id = $1")
                .bind(session.uuid())
                .bind(reason)
                .execute(conn)
                .await?;
        });
        return Ok(true);
    }
    let sequence = before.event_sequence + 1;
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE sessions SET state = $2, reason = $3, since = $4, event_sequence = $5,
               disconnected_since = CASE WHEN $2 = 'connected' THEN NULL
                 ELSE COALESCE(disconnected_since, $4) END,
               qr = NULL, qr_expires_at = NULL
             WHERE id = $1",
        )
        .bind(session.uuid())
        .bind(to.as_str())
        .bind(reason)
        .bind(at.0)
        .bind(sequence)
        .execute(conn)
        .await?;
    });
    with_conn!(tx, conn => {
        sqlx::query(
            "INSERT INTO session_events (session_id, user_id, at, state, reason, runner_id)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(session.uuid())
        .bind(before.user_id)
        .bind(at.0)
        .bind(to.as_str())
        .bind(reason)
        .bind(before.runner_id)
        .execute(conn)
        .await?;
    });
    let number = phone.or(before.phone.as_deref());
    let payload = serde_json::to_string(&session_webhook(&before.name, to, reason, number, sequence, at))
        .map_err(|error| Error::Refused(error.to_string()))?;
    let event = NewEvent {
        id: EventId::new(),
        session,
        user: UserId(before.user_id),
        kind: EventKind::Session,
        sequence,
        message: None,
        chat: None,
        payload,
        traceparent: None,
    };
    announce(tx, &[event], at).await?;
    Ok(true)
}
