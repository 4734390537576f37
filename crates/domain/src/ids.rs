//! Identifiers. Stored as UUIDv7 (they sort by creation time), written with a prefix on the wire,
//! so that a session id pasted where a message id belongs is refused by name.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::Timestamp;

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `{expected}_`")]
pub struct InvalidId {
    expected: &'static str,
}

macro_rules! prefixed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id; ids of one process sort by the time they were made.
            #[must_use]
            #[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
            #[expect(clippy::new_without_default, reason = "two calls give two ids, a default would hide that")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as storage keeps it.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or(InvalidId { expected: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

prefixed_ids! {
    /// A linked (or to be linked) WhatsApp number.
    SessionId = "ses";
    /// A message on its way to WhatsApp.
    MessageId = "msg";
    /// Something that happened: a message came in, a session changed its state.
    EventId = "evt";
    /// One event on its way to one endpoint.
    DeliveryId = "dlv";
    /// A place that webhooks are sent to.
    EndpointId = "end";
    /// One life of one session-runner process.
    RunnerId = "run";
    /// One life of a process.
    ProcessId = "prc";
    /// The file of a message that came in.
    MediaId = "med";
    /// A key that a program calls with.
    ApiKeyId = "key";
}

impl EventId {
    /// When it was made.
    #[must_use]
    pub fn made_at(self) -> Timestamp {
        Timestamp(i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX))
    }

    /// The smallest id of the moment that is `span` before this one was made: what was made later sorts after it.
    #[must_use]
    pub fn earlier(self, span: Duration) -> Self {
        let bits = self.0.as_u128();
        let millis = (bits >> 80).saturating_sub(span.as_millis());
        Self(Uuid::from_u128(millis << 80))
    }
}

/// A user's number. The Node gateway's clients know it as an integer, and the admin's as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

impl UserId {
    /// The user who is seeded from the environment.
    pub const ADMIN: Self = Self(1);
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_wire() {
        let id = SessionId::new();
        assert!(id.to_string().starts_with("ses_"));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::from_str::<SessionId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let id = EventId::new();
        let second = id.earlier(Duration::from_secs(1));
        assert!(second < id && id.earlier(Duration::from_secs(2)) < second);
        assert!(id.earlier(Duration::ZERO) <= id);
        assert_eq!(id.earlier(Duration::MAX).uuid(), Uuid::nil());
        assert_eq!(id.made_at().since(second.made_at()), Duration::from_secs(1));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let session = SessionId::new().to_string();
        assert_eq!(
            session.parse::<MessageId>().unwrap_err().to_string(),
            "expected an id that starts with `msg_`"
        );
        assert!("ses_not-a-uuid".parse::<SessionId>().is_err());
        assert!("".parse::<SessionId>().is_err());
    }
}
