//! What a session is told to do.

use std::time::Duration;

use bus::{
    Request,
    messages::{NumberCheck, SessionCommand, SessionReply},
};
use domain::session::SessionState;
use whatsapp::Client;

use super::{
    Ending, Task,
    lifecycle::{Course, Step},
};

/// How long WhatsApp may take to hear of a logout.
const LOGOUT_DEADLINE: Duration = Duration::from_secs(5);

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
                            reply.send(&SessionReply::NotConnected);
                        }
                    }
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
