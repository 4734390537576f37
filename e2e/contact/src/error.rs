//! What can go wrong with a contact.

use std::time::Duration;

/// Why a call on a contact failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused something.
    #[error(transparent)]
    Server(#[from] fake_whatsapp::Error),
    /// The client could not be built.
    #[error("cannot build the client: {0}")]
    Build(String),
    /// The client refused something.
    #[error("client: {0}")]
    Client(Box<dyn std::error::Error + Send + Sync>),
    /// The client is disconnected.
    #[error("the client is not running")]
    NotRunning,
    /// Something did not happen in time.
    #[error("{what} did not happen within {within:?}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
    },
}

impl Error {
    pub(crate) fn build(error: impl std::fmt::Display) -> Self {
        Self::Build(error.to_string())
    }

    pub(crate) fn client(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Client(error.into())
    }
}
