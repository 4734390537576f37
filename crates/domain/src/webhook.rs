//! Webhooks: where they go, what became of an attempt, and when the next one is due.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    DeliveryId, EndpointId, EventId, SessionId, Timestamp, UserId, event::EventKind, session::text_enum,
};

text_enum! {
    /// How an endpoint's address becomes the address of one webhook.
    UrlLayout {
        /// A user's callback: messages at the address itself, session events at `…/session`.
        Callback = "callback",
        /// The global base: `…/message` and `…/session`.
        Base = "base",
        /// Everything at the address itself.
        Plain = "plain",
    }
}

impl UrlLayout {
    /// The address that an event of `kind` is posted to.
    #[must_use]
    pub fn address(self, endpoint: &Url, kind: EventKind) -> Url {
        let tail = match (self, kind) {
            (Self::Plain, _) | (Self::Callback, EventKind::Message) => return endpoint.clone(),
            (Self::Base, EventKind::Message) => "message",
            (Self::Base | Self::Callback, EventKind::Session) => "session",
            // Neither asks for these unless somebody made it.
            (Self::Base | Self::Callback, EventKind::Receipt) => "receipt",
        };
        let mut address = endpoint.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().push(tail);
        }
        address
    }
}

/// Whether a text is the address of a web server: `http` or `https`, with a host, and without the white space that
/// parsers silently drop.
#[must_use]
pub fn is_web_address(text: &str) -> bool {
    !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

text_enum! {
    /// How far a delivery has come.
    DeliveryState {
        /// Waits for its next attempt.
        Pending = "pending",
        /// A dispatcher is at it.
        Claimed = "claimed",
        /// The endpoint said yes.
        Delivered = "delivered",
        /// Given up; can be replayed.
        Dead = "dead",
    }
}

/// A delivery that a dispatcher has claimed, with all it needs to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    pub id: DeliveryId,
    pub event: EventId,
    pub endpoint: EndpointId,
    /// Whose event it is: their settings say how the webhook authenticates.
    pub user: UserId,
    pub kind: EventKind,
    pub payload: String,
    pub url: String,
    pub layout: UrlLayout,
    /// The operator set this address: it may be a private one.
    pub trusted: bool,
    /// Sealed signing secret.
    pub secret: Option<Vec<u8>>,
    /// The one before, sealed, while it still signs as well.
    pub previous_secret: Option<Vec<u8>>,
    /// Deliveries with the same key to the same endpoint go out one after the other.
    pub ordering_key: String,
    pub position: i64,
    /// Attempts so far.
    pub attempts: i32,
    /// Those of them that were made before the last replay, which begins the schedule anew.
    pub earlier_attempts: i32,
    /// The trace that its event belongs to, as W3C's `traceparent`.
    pub traceparent: Option<String>,
}

/// An endpoint, and how it has been lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    /// `None`: the operator's.
    pub user: Option<UserId>,
    pub layout: UrlLayout,
    pub url: String,
    /// The kinds of event it wants.
    pub kinds: Vec<EventKind>,
    pub description: Option<String>,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    /// Sealed signing secret.
    pub secret: Option<Vec<u8>>,
    /// The one before, sealed, while it still signs as well.
    pub previous_secret: Option<Vec<u8>>,
    pub previous_secret_until: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Deliveries that wait, counted up to [`MOST_COUNTED`].
    pub pending: i64,
    /// Deliveries that were given up, counted up to [`MOST_COUNTED`].
    pub dead: i64,
    /// The newest delivery that was tried.
    pub last: Option<LastDelivery>,
}

/// The newest delivery of an endpoint that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDelivery {
    pub id: DeliveryId,
    pub state: DeliveryState,
    /// The status of the last answer, when there was one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    pub at: Timestamp,
}

/// Rows are counted up to this number: beyond it nobody needs to know exactly.
pub const MOST_COUNTED: i64 = 10_000;

/// The most endpoints that a user may have, beside the callback.
pub const MOST_ENDPOINTS: usize = 20;

/// How long the secret before signs as well, once there is a new one.
pub const SECRET_OVERLAP: Duration = Duration::from_hours(24);

/// A delivery as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    /// Its place: deliveries are listed from the newest.
    pub position: i64,
    pub event: EventId,
    /// The word for the event's kind, which may be one of a later version.
    pub kind: String,
    pub session: SessionId,
    /// The session's name; `None` when it has been removed since.
    pub session_name: Option<String>,
    pub endpoint: EndpointId,
    pub url: String,
    /// Whose event it is.
    pub user: UserId,
    pub state: DeliveryState,
    pub attempts: i32,
    /// When the next attempt is due, for one that waits.
    pub next_attempt_at: Option<Timestamp>,
    /// The status of the last answer, when there was one.
    pub last_status: Option<u16>,
    /// The first bytes of the last answer, or why there was none; nothing once it is delivered.
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    pub number: i32,
    pub at: Timestamp,
    pub duration: Duration,
    pub status: Option<u16>,
    /// The first bytes of the answer, or why there was none.
    pub answer: Option<String>,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Any 2xx answer.
    Delivered { status: u16 },
    /// 410: the receiver wants no more of these.
    Gone,
    /// Any other answer.
    Refused {
        status: u16,
        /// From `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// No answer: the words say why.
    Unreachable { reason: String },
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is done.
    Done,
    /// Try again after this long.
    RetryAfter(Duration),
    /// Give up; it stays listed.
    Dead,
    /// Give up, and send nothing more to this endpoint.
    DisableEndpoint,
}

