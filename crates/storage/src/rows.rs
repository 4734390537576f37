//! Stored words and numbers back into the domain's values.

use domain::{
    event::EventKind,
    media::MediaKind,
    message::{FailureCode, MessageState},
    session::SessionState,
    webhook::{DeliveryState, UrlLayout},
    webhook_auth::AuthType,
};

use crate::error::Error;

/// A value that storage keeps as a word.
pub(crate) trait Word: Sized {
    const WHAT: &'static str;
    fn from_word(word: &str) -> Option<Self>;
}

macro_rules! words {
    ($($type:ty = $what:literal),+ $(,)?) => {$(
        impl Word for $type {
            const WHAT: &'static str = $what;
            fn from_word(word: &str) -> Option<Self> {
                <$type>::parse(word)
            }
        }
    )+};
}

words! {
    SessionState = "session state",
    MessageState = "message state",
    FailureCode = "failure code",
    EventKind = "event kind",
    UrlLayout = "endpoint layout",
    MediaKind = "kind of media",
    DeliveryState = "delivery state",
    AuthType = "webhook authentication",
}

/// Reads a word, or says that it is not one of this version's.
pub(crate) fn word<W: Word>(text: &str) -> Result<W, Error> {
    W::from_word(text).ok_or_else(|| Error::Unreadable {
        what: W::WHAT,
        reason: format!("`{text}` is not known to this version"),
    })
}
