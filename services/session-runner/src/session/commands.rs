//! What a session is told to do.

use std::time::Duration;

use bus::{
    Request,
    messages::{NumberCheck, Profile, SessionCommand, SessionReply},
};
use domain::{message::Typing, session::SessionState};
use whatsapp::{CheckError, Client};

use super::{
    Ending, Task,
    lifecycle::{Course, Step},
};

/// How long WhatsApp may take to hear of a logout.
const LOGOUT_DEADLINE: Duration = Duration::from_secs(5);

/// The longest that a chat shows somebody typing without being told again.
const LONGEST_TYPING: Duration = Duration::from_mins(1);

/// What the asker hears when WhatsApp did not do it.
fn refusal(error: &CheckError) -> SessionReply {
    match error {
        CheckError::NotConnected | CheckError::LeaseLost => SessionReply::NotConnected,
        CheckError::Timeout | CheckError::Refused { .. } => {
            SessionReply::Refused { reason: error.to_string() }
        }
    }
}

impl Task {
    /// Carries out one command.
    pub(super) async fn command(&mut self, request: Request<SessionCommand>, client: &Client) -> Course {
        let Request { command, reply } = request;
        match command {
            SessionCommand::Send { message } => self.sending.ask(message, reply),
            SessionCommand::CheckNumbers { numbers } => {
                let client = client.clone();
                self.answering.spawn(async move {
                    let answer = match client.check_numbers(&numbers).await {
                        Ok(jids) => SessionReply::Numbers {
                            numbers: numbers
                                .into_iter()
                                .zip(jids)
                                .map(|(number, jid)| NumberCheck { number, jid })
                                .collect(),
                        },
                        Err(error) => {
                            tracing::info!(%error, "numbers could not be checked");
                            SessionReply::NotConnected
                        }
                    };
                    reply.send(&answer);
                });
            }
            SessionCommand::PairWithCode { phone } => {
                let client = client.clone();
                self.answering.spawn(async move {
                    match client.pair_with_code(&phone).await {
                        Ok(code) => reply.send(&SessionReply::PairingCode { code }),
                        Err(error) => {
                            tracing::info!(%error, "no pairing code");
                            reply.send(&SessionReply::Refused { reason: error.to_string() });
                        }
                    }
                });
            }
            SessionCommand::MarkRead { chat, author, messages } => {
                let client = client.clone();
                self.answering.spawn(async move {
                    let marked = client.mark_read(&chat, author.as_deref(), &messages).await;
                    reply.send(&marked.map_or_else(|error| refusal(&error), |()| SessionReply::Done));
                });
            }
            SessionCommand::Typing { chat, typing, for_ms } => {
                let client = client.clone();
                self.answering.spawn(async move {
                    client.typing(&chat, typing).await;
                    reply.send(&SessionReply::Done);
                    if let (Some(for_ms), false) = (for_ms, typing == Typing::Paused) {
                        tokio::time::sleep(Duration::from_millis(for_ms).min(LONGEST_TYPING)).await;
                        client.typing(&chat, Typing::Paused).await;
                    }
                });
            }
            SessionCommand::Profile { jid } => {
                let client = client.clone();
                self.answering.spawn(async move {
                    let found = client.profile(&jid).await;
                    reply.send(&found.map_or_else(
                        |error| refusal(&error),
                        |found| SessionReply::Profile {
                            profile: found.map(|found| Profile {
                                picture_url: found.picture_url,
                                status: found.status,
                            }),
                        },
                    ));
                });
            }
            SessionCommand::Logout => {
                if tokio::time::timeout(LOGOUT_DEADLINE, client.logout()).await.is_err() {
                    tracing::warn!(session.id = %self.fence.session, "WhatsApp did not confirm the logout in time");
                }
                reply.send(&SessionReply::Done);
                return Course::End(Ending::Over);
            }
            SessionCommand::Stop => {
                let step = Step {
                    reason: Some("stopped by its owner".to_owned()),
                    ..Step::stay(SessionState::Stopped)
                };
                if let Err(error) = self.record(step).await {
                    tracing::warn!(session.id = %self.fence.session, %error, "the stop could not be stored");
                }
                reply.send(&SessionReply::Done);
                return Course::End(Ending::Over);
            }
        }
        Course::Stay
    }
}
