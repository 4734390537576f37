//! What a session is asked to do now or not at all: nothing of it is stored.

use std::time::Duration;

use axum::http::StatusCode;
use bus::{
    RequestError,
    messages::{SessionCommand, SessionReply},
    subjects,
};
use domain::session::{Session, SessionState};

use crate::{
    access::AccessError,
    error::{Problem, answers_as_problem},
    fields::Invalid,
    sending::SendError,
    state::ApiState,
};

/// When a session that is not connected may be so again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("The session is not connected: it is {state}")]
    NotConnected { state: SessionState },
    #[error("WhatsApp did not answer in time")]
    NoAnswer,
    #[error("WhatsApp refused: {reason}")]
    Refused { reason: String },
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        use AskError as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::Access(denied) => denied.into(),
            E::Send(error) => error.into(),
            E::NotConnected { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "session_not_connected", words)
                    .retry_after(TRY_AGAIN)
            }
            E::NoAnswer => Self::new(StatusCode::GATEWAY_TIMEOUT, "no_answer", words),
            E::Refused { .. } => Self::new(StatusCode::BAD_GATEWAY, "refused", words),
            E::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(AskError);

/// Asks whoever holds a session, and waits for the answer.
pub(crate) async fn ask(
    state: &ApiState,
    session: &Session,
    command: &SessionCommand,
    wait: Duration,
) -> Result<SessionReply, AskError> {
    match state.bus.request(&subjects::session_command(session.id), command, wait).await {
        Ok(SessionReply::NotConnected) | Err(RequestError::NoResponders) => {
            Err(AskError::NotConnected { state: session.state })
        }
        Ok(SessionReply::Refused { reason }) => Err(AskError::Refused { reason }),
        Ok(reply) => Ok(reply),
        Err(RequestError::Timeout | RequestError::Abandoned | RequestError::Disconnected) => {
            Err(AskError::NoAnswer)
        }
        Err(error @ (RequestError::Unsupported | RequestError::Malformed)) => {
            tracing::warn!(session.id = %session.id, %error, "the session's holder is of another version");
            Err(AskError::NoAnswer)
        }
    }
}

/// A reply that does not belong to what was asked.
pub(crate) fn unexpected(session: &Session, reply: &SessionReply) -> AskError {
    tracing::warn!(session.id = %session.id, ?reply, "unexpected reply");
    AskError::NoAnswer
}
