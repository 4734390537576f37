//! Why a message is not on its way.

use std::time::Duration;

use axum::http::StatusCode;
use domain::{
    message::{Failure, FailureCode},
    recipient::MissingRecipient,
    session::SessionState,
};

use crate::{
    access::AccessError,
    error::{Problem, answers_as_problem},
    fields::Invalid,
};

/// Longest id of a message, in characters: WhatsApp's own have at most 32 or so.
pub(crate) const LONGEST_ID: usize = 128;

/// When a session that is not connected may be so again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    NoRecipient(#[from] MissingRecipient),
    #[error("'to' is neither a phone number nor the JID of a chat")]
    InvalidRecipient,
    #[error("'mentions' must be phone numbers or JIDs of people: {given}")]
    InvalidMention { given: String },
    #[error("'message_id' must have 1 to {LONGEST_ID} visible characters")]
    InvalidMessageId,
    #[error("It is not known who wrote the message: say it with 'participant', or with 'from_me'")]
    AuthorUnknown,
    #[error("Only a message that the session itself has sent can be {done}")]
    NotOwnMessage { done: &'static str },
    #[error("Filename must include valid extension")]
    NoExtension,
    #[error("The header Idempotency-Key must have 1 to 255 visible characters")]
    InvalidKey,
    #[error("This Idempotency-Key was used for another request")]
    KeyReused,
    #[error("The session is {state} and the message must not wait")]
    NotConnected { state: SessionState },
    #[error("The session is not connected and {limit} messages wait for it already")]
    QueueFull { limit: u32 },
    #[error("The number {phone} is not on WhatsApp")]
    NotOnWhatsapp { phone: String },
    #[error("{}", .0.reason)]
    Failed(Failure),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Media(#[from] media::Error),
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        use SendError as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::Access(denied) => denied.into(),
            // The contract's status.
            E::NoRecipient(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "recipient_required", words),
            E::InvalidRecipient => Self::new(StatusCode::BAD_REQUEST, "invalid_recipient", words),
            E::InvalidMention { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid_mention", words),
            E::InvalidMessageId => Self::new(StatusCode::BAD_REQUEST, "invalid_message_id", words),
            E::AuthorUnknown => Self::new(StatusCode::BAD_REQUEST, "author_unknown", words),
            E::NotOwnMessage { .. } => Self::new(StatusCode::BAD_REQUEST, "not_own_message", words),
            // The contract's status.
            E::NoExtension => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "invalid_document_name", words),
            E::InvalidKey => Self::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", words),
            E::KeyReused => Self::new(StatusCode::CONFLICT, "idempotency_key_reused", words),
            E::NotConnected { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "session_not_connected", words)
                    .retry_after(TRY_AGAIN)
            }
            E::QueueFull { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", words).retry_after(TRY_AGAIN)
            }
            E::NotOnWhatsapp { .. } => {
                Self::new(StatusCode::BAD_REQUEST, FailureCode::NotOnWhatsapp.as_str(), words)
            }
            E::Failed(failure) => Self::new(status_of(failure.code), failure.code.as_str(), words),
            E::Storage(error) => error.into(),
            E::Media(error) => error.into(),
        }
    }
}

const fn status_of(code: FailureCode) -> StatusCode {
    match code {
        FailureCode::NotOnWhatsapp
        | FailureCode::Invalid
        | FailureCode::MediaUnreachable
        | FailureCode::MediaForbidden => StatusCode::BAD_REQUEST,
        FailureCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        FailureCode::MediaTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FailureCode::SessionGone => StatusCode::CONFLICT,
        FailureCode::Refused => StatusCode::BAD_GATEWAY,
        FailureCode::Expired => StatusCode::GATEWAY_TIMEOUT,
    }
}

answers_as_problem!(SendError);
