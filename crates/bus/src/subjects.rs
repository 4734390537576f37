//! Every subject, in one place. The installation's prefix is put in front where the subject meets NATS.

use std::fmt;

use domain::{RunnerId, SessionId, UserId};

/// Where a command or a hint goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject(String);

/// What a listener listens to: one subject, or all of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl Subject {
    /// The subject's text, without the installation's prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pattern {
    /// The pattern's text, without the installation's prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for several subjects.
    pub(crate) fn is_wild(&self) -> bool {
        self.0.contains('*')
    }

    /// Whether `subject` is one of those the pattern stands for; `*` is one part of it, as with NATS.
    pub(crate) fn matches(&self, subject: &Subject) -> bool {
        let (mut pattern, mut parts) = (self.0.split('.'), subject.0.split('.'));
        loop {
            match (pattern.next(), parts.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => {}
                (Some(expected), Some(part)) if expected == part => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Subject> for Pattern {
    fn from(subject: Subject) -> Self {
        Self(subject.0)
    }
}

/// Commands to whoever owns the session: [`SessionCommand`](crate::messages::SessionCommand).
#[must_use]
pub fn session_command(session: SessionId) -> Subject {
    Subject(format!("session.{session}.command"))
}

/// The session's state or its QR code changed: [`Hint::SessionChanged`](crate::messages::Hint::SessionChanged).
#[must_use]
pub fn session_changed(session: SessionId) -> Subject {
    Subject(format!("session.{session}.changed"))
}

/// Changes of every session.
#[must_use]
pub fn any_session_changed() -> Pattern {
    Pattern("session.*.changed".to_owned())
}

/// Sessions wait for a runner: [`Hint::SessionsAvailable`](crate::messages::Hint::SessionsAvailable).
#[must_use]
pub fn sessions_available() -> Subject {
    Subject("sessions.available".to_owned())
}

/// Deliveries wait for a dispatcher: [`Hint::DeliveriesDue`](crate::messages::Hint::DeliveriesDue).
#[must_use]
pub fn deliveries_due() -> Subject {
    Subject("deliveries.due".to_owned())
}

/// The user's password, keys or settings changed: [`Hint::UserChanged`](crate::messages::Hint::UserChanged).
#[must_use]
pub fn user_changed(user: UserId) -> Subject {
    Subject(format!("user.{user}.changed"))
}

/// Changes of every user.
#[must_use]
pub fn any_user_changed() -> Pattern {
    Pattern("user.*.changed".to_owned())
}

/// Events of the user's sessions were stored: [`Hint::EventsStored`](crate::messages::Hint::EventsStored).
#[must_use]
pub fn events_stored(user: UserId) -> Subject {
    Subject(format!("user.{user}.events"))
}

/// Events of every user.
#[must_use]
pub fn any_events_stored() -> Pattern {
    Pattern("user.*.events".to_owned())
}

/// Commands to one runner: [`RunnerCommand`](crate::messages::RunnerCommand).
#[must_use]
pub fn runner(runner: RunnerId) -> Subject {
    Subject(format!("runner.{runner}.command"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_what_nats_would_take_it_for() {
        let table = [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a.b.d", false),
        ];
        for (pattern, subject, expected) in table {
            let matches = Pattern(pattern.to_owned()).matches(&Subject(subject.to_owned()));
            assert_eq!(matches, expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn no_two_kinds_share_a_subject() {
        let session = SessionId::new();
        let subjects = [
            session_command(session),
            session_changed(session),
            sessions_available(),
            deliveries_due(),
            user_changed(UserId(1)),
            events_stored(UserId(1)),
            runner(RunnerId::new()),
        ];
        let sessions = subjects.iter().filter(|subject| any_session_changed().matches(subject));
        assert_eq!(sessions.collect::<Vec<_>>(), [&session_changed(session)]);
        let users = subjects.iter().filter(|subject| any_user_changed().matches(subject));
        assert_eq!(users.collect::<Vec<_>>(), [&user_changed(UserId(1))]);
        let events = subjects.iter().filter(|subject| any_events_stored().matches(subject));
        assert_eq!(events.collect::<Vec<_>>(), [&events_stored(UserId(1))]);
    }
}
