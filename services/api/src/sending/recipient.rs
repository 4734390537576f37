//! Whom a message is for, as far as that can be told without asking WhatsApp.

use domain::{
    recipient::{parse_recipient, phone_of},
    session::Session,
};

use super::SendError;
use crate::{
    access::{self, AccessError},
    auth::Caller,
    state::ApiState,
};

/// Longer ones are nobody's.
const LONGEST: usize = 128;

/// The JID that a caller's `to` means; refuses what cannot be one.
pub(crate) fn recipient(to: &str, is_group: bool) -> Result<String, SendError> {
    let jid = parse_recipient(to, is_group)?;
    let plausible = jid.len() <= LONGEST
        && jid.split_once('@').is_some_and(|(user, server)| {
            let user_fits = user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
            let server_fits = server.bytes().all(|b| b.is_ascii_lowercase() || b == b'.');
            !user.is_empty() && !server.is_empty() && user_fits && server_fits
        })
        && (!jid.ends_with("@s.whatsapp.net") || phone_of(&jid).is_some());
    if plausible { Ok(jid) } else { Err(SendError::InvalidRecipient) }
}

/// The session that a caller sends from, and the chat that `to` means; whose session it is comes first.
pub(crate) async fn address(
    state: &ApiState,
    caller: &Caller,
    session: &str,
    to: &str,
    is_group: Option<bool>,
) -> Result<(Box<Session>, String), SendError> {
    let session = sender(state, caller, session).await?;
    let chat = recipient(to, is_group.unwrap_or(false))?;
    Ok((session, chat))
}

/// The session that a caller sends from, as it is or was a moment ago.
async fn sender(state: &ApiState, caller: &Caller, given: &str) -> Result<Box<Session>, AccessError> {
    let remembered = access::full(caller, given).and_then(|full| state.senders.get(&full));
    if let Some(session) = remembered.filter(|session| caller.may_use_sessions_of(session.user)) {
        return Ok(session);
    }
    let session = access::own(&state.database, caller, given).await?;
    state.senders.remember(&session);
    Ok(session)
}

/// The JIDs of people who are mentioned.
pub(crate) fn people(mentions: &[String]) -> Result<Vec<String>, SendError> {
    mentions
        .iter()
        .map(|given| {
            recipient(given, false)
                .ok()
                .filter(|jid| jid.ends_with("@s.whatsapp.net") || jid.ends_with("@lid"))
                .ok_or_else(|| SendError::InvalidMention { given: given.chars().take(LONGEST).collect() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_jid_is_refused() {
        let good = [
            ("+62 811-22", false, "6281122@s.whatsapp.net"),
            ("120363-1", true, "120363-1@g.us"),
            ("123@lid", false, "123@lid"),
            ("status@broadcast", false, "status@broadcast"),
            ("62811:2@s.whatsapp.net", false, "62811:2@s.whatsapp.net"),
        ];
        for (to, is_group, jid) in good {
            assert_eq!(recipient(to, is_group).ok().as_deref(), Some(jid), "{to}");
        }
        let long = "1".repeat(200);
        for to in
            ["hello", "@", "@s.whatsapp.net", "1@", "1@2@g.us", "1/2@g.us", "a@s.whatsapp.net", "۱۲۳", &long]
        {
            assert!(matches!(recipient(to, false), Err(SendError::InvalidRecipient)), "{to}");
        }
        assert!(matches!(recipient(" + ", false), Err(SendError::NoRecipient(_))));
    }

    #[test]
    fn only_people_are_mentioned() {
        let jids = people(&["+62 811".into(), "9@lid".into()]).unwrap();
        assert_eq!(jids, ["62811@s.whatsapp.net", "9@lid"]);
        for nobody in ["", "hello", "1203@g.us"] {
            assert!(
                matches!(people(&[nobody.to_owned()]), Err(SendError::InvalidMention { .. })),
                "{nobody}"
            );
        }
    }
}
