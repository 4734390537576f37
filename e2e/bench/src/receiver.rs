//! A receiver of webhooks that answers at once and notes when what came.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    load::{histogram, micros},
    problem::{Problem, Result},
};

/// The receiver; it ends when it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Seen(Mutex<Messages>);

/// The announced messages. Numbers go on after a collection, so that a straggler is nobody else's.
#[derive(Default)]
struct Messages {
    first: usize,
    announced: Vec<Message>,
}

/// A message that was announced, by its number.
#[derive(Clone, Copy)]
struct Message {
    due: Instant,
    times: u32,
    after: Option<Duration>,
}

/// What came of the announced messages.
pub(crate) struct Arrived {
    /// Microseconds.
    pub latency: Histogram<u64>,
    pub missing: u64,
    pub repeated: u64,
}

#[derive(Deserialize)]
struct Webhook<'a> {
    #[serde(borrow)]
    message: Option<&'a str>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(Problem::io("the webhook receiver"))?;
        let address = listener.local_addr().map_err(Problem::io("the webhook receiver"))?;
        let seen = Arc::new(Seen::default());
        let router = Router::new().route("/message", post(message)).fallback(|| async { StatusCode::OK });
        let router = router.with_state(Arc::clone(&seen));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, seen, _server: server })
    }

    /// What the gateway takes as `WEBHOOK_BASE_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Announces the next message; its text must be what this returns. Its clock started at `due`.
    pub(crate) fn announce(&self, due: Instant) -> String {
        let mut messages = self.seen.lock();
        let number = messages.first + messages.announced.len();
        messages.announced.push(Message { due, times: 0, after: None });
        format!("message {number}")
    }

    /// Waits until every announced message has come, but no longer than `within`; then forgets them.
    pub(crate) async fn collect(&self, within: Duration) -> Arrived {
        let deadline = Instant::now() + within;
        while self.seen.lock().announced.iter().any(|message| message.times == 0) && Instant::now() < deadline
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let messages = {
            let mut seen = self.seen.lock();
            seen.first += seen.announced.len();
            std::mem::take(&mut seen.announced)
        };
        let mut arrived = Arrived { latency: histogram(), missing: 0, repeated: 0 };
        for message in messages {
            match message.after {
                Some(after) => arrived.latency.saturating_record(micros(after)),
                None => arrived.missing += 1,
            }
            arrived.repeated += u64::from(message.times.saturating_sub(1));
        }
        arrived
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn message(State(seen): State<Arc<Seen>>, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let number = serde_json::from_slice::<Webhook<'_>>(&body)
        .ok()
        .and_then(|webhook| webhook.message?.strip_prefix("message ")?.parse::<usize>().ok());
    let mut messages = seen.lock();
    let place = number.and_then(|number| number.checked_sub(messages.first));
    if let Some(message) = place.and_then(|place| messages.announced.get_mut(place)) {
        message.times += 1;
        message.after.get_or_insert(now - message.due);
    }
    StatusCode::OK
}
