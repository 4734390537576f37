//! Why a message was not sent, and what that means for it.

use std::time::Duration;

use domain::message::FailureCode;
use whatsapp::SendError;

use crate::media::outgoing::OutgoingError;

/// How long to wait before a message goes again whose outcome is not known.
const AGAIN: Duration = Duration::from_secs(2);

/// How long to wait when WhatsApp says that there were too many.
const AGAIN_WHEN_LIMITED: Duration = Duration::from_secs(30);

/// Why a message does not count as sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undone {
    #[error(transparent)]
    Send(SendError),
    #[error(transparent)]
    File(#[from] OutgoingError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error("sending it failed for a fault of this software")]
    Panicked,
}

/// What an error means for its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Again(Duration),
    Fail(FailureCode),
}

impl Verdict {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Again(_) => "it goes again",
            Self::Fail(code) => code.as_str(),
        }
    }
}

/// WhatsApp's code for "too many".
const TOO_MANY: &str = "429";

impl Undone {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::File(OutgoingError::File(failure)) => Verdict::Fail(failure.code),
            Self::Send(SendError::Refused { code }) if code == TOO_MANY => Verdict::Again(AGAIN_WHEN_LIMITED),
            // A lost lease ends the session's task; whoever owns the session now sends the message. A fault may have
            // come at any point, also after WhatsApp had the message: only the same message again is safe.
            Self::File(OutgoingError::Later(_))
            | Self::Storage(_)
            | Self::Panicked
            | Self::Send(SendError::LeaseLost) => Verdict::Again(AGAIN),
            Self::Send(error) if error.is_transient() => Verdict::Again(AGAIN),
            Self::Send(SendError::Refused { .. }) => Verdict::Fail(FailureCode::Refused),
            Self::Send(_) => Verdict::Fail(FailureCode::Invalid),
        }
    }
}
