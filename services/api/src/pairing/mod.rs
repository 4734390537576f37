//! Starting a session, up to the moment when there is something to show: a QR code, or that it is connected.

mod qr_image;

use std::time::Duration;

use axum::http::StatusCode;
use bus::{Closed, Hints, messages::Hint, subjects};
use domain::{
    SessionId, Timestamp, UserId,
    access::AuditAction,
    session::{InvalidName, PairingCode, Session, SessionState, full_name},
};
use storage::Started;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub(crate) use qr_image::{data_url, png, svg};

use crate::{
    announce, audit,
    auth::Caller,
    error::{Problem, answers_as_problem},
    fields::Invalid,
    state::ApiState,
};

/// How long a started session's changed row may go unnoticed when its hint was lost.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a started session has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// A code to scan.
    Code(PairingCode),
    /// It is linked and on line.
    Connected,
}

/// A session that was started.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) session: String,
    pub(crate) offer: Offer,
}

/// Why a session was not started, or has nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("Invalid session name: {0}")]
    Name(#[from] InvalidName),
    #[error("Session already exist")]
    Exists,
    #[error("You can only use your own sessions")]
    Foreign,
    #[error("The session cannot be linked now: {}", described(*.state, .reason.as_deref()))]
    Refused { state: SessionState, reason: Option<String> },
    #[error("There was nothing to scan within {} s: {}", .waited.as_secs(), described(*.state, .reason.as_deref()))]
    TimedOut { waited: Duration, state: SessionState, reason: Option<String> },
    #[error("The session was removed while it was being started")]
    Removed,
    #[error("The gateway is stopping, try again")]
    Stopping,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

fn described(state: SessionState, reason: Option<&str>) -> String {
    reason.map_or_else(|| format!("it is {state}"), |reason| format!("it is {state} ({reason})"))
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        use StartError as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::Name(_) => Self::new(StatusCode::BAD_REQUEST, "invalid_session_name", words),
            E::Exists => Self::new(StatusCode::BAD_REQUEST, "session_exists", words),
            E::Foreign => Self::new(StatusCode::FORBIDDEN, "not_your_session", words),
            E::Refused { state, .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, state.as_str(), words),
            E::TimedOut { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "start_timeout", words),
            E::Removed => Self::new(StatusCode::CONFLICT, "session_removed", words),
            E::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", words).retry_after(LOOK_AGAIN)
            }
            E::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(StartError);

/// Starts what the caller calls `given`, and waits for something to show.
pub(crate) async fn start(state: &ApiState, caller: &Caller, given: &str) -> Result<Begun, StartError> {
    let name = full_name(&caller.username, caller.is_admin, given)?;
    // An admin may start what belongs to somebody; it stays theirs.
    let known = state.database.session_by_name(&name).await?;
    let owner = match &known {
        Some(session) if !caller.may_use_sessions_of(session.user) => return Err(StartError::Foreign),
        Some(session) => session.user,
        None => caller.id,
    };
    let session = begin(state, owner, &name).await?;
    if known.is_none() {
        audit::note(state, caller, AuditAction::SessionCreated, name.clone()).await;
    }
    let offer = wait(state, &session).await?;
    Ok(Begun { session: name, offer })
}

/// Starts a session that its owner may start.
pub(crate) async fn begin(state: &ApiState, owner: UserId, name: &str) -> Result<Box<Session>, StartError> {
    let session = match state.database.start_session(owner, name).await? {
        Started::Session(session) => session,
        Started::Taken => return Err(StartError::Foreign),
        Started::NoUser => return Err(StartError::Removed),
    };
    if session.connected() {
        return Err(StartError::Exists);
    }
    announce::session_started(&state.bus, session.id);
    announce::events_stored(&state.bus, session.user);
    Ok(session)
}

/// Waits until a started session has something to show.
pub(crate) async fn wait(state: &ApiState, session: &Session) -> Result<Offer, StartError> {
    let waited = state.settings.start_wait;
    let deadline = Instant::now() + waited;
    let mut changes = Changes::of(state, session.id, LOOK_AGAIN).await;
    loop {
        let Some(row) = state.database.session(session.id).await? else { return Err(StartError::Removed) };
        if let Some(outcome) = outcome(&row, state.clock.now()) {
            return outcome;
        }
        tokio::select! {
            () = changes.next() => {}
            () = state.shutdown.cancelled() => return Err(StartError::Stopping),
            () = sleep_until(deadline) => {
                return Err(StartError::TimedOut { waited, state: row.state, reason: row.reason });
            }
        }
    }
}

/// What a started session's row comes to; `None` while it is worth waiting.
fn outcome(session: &Session, now: Timestamp) -> Option<Result<Offer, StartError>> {
    use SessionState as S;
    match session.state {
        S::Connected => Some(Ok(Offer::Connected)),
        S::Pairing => valid_code(session, now).map(|code| Ok(Offer::Code(code.clone()))),
        S::Connecting | S::Reconnecting => None,
        state @ (S::Stopped | S::LoggedOut | S::Replaced | S::Banned | S::Outdated | S::NeedsPasskey) => {
            Some(Err(StartError::Refused { state, reason: session.reason.clone() }))
        }
    }
}

/// The code that can be scanned now.
pub(crate) fn valid_code(session: &Session, now: Timestamp) -> Option<&PairingCode> {
    session.qr.as_ref().filter(|qr| session.state == SessionState::Pairing && qr.expires_at > now)
}

/// Moments at which a session's row may have changed.
pub(crate) struct Changes {
    hints: Result<Hints<Hint>, Closed>,
    tick: tokio::time::Interval,
}

impl Changes {
    /// Of that session; `at_least` so often, should hints be lost.
    pub(crate) async fn of(state: &ApiState, session: SessionId, at_least: Duration) -> Self {
        let mut tick = interval(at_least);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        Self { hints: state.bus.subscribe(subjects::session_changed(session), 16).await, tick }
    }

    pub(crate) async fn next(&mut self) {
        let Ok(hints) = &mut self.hints else {
            self.tick.tick().await;
            return;
        };
        tokio::select! {
            _ = self.tick.tick() => {}
            hint = hints.next() => if hint.is_none() { self.hints = Err(Closed) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(state: SessionState, qr_expires_at: Option<i64>) -> Session {
        Session {
            id: SessionId::new(),
            user: UserId::ADMIN,
            name: "shop".into(),
            wanted: true,
            state,
            reason: Some("because".into()),
            since: Timestamp(0),
            credentials_present: false,
            phone: None,
            qr: qr_expires_at.map(|at| PairingCode { text: "2@x".into(), expires_at: Timestamp(at) }),
            last_message_at: None,
            disconnected_since: Some(Timestamp(0)),
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn what_a_row_comes_to() {
        use SessionState as S;
        let table = [
            (S::Connected, None, "connected"),
            (S::Pairing, Some(1001), "code"),
            (S::Pairing, Some(1000), "wait"),
            (S::Pairing, None, "wait"),
            (S::Connecting, None, "wait"),
            (S::Connecting, Some(2000), "wait"),
            (S::Reconnecting, None, "wait"),
            (S::Banned, None, "The session cannot be linked now: it is banned (because)"),
            (S::LoggedOut, None, "The session cannot be linked now: it is logged_out (because)"),
            (S::Stopped, None, "The session cannot be linked now: it is stopped (because)"),
        ];
        for (state, qr, expected) in table {
            let words = match outcome(&session(state, qr), Timestamp(1000)) {
                None => "wait".to_owned(),
                Some(Ok(Offer::Connected)) => "connected".to_owned(),
                Some(Ok(Offer::Code(code))) if code.text == "2@x" => "code".to_owned(),
                Some(Ok(Offer::Code(code))) => code.text,
                Some(Err(error)) => error.to_string(),
            };
            assert_eq!(words, expected, "{state} {qr:?}");
        }
    }
}
