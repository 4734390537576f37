//! What is said over the bus. Every word here is read by processes of the version before and the version after:
//! add, never rename. A command names rows; the rows are the truth, also where a command brings one along.

use domain::{
    MessageId, RunnerId, SessionId, UserId,
    message::{Failure, Message, Typing},
};
use serde::{Deserialize, Serialize};

/// To whoever owns a session, at [`subjects::session_command`](crate::subjects::session_command). All may be
/// sent again when the answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionCommand {
    /// Send this stored message as soon as its turn in its chat comes, and answer when WhatsApp has it:
    /// [`SessionReply::Sent`], [`SessionReply::Failed`] or [`SessionReply::NotConnected`].
    Send {
        message: MessageId,
        /// Its row, when no earlier message of its chat waits: then it need not be read before it is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        row: Option<Box<Message>>,
    },
    /// Which of these phone numbers (digits only) WhatsApp knows: [`SessionReply::Numbers`].
    CheckNumbers { numbers: Vec<String> },
    /// Offer a pairing code for this phone number (digits only) in place of the QR code:
    /// [`SessionReply::PairingCode`].
    PairWithCode { phone: String },
    /// Tell the author of received messages that they were read; in a group `author` is who wrote them:
    /// [`SessionReply::Done`].
    MarkRead { chat: String, author: Option<String>, messages: Vec<String> },
    /// Show in a chat that somebody is typing, or no longer is; what was begun ends by itself after `for_ms`:
    /// [`SessionReply::Done`].
    Typing { chat: String, typing: Typing, for_ms: Option<u64> },
    /// What somebody shows of themselves: [`SessionReply::Profile`].
    Profile { jid: String },
    /// Unlink the device at WhatsApp and forget its credentials: [`SessionReply::Done`].
    Logout,
    /// Disconnect and give the session up; the reason is in the session's row: [`SessionReply::Done`].
    Stop,
}

/// The answer to a [`SessionCommand`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionReply {
    /// WhatsApp has the message; `sent_at` in milliseconds since 1970.
    Sent { sent_at: domain::Timestamp },
    /// The message will not be sent.
    Failed { failure: Failure },
    /// The session is not on line now. A message stays queued; nothing else was done.
    NotConnected,
    /// One entry for each number that was asked for, in the same order.
    Numbers { numbers: Vec<NumberCheck> },
    /// What to type on the phone.
    PairingCode { code: String },
    /// `None` when WhatsApp does not know them.
    Profile { profile: Option<Profile> },
    /// WhatsApp refused; nothing was done.
    Refused { reason: String },
    /// Done as asked.
    Done,
}

/// What somebody shows of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Where the picture can be fetched for a while.
    pub picture_url: Option<String>,
    /// The text about themselves.
    pub status: Option<String>,
}

/// Whether WhatsApp knows a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberCheck {
    /// As it was asked for.
    pub number: String,
    /// Its JID; `None` when WhatsApp does not know the number.
    pub jid: Option<String>,
}

/// To one runner, at [`subjects::runner`](crate::subjects::runner); answered with [`RunnerReply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerCommand {
    /// Give these sessions up, to a certain runner or so that any other claims them.
    Give {
        sessions: Vec<SessionId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<RunnerId>,
    },
    /// Take no more sessions and give up the ones held, as before a planned stop.
    Drain,
}

/// The answer to a [`RunnerCommand`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerReply {
    /// It has begun; the rows show how far it is.
    Begun,
}

/// "Look now." Each is published at the subject of the same name in [`subjects`](crate::subjects), after the
/// transaction that made it true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// The session's row changed: its state, its QR code, or whether it is wanted.
    SessionChanged { session: SessionId },
    /// There are sessions without a runner.
    SessionsAvailable,
    /// There are deliveries to make.
    DeliveriesDue,
    /// Events of the user's sessions were stored, whether or not a webhook is due for them.
    EventsStored { user: UserId },
    /// The user's password, keys or settings changed, or the user is gone: forget what you remember.
    UserChanged { user: UserId },
}

