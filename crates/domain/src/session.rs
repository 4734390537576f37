//! A session: one WhatsApp number, linked or to be linked, and the states it goes through.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{SessionId, Timestamp, UserId};

/// Longest session name, in characters.
pub const MAX_NAME_CHARS: usize = 128;

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that storage and the wire know it by.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value with that word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// What a session is doing.
    SessionState {
        /// Nobody asked for it to run.
        Stopped = "stopped",
        /// A QR code or a pairing code is on offer.
        Pairing = "pairing",
        /// On its way to WhatsApp for the first time since it was started.
        Connecting = "connecting",
        /// Linked and on line.
        Connected = "connected",
        /// Was on line, is trying to be again.
        Reconnecting = "reconnecting",
        /// The phone unlinked it; must be scanned again.
        LoggedOut = "logged_out",
        /// Another client took the same link over.
        Replaced = "replaced",
        /// WhatsApp banned the number, for a time or for good.
        Banned = "banned",
        /// WhatsApp no longer accepts this version of the client.
        Outdated = "outdated",
        /// WhatsApp asks for a passkey on the phone.
        NeedsPasskey = "needs_passkey",
    }
}

impl SessionState {
    /// Nothing the gateway does by itself will help: a human, most often with the phone, must act.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        matches!(
            self,
            Self::Pairing
                | Self::LoggedOut
                | Self::Replaced
                | Self::Banned
                | Self::Outdated
                | Self::NeedsPasskey
        )
    }

    /// A runner should hold a client for a session in this state.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(self, Self::Pairing | Self::Connecting | Self::Connected | Self::Reconnecting)
    }

    /// What a session webhook says: the Node gateway knows three words.
    #[must_use]
    pub const fn webhook_status(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Pairing | Self::Connecting | Self::Reconnecting => "connecting",
            Self::Stopped
            | Self::LoggedOut
            | Self::Replaced
            | Self::Banned
            | Self::Outdated
            | Self::NeedsPasskey => "disconnected",
        }
    }
}

/// A session as storage knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    /// Unique among all sessions; a user's is `username_name`.
    pub name: String,
    /// Whether its owner wants it to run.
    pub wanted: bool,
    pub state: SessionState,
    /// Why it is in this state, in words.
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// It is linked: it can connect without a scan.
    pub credentials_present: bool,
    /// The linked phone number, digits only.
    pub phone: Option<String>,
    /// What to scan, while it is pairing.
    pub qr: Option<PairingCode>,
    /// When the last message came in or went out.
    pub last_message_at: Option<Timestamp>,
    /// Since when it is not connected; `None` while it is.
    pub disconnected_since: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Session {
    /// It should be on line: its owner wants it, and it was linked. One that lost its link is still expected, so that
    /// a monitor does not stay green over a dead number.
    #[must_use]
    pub const fn expected(&self) -> bool {
        self.wanted && (self.credentials_present || self.phone.is_some())
    }

    /// It is on line.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.state == SessionState::Connected
    }
}

/// The text of a QR code, and how long it can be scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingCode {
    pub text: String,
    pub expires_at: Timestamp,
}

/// Who may write for a session: its id and the token of the claim under which the writer holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    pub session: SessionId,
    /// Grows by one with every change of ownership.
    pub token: i64,
}

/// Why a name cannot be a session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("a session needs a name")]
    Empty,
    #[error("a session name has at most {MAX_NAME_CHARS} characters")]
    TooLong,
    #[error("a session name has no slashes, backslashes or control characters, and is not `.` or `..`")]
    Forbidden,
}

/// The full name of what a caller calls `given`: an admin's word is taken as it is; a user's gets the
/// prefix `username_`, unless it has it already or is the bare user name.
pub fn full_name(username: &str, is_admin: bool, given: &str) -> Result<String, InvalidName> {
    if given.is_empty() {
        return Err(InvalidName::Empty);
    }
    if given.contains(is_hostile) || given.trim().is_empty() || matches!(given, "." | "..") {
        return Err(InvalidName::Forbidden);
    }
    let own = given == username
        || given.strip_prefix(username).is_some_and(|rest| rest.starts_with('_') && rest.len() > 1);
    let name = if is_admin || own { given.to_owned() } else { format!("{username}_{given}") };
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(InvalidName::TooLong);
    }
    Ok(name)
}

/// Characters that mean something to a path or a terminal, or that are not seen.
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control() || c == '/' || c == '\\' || is_invisible(c)
}

/// Characters that are not seen or that turn the text round: two names would look the same.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_name_is_prefixed_once_and_is_never_anothers(user in "[a-zA-Z0-9_.-]{1,20}", given in any::<String>()) {
            let Ok(full) = full_name(&user, false, &given) else { return Ok(()) };
            prop_assert!(full == user || full.starts_with(&format!("{user}_")), "{full:?}");
            prop_assert!(full.chars().count() <= MAX_NAME_CHARS);
            prop_assert!(!full.contains(|c: char| c.is_control() || c == '/' || c == '\\'), "{full:?}");
            prop_assert_eq!(full_name(&user, false, &full), Ok(full.clone()));
            prop_assert_eq!(full_name("admin", true, &full), Ok(full));
        }

        #[test]
        fn an_admins_word_is_taken_as_it_is(given in any::<String>()) {
            if let Ok(full) = full_name("admin", true, &given) {
                prop_assert_eq!(full, given);
            }
        }
    }

    #[test]
    fn names_are_prefixed_once() {
        let table = [
            ("anna", false, "shop", "anna_shop"),
            ("anna", false, "anna_shop", "anna_shop"),
            ("anna", false, "anna", "anna"),
            ("anna", false, "annabel", "anna_annabel"),
            ("anna", false, "anna_", "anna_anna_"),
            ("admin", true, "shop", "shop"),
            ("admin", true, "anna_shop", "anna_shop"),
            ("anna", false, "магазин 1", "anna_магазин 1"),
        ];
        for (user, admin, given, full) in table {
            assert_eq!(full_name(user, admin, given).as_deref(), Ok(full), "{user} {given}");
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in ["a/b", "..", ".", "a\\b", "a\nb", "a\0", " ", "a\u{202e}b", "\u{200b}"] {
            assert_eq!(full_name("admin", true, name), Err(InvalidName::Forbidden), "{name:?}");
        }
        assert_eq!(full_name("admin", true, ""), Err(InvalidName::Empty));
        assert_eq!(full_name("anna", false, &"x".repeat(124)), Err(InvalidName::TooLong));
    }

    #[test]
    fn every_state_has_one_word() {
        for state in SessionState::ALL {
            assert_eq!(SessionState::parse(state.as_str()), Some(*state));
            assert_eq!(serde_json::to_string(state).unwrap(), format!("\"{state}\""));
        }
        assert_eq!(SessionState::parse("green"), None);
    }

    #[test]
    fn a_person_is_asked_for_exactly_where_waiting_does_not_help() {
        let alone: Vec<_> = SessionState::ALL.iter().filter(|state| !state.needs_person()).collect();
        assert_eq!(
            alone,
            [
                &SessionState::Stopped,
                &SessionState::Connecting,
                &SessionState::Connected,
                &SessionState::Reconnecting
            ]
        );
    }
}
