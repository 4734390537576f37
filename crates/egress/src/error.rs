//! Why a request brought no answer, in the terms of what its sender can do about it.

use std::{error::Error as StdError, net::IpAddr};

use crate::resolver::{BlockedAddress, Unresolved};

/// Why there is no (whole) answer. None of the texts contains the URL's path, query or login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an absolute `http` or `https` URL with a host. Do not try again.
    #[error("invalid URL: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The host is not on the public internet and not in `EGRESS_ALLOW`. Do not try again.
    #[error("{address} is not a public address; EGRESS_ALLOW can permit it")]
    Blocked {
        /// Where the URL, or a redirect, leads.
        address: IpAddr,
    },
    /// The host's name has no address.
    #[error("the host's name cannot be resolved")]
    Resolve,
    /// No connection: refused, unreachable, or not within the connect time-out.
    #[error("cannot connect: {reason}")]
    Connect {
        /// What the operating system said.
        reason: String,
    },
    /// No TLS: the certificate is not valid for the host, or it is not a TLS server at all.
    #[error("TLS failed: {reason}")]
    Tls {
        /// What the TLS library said.
        reason: String,
    },
    /// The deadline passed before the whole answer was there. The request may have been acted on.
    #[error("no whole answer before the deadline")]
    Timeout,
    /// The connection was closed before the whole answer was there. The request may have been acted on.
    #[error("the connection was closed before the whole answer was there")]
    Closed,
    /// What came back is not HTTP. The request may have been acted on.
    #[error("the answer is not valid HTTP")]
    Protocol,
    /// The answer is larger than the limit, and was not wanted in part.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A redirect leads to something that is not a URL.
    #[error("redirected to something that is not a URL")]
    Redirect,
    /// The body that was to be sent could not be read.
    #[error("the body to send could not be read")]
    Body,
}

/// The body that is being sent failed; marks the error on its way through the HTTP library.
#[derive(Debug, thiserror::Error)]
#[error("the body to send could not be read")]
pub(crate) struct SourceFailed;

impl Error {
    /// After the same request might succeed at another time, without anybody changing anything here.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Resolve
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Timeout
            | Self::Closed
            | Self::Protocol => true,
            Self::InvalidUrl { .. }
            | Self::Blocked { .. }
            | Self::TooLarge { .. }
            | Self::Redirect
            | Self::Body => false,
        }
    }
}

impl From<reqwest::Error> for Error {
    /// By the types in the chain of causes, never by their texts.
    fn from(error: reqwest::Error) -> Self {
        if error.is_builder() {
            return Self::InvalidUrl { reason: root(&error).to_string() };
        }
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(current) = cause {
            if let Some(found) = known(current) {
                return found;
            }
            cause = next(current);
        }
        if error.is_connect() {
            return Self::Connect { reason: root(&error).to_string() };
        }
        if error.is_timeout() { Self::Timeout } else { Self::Closed }
    }
}

fn known(error: &(dyn StdError + 'static)) -> Option<Error> {
    if let Some(blocked) = error.downcast_ref::<BlockedAddress>() {
        return Some(Error::Blocked { address: blocked.address });
    }
    if error.is::<Unresolved>() {
        return Some(Error::Resolve);
    }
    if error.is::<SourceFailed>() {
        return Some(Error::Body);
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(Error::Tls { reason: tls.to_string() });
    }
    let http = error.downcast_ref::<hyper::Error>()?;
    (http.is_parse() || http.is_parse_status()).then_some(Error::Protocol)
}

/// The cause of an error. `io::Error` hides the one it wraps from `source`.
fn next<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut current = error;
    while let Some(cause) = next(current) {
        current = cause;
    }
    current
}
