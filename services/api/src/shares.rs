//! Links that let somebody without an account scan a session's code. A link is its own proof: which session, which
//! version of its links, until when, and a signature over these. Nothing is stored but the version.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{SessionId, Timestamp, session::Session};
use moka::sync::Cache;
use secrets::KeyRing;

use crate::{
    error::{Problem, answers_as_problem},
    state::ApiState,
};

/// What the signature is for, so that none of another purpose fits.
const PURPOSE: &str = "session link";

/// Streams that the links of one session may have open in this process.
const STREAMS_AT_ONCE: usize = 8;

/// The pause between two codes that links of one session ask WhatsApp for: it bans those who ask too often.
const BETWEEN_CODES: Duration = Duration::from_secs(20);

/// The session, the version and the end; then the signature.
const SIGNED: usize = 16 + 8 + 8;
const TOKEN: usize = SIGNED + 32;

/// What a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) session: SessionId,
    version: i64,
    /// In whole seconds.
    pub(crate) expires_at: Timestamp,
}

/// Why a link opens nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShareError {
    #[error("This link has expired or was revoked: ask for a new one")]
    Expired,
    #[error("This link is open too many times")]
    TooManyGuests,
    #[error("A code was asked for a moment ago, try again later")]
    TooManyCodes,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<ShareError> for Problem {
    fn from(error: ShareError) -> Self {
        let words = error.to_string();
        match error {
            ShareError::Expired => Self::new(StatusCode::NOT_FOUND, "link_expired", words),
            ShareError::TooManyGuests => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", words)
                    .retry_after(Duration::from_secs(10))
            }
            ShareError::TooManyCodes => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_codes", words).retry_after(BETWEEN_CODES)
            }
            ShareError::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(ShareError);

/// A part of a link's path; one that is no text opens nothing.
pub(crate) type TokenPath = Result<Path<String>, PathRejection>;

impl Share {
    /// A link to a session for so long.
    pub(crate) async fn new(
        state: &ApiState,
        session: SessionId,
        life: Duration,
    ) -> Result<Self, ShareError> {
        let version = state.database.share_version(session).await?.ok_or(ShareError::Expired)?;
        let end = (state.clock.now() + life).seconds();
        Ok(Self { session, version, expires_at: Timestamp::from_seconds(end) })
    }

    /// What stands in the link.
    pub(crate) fn token(&self, keys: &KeyRing) -> String {
        let signed = self.signed();
        URL_SAFE_NO_PAD.encode([&signed[..], &keys.sign(PURPOSE, &signed)].concat())
    }

    /// The session that a link's token opens, and what the token says.
    pub(crate) async fn open(state: &ApiState, token: TokenPath) -> Result<(Self, Box<Session>), ShareError> {
        let Path(token) = token.map_err(|_| ShareError::Expired)?;
        let share = Self::read(&token, &state.keys).ok_or(ShareError::Expired)?;
        if !share.still_stands(state).await? {
            return Err(ShareError::Expired);
        }
        let session = state.database.session(share.session).await?.ok_or(ShareError::Expired)?;
        Ok((share, Box::new(session)))
    }

    pub(crate) async fn still_stands(&self, state: &ApiState) -> storage::Result<bool> {
        Ok(state.clock.now() < self.expires_at
            && state.database.share_version(self.session).await? == Some(self.version))
    }

    fn read(token: &str, keys: &KeyRing) -> Option<Self> {
        let bytes: [u8; TOKEN] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (signed, signature) = bytes.split_at(SIGNED);
        if !keys.signed(PURPOSE, signed, signature) {
            return None;
        }
        let (session, numbers) = signed.split_first_chunk::<16>()?;
        let (version, expires) = numbers.split_first_chunk::<8>()?;
        Some(Self {
            session: uuid::Uuid::from_bytes(*session).into(),
            version: i64::from_be_bytes(*version),
            expires_at: Timestamp::from_seconds(i64::from_be_bytes(expires.try_into().ok()?)),
        })
    }

    fn signed(&self) -> [u8; SIGNED] {
        let mut signed = [0; SIGNED];
        signed[..16].copy_from_slice(self.session.uuid().as_bytes());
        signed[16..24].copy_from_slice(&self.version.to_be_bytes());
        signed[24..].copy_from_slice(&self.expires_at.seconds().to_be_bytes());
        signed
    }
}

/// What people with links do in this process: nobody knows them, so a link can do only so much.
pub(crate) struct Guests {
    open: Arc<Mutex<HashMap<SessionId, usize>>>,
    codes: Cache<SessionId, ()>,
}

impl Default for Guests {
    fn default() -> Self {
        let codes = Cache::builder().max_capacity(100_000).time_to_live(BETWEEN_CODES).build();
        Self { open: Arc::default(), codes }
    }
}

/// One of the streams that links of a session may have open.
pub(crate) struct Place {
    open: Arc<Mutex<HashMap<SessionId, usize>>>,
    session: SessionId,
}

impl Guests {
    pub(crate) fn enter(&self, session: SessionId) -> Result<Place, ShareError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(session).or_default();
        if *count >= STREAMS_AT_ONCE {
            return Err(ShareError::TooManyGuests);
        }
        *count += 1;
        Ok(Place { open: Arc::clone(&self.open), session })
    }

    /// Whether another code may be asked for.
    pub(crate) fn ask_for_code(&self, session: SessionId) -> Result<(), ShareError> {
        let entry = self.codes.entry(session).or_insert(());
        if entry.is_fresh() { Ok(()) } else { Err(ShareError::TooManyCodes) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> KeyRing {
        KeyRing::parse(&KeyRing::generate()).unwrap()
    }

    #[test]
    fn a_token_says_what_was_signed_and_nothing_else() {
        let keys = keys();
        let share = Share {
            session: SessionId::new(),
            version: 3,
            expires_at: Timestamp::from_seconds(1_800_000_000),
        };
        let token = share.token(&keys);
        assert_eq!(Share::read(&token, &keys), Some(share));
        assert_eq!(Share::read(&token, &self::keys()), None);
        for n in 0..token.len() - 1 {
            let mut other = token.clone().into_bytes();
            other[n] = if other[n] == b'A' { b'B' } else { b'A' };
            assert_eq!(Share::read(std::str::from_utf8(&other).unwrap(), &keys), None, "{n}");
        }
        for other in ["", "%%%", &token[1..], &format!("{token}AAAA")] {
            assert_eq!(Share::read(other, &keys), None, "{other}");
        }
    }

    #[test]
    fn a_session_has_only_so_many_guests() {
        let guests = Guests::default();
        let (session, other) = (SessionId::new(), SessionId::new());
        let places: Vec<_> = (0..STREAMS_AT_ONCE).map(|_| guests.enter(session).unwrap()).collect();
        assert!(guests.enter(session).is_err() && guests.enter(other).is_ok());
        drop(places);
        assert!(guests.enter(session).is_ok());
        assert!(guests.open.lock().unwrap().is_empty());
        assert!(guests.ask_for_code(session).is_ok() && guests.ask_for_code(other).is_ok());
        assert!(guests.ask_for_code(session).is_err());
    }
}
