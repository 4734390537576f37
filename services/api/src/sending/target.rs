//! The message that a reaction, an edit or a deletion is about.

use domain::{message::Target, session::Session};

use super::{SendError, error::LONGEST_ID};
use crate::state::ApiState;

/// How a caller names a message: by WhatsApp's id, and who wrote it when the gateway does not know.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) message_id: String,
    pub(crate) from_me: Option<bool>,
    pub(crate) participant: Option<String>,
}

impl Reference {
    /// The message of a chat that is meant. What the caller says counts; else what is stored; a message that nobody
    /// knows is taken to be the session's own, sent with the phone, if `unknown_is_own`.
    pub(crate) async fn target(
        self,
        state: &ApiState,
        session: &Session,
        chat: &str,
        unknown_is_own: bool,
    ) -> Result<Target, SendError> {
        let Self { message_id, from_me, participant } = self;
        let fits = message_id.chars().count() <= LONGEST_ID;
        if message_id.is_empty() || !fits || message_id.chars().any(char::is_control) {
            return Err(SendError::InvalidMessageId);
        }
        let said = participant.map(|given| super::recipient(&given, false)).transpose()?;
        let author = match (from_me, said) {
            (Some(true), _) => None,
            (_, Some(said)) => Some(said),
            (from_me, None) => {
                let stored = state.database.origins(session.id, std::slice::from_ref(&message_id)).await?;
                if let Some(origin) = stored.into_values().next() {
                    Some(origin.author)
                } else if from_me == Some(false) {
                    Some(chat.to_owned())
                } else if unknown_is_own
                    || state.database.message_by_wa_id(session.id, &message_id).await?.is_some()
                {
                    None
                } else {
                    Some(chat.to_owned())
                }
            }
        };
        let in_group = chat.ends_with("@g.us");
        match author {
            None => Ok(Target { message_id, from_me: true, participant: None }),
            // A group writes nothing itself.
            Some(author) if in_group && author == chat => Err(SendError::AuthorUnknown),
            Some(author) => {
                Ok(Target { message_id, from_me: false, participant: in_group.then_some(author) })
            }
        }
    }
}
