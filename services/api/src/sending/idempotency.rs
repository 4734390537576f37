//! `Idempotency-Key`: the same key on the same request is the same message.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, request::Parts},
};
use domain::{
    media::MediaSource,
    message::{Content, Idempotency},
};

use super::{Order, SendError};

const HEADER: &str = "idempotency-key";

const LONGEST: usize = 255;

/// A caller's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

/// The header, checked where the order of checks says so: after who is calling and with what.
pub(crate) struct IdempotencyHeader(Option<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(HEADER).cloned()))
    }
}

impl IdempotencyHeader {
    pub(crate) fn key(&self) -> Result<Option<IdempotencyKey>, SendError> {
        let Some(value) = &self.0 else { return Ok(None) };
        let key = value.to_str().map_err(|_| SendError::InvalidKey)?.trim();
        if key.is_empty() || key.len() > LONGEST {
            return Err(SendError::InvalidKey);
        }
        Ok(Some(IdempotencyKey(key.to_owned())))
    }
}

impl IdempotencyKey {
    /// The key together with a hash of what is asked for. Whether the message may wait is not part of that.
    pub(super) fn bound_to(&self, order: &Order) -> Idempotency {
        let mut hasher = blake3::Hasher::new();
        let mut part = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        part(&order.session.id.to_string());
        part(&order.chat);
        part(order.content.kind());
        match &order.content {
            Content::Text { text, quoted, mentions } => {
                part(text);
                // What is known of a quoted message may change between two tries; its id does not.
                part(quoted.as_ref().map_or("", |quote| &quote.message_id));
                for mention in mentions {
                    part(mention);
                }
            }
            Content::Location { latitude, longitude, name, address } => {
                part(&latitude.to_string());
                part(&longitude.to_string());
                part(name.as_deref().unwrap_or_default());
                part(address.as_deref().unwrap_or_default());
            }
            Content::Contact { name, vcard } => {
                part(name);
                part(vcard);
            }
            // The secret is another one in each try.
            Content::Poll { name, options, selectable, secret: _ } => {
                part(name);
                for option in options {
                    part(option);
                }
                part(&selectable.to_string());
            }
            Content::Reaction { to, emoji } => {
                part(&to.message_id);
                part(emoji);
            }
            Content::Edit { of, text } => {
                part(&of.message_id);
                part(text);
            }
            Content::Delete { of } => part(&of.message_id),
            Content::Media(media) => {
                // A file that comes with the request is the same when its content is.
                match &media.source {
                    MediaSource::Url(url) => part(url),
                    MediaSource::Stored(upload) => part(&upload.sha256),
                }
                part(media.caption.as_deref().unwrap_or_default());
                part(media.file_name.as_deref().unwrap_or_default());
                part(media.quoted.as_ref().map_or("", |quote| &quote.message_id));
                for mention in &media.mentions {
                    part(mention);
                }
            }
        }
        Idempotency { key: self.0.clone(), request_hash: hasher.finalize().as_bytes().to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_and_not_endless() {
        let longest = "k".repeat(LONGEST);
        let long = "k".repeat(LONGEST + 1);
        let table = [
            ("order-1", true),
            ("  a b ", true),
            (longest.as_str(), true),
            (long.as_str(), false),
            ("", false),
        ];
        for (value, valid) in table {
            let header = IdempotencyHeader(Some(value.parse().unwrap()));
            assert_eq!(header.key().is_ok(), valid, "{value:?}");
        }
        assert!(IdempotencyHeader(Some(HeaderValue::from_bytes(b"\xff").unwrap())).key().is_err());
        assert!(matches!(IdempotencyHeader(None).key(), Ok(None)));
    }
}
