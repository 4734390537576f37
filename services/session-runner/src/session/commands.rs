//! What a session is told to do.

use std::time::Duration;

use bus::{
    Request,
    messages::{NumberCheck, Profile, SessionCommand, SessionReply},
};
use domain::{message::Typing, session::SessionState};
use telemetry::trace;
use tracing::{Instrument as _, Span};
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

/// What traces call a command.
const fn word(command: &SessionCommand) -> &'static str {
    match command {
        SessionCommand::Send { .. } => "send",
        SessionCommand::CheckNumbers { .. } => "check_numbers",
        SessionCommand::PairWithCode { .. } => "pair_with_code",
        SessionCommand::MarkRead { .. } => "mark_read",
        SessionCommand::Typing { .. } => "typing",
        SessionCommand::Profile { .. } => "profile",
        SessionCommand::Logout => "logout",
        SessionCommand::Stop => "stop",
    }
}

impl Task {
    /// What is done for a command, in the trace of the asker.
    fn span(&self, command: &SessionCommand, traceparent: Option<&str>) -> Span {
        let span = telemetry::span!(
            "server", "session command", command = word(command), session.id = %self.fence.session
        );
        trace::follow(&span, traceparent);
        span
    }

    /// Carries out one command.
    pub(super) async fn command(&mut self, request: Request<SessionCommand>, client: &Client) -> Course {
        let Request { command, traceparent, reply } = request;
        let span = self.span(&command, traceparent.as_deref());
        match command {
            SessionCommand::Send { message, row } => self.sending.ask(message, row, reply),
            SessionCommand::CheckNumbers { numbers } => {
                let client = client.clone();
                let work = async move {
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
                };
                self.answering.spawn(work.instrument(span));
            }
            SessionCommand::PairWithCode { phone } => {
                let client = client.clone();
                let work = async move {
                    match client.pair_with_code(&phone).await {
                        Ok(code) => reply.send(&SessionReply::PairingCode { code }),
                        Err(error) => {
                            tracing::info!(%error, "no pairing code");
                            reply.send(&SessionReply::Refused { reason: error.to_string() });
                        }
                    }
                };
                self.answering.spawn(work.instrument(span));
            }
            SessionCommand::MarkRead { chat, author, messages } => {
                let client = client.clone();
                let work = async move {
                    let marked = client.mark_read(&chat, author.as_deref(), &messages).await;
                    reply.send(&marked.map_or_else(|error| refusal(&error), |()| SessionReply::Done));
                };
                self.answering.spawn(work.instrument(span));
            }
            SessionCommand::Typing { chat, typing, for_ms } => {
                let client = client.clone();
                let work = async move {
                    client.typing(&chat, typing).await;
                    reply.send(&SessionReply::Done);
                    if let (Some(for_ms), false) = (for_ms, typing == Typing::Paused) {
                        tokio::time::sleep(Duration::from_millis(for_ms).min(LONGEST_TYPING)).await;
                        client.typing(&chat, Typing::Paused).await;
                    }
                };
                self.answering.spawn(work.instrument(span));
            }
            SessionCommand::Profile { jid } => {
                let client = client.clone();
                let work = async move {
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
                };
                self.answering.spawn(work.instrument(span));
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
