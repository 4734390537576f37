//! Whether WhatsApp knows a number, asked before a message to it is stored. Answers are remembered: a yes for a day,
//! a no for minutes, as somebody may be about to register.

use std::time::{Duration, Instant};

use bus::{
    Bus,
    messages::{SessionCommand, SessionReply},
    subjects,
};
use domain::SessionId;
use moka::{Expiry, future::Cache};

const REMEMBER_YES: Duration = Duration::from_hours(24);
const REMEMBER_NO: Duration = Duration::from_mins(5);

/// Numbers that are remembered.
const MANY_NUMBERS: u64 = 200_000;

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// WhatsApp knows it, under this JID: in some countries not the number as people write it.
    Known {
        jid: String,
    },
    Unknown,
    /// Nobody could say; a message goes out unchecked.
    NoAnswer,
}

pub(crate) struct Numbers {
    /// The JID of a number; `None` for one that WhatsApp does not know.
    known: Cache<String, Option<String>>,
}

struct ByAnswer;

impl Expiry<String, Option<String>> for ByAnswer {
    fn expire_after_create(&self, _: &String, jid: &Option<String>, _: Instant) -> Option<Duration> {
        Some(if jid.is_some() { REMEMBER_YES } else { REMEMBER_NO })
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self { known: Cache::builder().max_capacity(MANY_NUMBERS).expire_after(ByAnswer).build() }
    }
}

impl Numbers {
    /// Asks through a session that is connected. Equal questions share one answer.
    pub(crate) async fn check(&self, bus: &Bus, session: SessionId, phone: &str, wait: Duration) -> Checked {
        let ask = async {
            let command = SessionCommand::CheckNumbers { numbers: vec![phone.to_owned()] };
            match bus.request(&subjects::session_command(session), &command, wait).await {
                Ok(SessionReply::Numbers { numbers }) => {
                    let answer = numbers.into_iter().find(|answer| answer.number == phone)?;
                    Some(answer.jid)
                }
                Ok(SessionReply::NotConnected) => None,
                Ok(other) => {
                    tracing::warn!(session.id = %session, reply = ?other, "a number check got another answer");
                    None
                }
                Err(error) => {
                    tracing::debug!(session.id = %session, %error, "a number check got no answer");
                    None
                }
            }
        };
        match self.known.optionally_get_with_by_ref(phone, ask).await {
            Some(Some(jid)) if jid.ends_with("@s.whatsapp.net") => Checked::Known { jid },
            // A hidden address: the number itself is what callers know.
            Some(Some(_)) => Checked::Known { jid: format!("{phone}@s.whatsapp.net") },
            Some(None) => Checked::Unknown,
            None => Checked::NoAnswer,
        }
    }
}