/// Pauses between attempts: 5 s, 30 s, 2 min, 10 min, 1 h, 3 h, 6 h, 12 h, 24 h, 24 h.
const PAUSES: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
    Duration::from_hours(12),
    Duration::from_hours(24),
    Duration::from_hours(24),
];

/// The longest `Retry-After` that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// How many attempts a delivery gets.
pub const MAX_ATTEMPTS: usize = PAUSES.len() + 1;

/// While a delivery has had fewer attempts than this, later ones of the same chat wait for it; then they
/// overtake, so that one message a receiver cannot take does not stop a chat for days.
pub const ORDERED_ATTEMPTS: i32 = 3;

/// Decides what follows an attempt. `attempts` counts it; `jitter` is uniform in 0..1 and spreads the pause by
/// ±20 %.
#[must_use]
pub fn after_attempt(outcome: &Outcome, attempts: i32, jitter: f64) -> Next {
    let asked = match outcome {
        Outcome::Delivered { .. } => return Next::Done,
        Outcome::Gone => return Next::DisableEndpoint,
        Outcome::Refused { retry_after, .. } => *retry_after,
        Outcome::Unreachable { .. } => None,
    };
    let made = usize::try_from(attempts).unwrap_or(0);
    let Some(pause) = PAUSES.get(made.saturating_sub(1)) else { return Next::Dead };
    let spread = pause.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0));
    Next::RetryAfter(spread.max(asked.unwrap_or_default().min(LONGEST_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_webhook_never_leaves_its_endpoints_host(
            rest in "[ -~]{0,40}", layout in select(UrlLayout::ALL), kind in select(EventKind::ALL),
        ) {
            let Ok(endpoint) = Url::parse(&format!("https://hooks.example:8443/{rest}")) else { return Ok(()) };
            let address = layout.address(&endpoint, kind);
            prop_assert_eq!(address.origin(), endpoint.origin());
            prop_assert_eq!(address.query(), endpoint.query());
            prop_assert_eq!((address.username(), address.password()), (endpoint.username(), endpoint.password()));
            let base = endpoint.path().trim_end_matches('/');
            prop_assert!(address.path().starts_with(base), "{address} for {endpoint}");
        }
    }

    const REFUSED: Outcome = Outcome::Refused { status: 500, retry_after: None };

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (1..=12).map(|attempts| after_attempt(&REFUSED, attempts, 0.5)).collect();
        let seconds = [5, 30, 120, 600, 3600, 10_800, 21_600, 43_200, 86_400, 86_400];
        let expected: Vec<_> = seconds
            .into_iter()
            .map(|s| Next::RetryAfter(Duration::from_secs(s)))
            .chain([Next::Dead, Next::Dead])
            .collect();
        assert_eq!(pauses, expected);
        assert_eq!(MAX_ATTEMPTS, 11);
    }

    #[test]
    fn jitter_is_a_fifth_either_way() {
        assert_eq!(after_attempt(&REFUSED, 1, 0.0), Next::RetryAfter(Duration::from_secs(4)));
        assert_eq!(after_attempt(&REFUSED, 1, 1.0), Next::RetryAfter(Duration::from_secs(6)));
    }

    #[test]
    fn the_receiver_can_ask_for_more_time_within_reason() {
        let asks =
            |seconds| Outcome::Refused { status: 503, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(after_attempt(&asks(60), 1, 0.5), Next::RetryAfter(Duration::from_mins(1)));
        assert_eq!(after_attempt(&asks(1), 1, 0.5), Next::RetryAfter(Duration::from_secs(5)));
        assert_eq!(after_attempt(&asks(u64::MAX), 1, 0.5), Next::RetryAfter(LONGEST_RETRY_AFTER));
    }

    #[test]
    fn gone_is_for_good_and_yes_is_yes() {
        assert_eq!(after_attempt(&Outcome::Gone, 1, 0.5), Next::DisableEndpoint);
        assert_eq!(after_attempt(&Outcome::Delivered { status: 204 }, 1, 0.5), Next::Done);
        let silent = Outcome::Unreachable { reason: "timed out".into() };
        assert_eq!(after_attempt(&silent, 11, 0.5), Next::Dead);
    }

    #[test]
    fn addresses_follow_the_layout() {
        let table = [
            (UrlLayout::Base, "http://h/hook", EventKind::Message, "http://h/hook/message"),
            (UrlLayout::Base, "http://h/hook/", EventKind::Session, "http://h/hook/session"),
            (UrlLayout::Base, "http://h", EventKind::Message, "http://h/message"),
            (UrlLayout::Callback, "http://h/cb?a=1", EventKind::Message, "http://h/cb?a=1"),
            (UrlLayout::Callback, "http://h/cb?a=1", EventKind::Session, "http://h/cb/session?a=1"),
            (UrlLayout::Plain, "http://h/x", EventKind::Session, "http://h/x"),
            (UrlLayout::Plain, "http://h/x", EventKind::Receipt, "http://h/x"),
            (UrlLayout::Callback, "http://h/cb", EventKind::Receipt, "http://h/cb/receipt"),
        ];
        for (layout, endpoint, kind, address) in table {
            assert_eq!(layout.address(&endpoint.parse().unwrap(), kind).as_str(), address);
        }
    }
}