#[cfg(test)]
mod tests {
    use domain::{
        Timestamp,
        message::{Content, NewMessage},
    };

    use super::*;
    use crate::codec;

    /// The wire form of every word. A failure here is a change that running processes cannot read.
    #[test]
    fn the_words_stay_as_they_are() {
        let session: SessionId = "ses_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap();
        let message: MessageId = "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap();
        let row = NewMessage {
            id: message,
            session,
            user: UserId::ADMIN,
            wa_id: "w".into(),
            chat: "c".into(),
            content: Content::plain("t"),
            idempotency: None,
            accepted_at: Timestamp(5),
            expires_at: Timestamp(6),
        };
        let row = row.stored(7, None);
        let table = [
            (
                json(&SessionCommand::Send { message, row: None }),
                r#"{"send":{"message":"msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"}}"#,
            ),
            (
                json(&SessionCommand::Send { message, row: Some(Box::new(row)) }),
                r#"{"send":{"message":"msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f","row":{"id":"msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f","position":7,"session":"ses_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f","user":1,"wa_id":"w","chat":"c","content":{"type":"text","text":"t"},"state":"queued","failure":null,"accepted_at":5,"expires_at":6,"sent_at":null,"delivered_at":null,"read_at":null,"traceparent":null}}}"#,
            ),
            (
                json(&SessionCommand::CheckNumbers { numbers: vec!["1".into()] }),
                r#"{"check_numbers":{"numbers":["1"]}}"#,
            ),
            (
                json(&SessionCommand::PairWithCode { phone: "1".into() }),
                r#"{"pair_with_code":{"phone":"1"}}"#,
            ),
            (
                json(&SessionCommand::MarkRead {
                    chat: "c".into(),
                    author: None,
                    messages: vec!["m".into()],
                }),
                r#"{"mark_read":{"chat":"c","author":null,"messages":["m"]}}"#,
            ),
            (
                json(&SessionCommand::Typing {
                    chat: "c".into(),
                    typing: Typing::Composing,
                    for_ms: Some(5),
                }),
                r#"{"typing":{"chat":"c","typing":"composing","for_ms":5}}"#,
            ),
            (json(&SessionCommand::Profile { jid: "j".into() }), r#"{"profile":{"jid":"j"}}"#),
            (json(&SessionReply::Profile { profile: None }), r#"{"profile":{"profile":null}}"#),
            (json(&SessionReply::Refused { reason: "r".into() }), r#"{"refused":{"reason":"r"}}"#),
            (json(&SessionCommand::Logout), r#""logout""#),
            (json(&SessionCommand::Stop), r#""stop""#),
            (json(&SessionReply::Sent { sent_at: domain::Timestamp(5) }), r#"{"sent":{"sent_at":5}}"#),
            (json(&SessionReply::NotConnected), r#""not_connected""#),
            (json(&SessionReply::Done), r#""done""#),
            (
                json(&RunnerCommand::Give { sessions: vec![session], to: None }),
                r#"{"give":{"sessions":["ses_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"]}}"#,
            ),
            (json(&RunnerCommand::Drain), r#""drain""#),
            (json(&RunnerReply::Begun), r#""begun""#),
            (
                json(&Hint::SessionChanged { session }),
                r#"{"session_changed":{"session":"ses_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"}}"#,
            ),
            (json(&Hint::SessionsAvailable), r#""sessions_available""#),
            (json(&Hint::DeliveriesDue), r#""deliveries_due""#),
            (json(&Hint::EventsStored { user: UserId(4) }), r#"{"events_stored":{"user":4}}"#),
            (json(&Hint::UserChanged { user: UserId(4) }), r#"{"user_changed":{"user":4}}"#),
        ];
        for (written, expected) in table {
            assert_eq!(written, format!(r#"{{"v":1,"body":{expected}}}"#));
        }
    }

    fn json<T: Serialize>(word: &T) -> String {
        String::from_utf8(codec::encode(word).unwrap().to_vec()).unwrap()
    }
}
