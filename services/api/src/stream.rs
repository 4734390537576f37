//! Server-sent events: answers that stay open and tell what happens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{
        IntoResponse as _, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::error::{Problem, answers_as_problem};

/// How often a silent stream says that it is still there: proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// When a listener that lost its connection should come back.
const COME_BACK: Duration = Duration::from_secs(2);

/// Tells proxies to pass on what comes, as it comes.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// How many streams a process keeps open.
#[derive(Debug)]
pub(crate) struct Streams(Arc<Semaphore>);

/// There are too many of them.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("Too many streams are open, try again later")]
pub(crate) struct TooManyStreams;

impl From<TooManyStreams> for Problem {
    fn from(error: TooManyStreams) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", error.to_string())
            .retry_after(Duration::from_secs(10))
    }
}

answers_as_problem!(TooManyStreams);

impl Streams {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }

    /// A place for one stream; held by the stream.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, TooManyStreams> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| TooManyStreams)
    }
}

/// Answers with events, until they end or the process stops.
pub(crate) fn answer(
    events: impl Stream<Item = Event> + Send + 'static,
    place: OwnedSemaphorePermit,
    shutdown: CancellationToken,
) -> Response {
    let opening = futures::stream::once(async { Event::default().comment("listening").retry(COME_BACK) });
    let events = opening.chain(events).take_until(shutdown.cancelled_owned()).map(move |event| {
        let _held = &place;
        Ok::<_, Infallible>(event)
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().extend([UNBUFFERED]);
    response
}
