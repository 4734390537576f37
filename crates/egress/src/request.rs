//! What is sent, and what comes back.

use std::{fmt, pin::Pin, time::Duration};

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::error::{Error, SourceFailed};

/// Whom a URL comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The operator, through the environment: it may lead anywhere.
    Trusted,
    /// A user: it may lead to public addresses and to those in `EGRESS_ALLOW`.
    Public,
}

/// A request to send. The defaults: no body, no redirects, 15 s, answers up to 64 KiB.
#[derive(Debug)]
pub struct Request {
    pub(crate) policy: Policy,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) deadline: Duration,
    pub(crate) limit: u64,
    pub(crate) redirects: u8,
}

/// What a request carries.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes in memory; sent again after a redirect that asks for it.
    Bytes(Bytes),
    /// A large body, read while it is sent. Cannot be sent a second time, so a redirect that asks for it is
    /// handed back as the answer.
    Stream {
        /// The bytes; an error ends the request with [`Error::Body`].
        stream: ByteStream<std::io::Error>,
        /// How many there are, when that is known: some servers refuse a body of unknown length.
        length: Option<u64>,
    },
}

/// A stream of bytes.
pub type ByteStream<E> = Pin<Box<dyn Stream<Item = Result<Bytes, E>> + Send>>;

/// An answer, read whole or up to the limit.
#[derive(Debug, Clone)]
pub struct Response {
    /// Its status: an answer of any status is an answer, not an error.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most as long as the request's limit.
    pub body: Bytes,
    /// There was more than the limit.
    pub truncated: bool,
}

/// An answer whose body is still to be read.
pub struct Streaming {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body. Fails with [`Error::Timeout`] when the deadline passes or nothing comes for the idle
    /// time-out, with [`Error::TooLarge`] beyond the request's limit.
    pub body: ByteStream<Error>,
}

impl Request {
    /// A request without body or headers of its own.
    #[must_use]
    pub fn new(policy: Policy, method: Method, url: impl Into<String>) -> Self {
        Self {
            policy,
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            deadline: Duration::from_secs(15),
            limit: 64 * 1024,
            redirects: 0,
        }
    }

    /// Sets a header; after a redirect to another origin, those that carry credentials are left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets what it carries.
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the time from the start until the last byte of the answer.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how many bytes of the answer are read.
    #[must_use]
    pub const fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Follows up to this many redirects, each checked as if the user had given it.
    #[must_use]
    pub const fn follow(mut self, redirects: u8) -> Self {
        self.redirects = redirects;
        self
    }
}

impl Body {
    /// What a request after a 307 or 308 carries; `None` when it cannot be sent again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::Stream { .. } => None,
        }
    }

    pub(crate) fn into_reqwest(self) -> (Option<reqwest::Body>, Option<u64>) {
        match self {
            Self::Empty => (None, None),
            Self::Bytes(bytes) => (Some(bytes.into()), None),
            Self::Stream { stream, length } => {
                (Some(reqwest::Body::wrap_stream(stream.map_err(|_| SourceFailed))), length)
            }
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length:?})"),
        }
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("status", &self.status).finish_non_exhaustive()
    }
}
