//! "Typing" before a message, as the Node gateway shows it: a tenth of a second for each character.

use std::time::Duration;

use bus::messages::SessionCommand;
use domain::{message::Typing, session::Session};

use crate::{asking, state::ApiState};

const FOR_EACH_CHARACTER: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How long somebody types these words.
fn duration(words: &str) -> Duration {
    let characters = u32::try_from(words.chars().take(50).count()).unwrap_or(u32::MAX);
    (FOR_EACH_CHARACTER * characters).min(LONGEST)
}

/// Shows that somebody types these words, and returns when they are done. A courtesy: the message goes out whatever
/// becomes of it.
pub(super) async fn show(state: &ApiState, session: &Session, chat: &str, words: &str) {
    let duration = duration(words);
    if duration.is_zero() {
        return;
    }
    let command = SessionCommand::Typing {
        chat: chat.to_owned(),
        typing: Typing::Composing,
        for_ms: u64::try_from(duration.as_millis()).ok(),
    };
    match asking::ask(state, session, &command, state.settings.check_wait).await {
        Ok(_) => tokio::time::sleep(duration).await,
        Err(error) => tracing::debug!(session.id = %session.id, %error, "nobody was shown to type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_typed_fast() {
        let table =
            [("", 0), ("h", 100), ("halo ü", 600), (&"x".repeat(50), 5000), (&"x".repeat(65_536), 5000)];
        for (words, milliseconds) in table {
            assert_eq!(duration(words), Duration::from_millis(milliseconds));
        }
    }
}
