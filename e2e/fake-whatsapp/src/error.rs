//! What can go wrong when a test drives the server.

use std::time::Duration;

/// Why a call on the server or on one of its handles failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener could not be opened.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
    /// The TLS certificate could not be made.
    #[error("cannot make the TLS certificate: {0}")]
    Certificate(String),
    /// The text is not a pairing QR code of this server, or the code has been used or has gone stale.
    #[error("not a pairing code of this server: {0}")]
    PairingCode(&'static str),
    /// The companion refused the pairing.
    #[error("the companion refused the pairing: {0}")]
    PairingRefused(String),
    /// No such account, group or device.
    #[error("unknown: {0}")]
    Unknown(String),
    /// Signal could not encrypt or decrypt.
    #[error("signal: {0}")]
    Signal(String),
    /// The awaited condition did not come true in time.
    #[error("{what} did not happen within {within:?}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
    },
}

impl From<wacore_libsignal::protocol::SignalProtocolError> for Error {
    fn from(error: wacore_libsignal::protocol::SignalProtocolError) -> Self {
        Self::Signal(error.to_string())
    }
}

impl From<wacore_libsignal::protocol::CurveError> for Error {
    fn from(error: wacore_libsignal::protocol::CurveError) -> Self {
        Self::Signal(error.to_string())
    }
}
