//! How the processes of an installation talk: commands, which are answered, and hints, which may be lost.
//!
//! SQL holds every fact. A command that gets no answer was stored before it was sent, and whoever owns the
//! session finds it; a hint only says "look now instead of later". So losing the bus loses speed, never data.
//!
//! [`Bus`] is NATS, or the process itself ([`Bus::local`]), with one codec and one meaning: the same tests run
//! on both. To add a command, add a variant to [`messages::SessionCommand`] and answer it where sessions are
//! owned; a process of an older version answers [`RequestError::Unsupported`]. To add a hint, add a variant to
//! [`messages::Hint`] and its subject to [`subjects`]; older processes skip it.

mod codec;
mod hints;
mod local;
pub mod messages;
mod nats;
mod server;
pub mod subjects;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use telemetry::{metrics, trace};
use tracing::Instrument as _;

pub use hints::{Hints, Received};
pub use nats::{ConnectError, NatsLogin, NatsOptions};
pub use server::{Reply, Request, Server};
pub use subjects::{Pattern, Subject};

use crate::{local::Local, nats::Nats};

/// The way to the other processes, or to the other parts of this one. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Bus {
    /// Between processes.
    Nats(Nats),
    /// Inside one process.
    Local(Arc<Local>),
}

/// Why a command has no answer. In every case the facts in SQL stand, and the command may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nobody serves the subject, or it stopped before it took the command: nothing was done.
    #[error("nobody answers there")]
    NoResponders,
    /// Taken by somebody, but not answered within the deadline: it may have been done.
    #[error("no answer in time")]
    Timeout,
    /// Taken, and dropped without an answer: it may have been done in part.
    #[error("the other side stopped before it answered")]
    Abandoned,
    /// The other side is of another version and does not know this command.
    #[error("the other side does not know this command")]
    Unsupported,
    /// One side could not read what the other wrote.
    #[error("the command or its answer is malformed")]
    Malformed,
    /// There is no connection to NATS.
    #[error("not connected to NATS")]
    Disconnected,
}

impl RequestError {
    /// What metrics call it.
    const fn word(self) -> &'static str {
        match self {
            Self::NoResponders => "no_responders",
            Self::Timeout => "timeout",
            Self::Abandoned => "abandoned",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
            Self::Disconnected => "disconnected",
        }
    }
}

/// The connection was closed for good; only at shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bus is closed")]
pub struct Closed;

impl Bus {
    /// A bus inside this process.
    #[must_use]
    pub fn local() -> Self {
        Self::Local(Arc::default())
    }

    /// Connects to NATS, trying again and saying so in the log until `patience` is over. Later losses of
    /// the connection are repaired in the background for ever.
    pub async fn connect(options: NatsOptions, patience: Duration) -> Result<Self, ConnectError> {
        Nats::connect(options, patience).await.map(Self::Nats)
    }

    /// The same for NATS that is away: the connection is made in the background, as soon as it can be.
    pub async fn connect_later(options: NatsOptions) -> Result<Self, ConnectError> {
        Nats::connect_later(options).await.map(Self::Nats)
    }

    /// Sends a command to one of those who serve `subject` and waits for the answer until `deadline` from now.
    pub async fn request<C: Serialize, R: DeserializeOwned>(
        &self,
        subject: &Subject,
        command: &C,
        deadline: Duration,
    ) -> Result<R, RequestError> {
        let payload = codec::encode(command).map_err(|_| RequestError::Malformed)?;
        let began = Instant::now();
        let span = telemetry::span!("client", "bus request", messaging.destination.name = %subject);
        let answer = self.exchange(subject, payload, deadline).instrument(span.clone()).await;
        let answer = answer.and_then(|answer| codec::decode_answer(&answer));
        if let Err(error) = &answer {
            trace::failed(&span, || error.word().to_owned());
        }
        let outcome = answer.as_ref().err().map_or("answered", |error| error.word());
        metrics().bus_requests.record(began.elapsed().as_secs_f64(), [outcome]);
        answer
    }

    async fn exchange(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, RequestError> {
        let traceparent = trace::current();
        match self {
            Self::Nats(nats) => nats.request(subject, payload, traceparent, deadline).await,
            Self::Local(local) => local.request(subject, payload, traceparent, deadline).await,
        }
    }

    /// Serves the commands of `subject`, until the server is dropped. Several servers of one subject share the
    /// commands. `capacity` commands may wait inside this process; on NATS its own limit applies.
    pub async fn serve<C: DeserializeOwned>(
        &self,
        subject: &Subject,
        capacity: usize,
    ) -> Result<Server<C>, Closed> {
        match self {
            Self::Nats(nats) => nats.serve(subject).await,
            Self::Local(local) => Ok(local.serve(subject, capacity)),
        }
    }

    /// Tells whoever listens. Never waits; without a connection or a listener the hint is lost.
    pub fn publish<H: Serialize>(&self, subject: &Subject, hint: &H) {
        let encode = || {
            codec::encode(hint)
                .inspect_err(|error| tracing::warn!(%subject, %error, "a hint cannot be written as JSON"))
                .ok()
        };
        match self {
            Self::Nats(nats) => nats.publish(subject, encode),
            Self::Local(local) => local.publish(subject, encode),
        }
    }

    /// Listens for hints. At most `capacity` wait for the listener; what comes on top is lost, and the listener
    /// learns it ([`Received::Lagged`]).
    pub async fn subscribe<H: DeserializeOwned>(
        &self,
        pattern: impl Into<Pattern>,
        capacity: usize,
    ) -> Result<Hints<H>, Closed> {
        let pattern = pattern.into();
        match self {
            Self::Nats(nats) => nats.subscribe(&pattern, capacity).await,
            Self::Local(local) => Ok(local.subscribe(pattern, capacity)),
        }
    }

    /// Whether commands and hints reach other processes now; always so for the local bus.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Nats(nats) => nats.is_connected(),
            Self::Local(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
