//! A webhook receiver that does what a test tells it to.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use futures::stream;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::Instant};

/// A webhook as it arrived.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: Instant,
}

impl Webhook {
    pub fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }

    pub fn authorization(&self) -> &str {
        self.headers.get("authorization").map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The contract's `message`.
    pub fn text(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// What a receiver does with a webhook.
pub enum Answer {
    Status(u16),
    With(u16, &'static str, &'static str),
    After(Duration, u16),
    Never,
    Endless,
    Truncated,
}

impl Answer {
    async fn respond(self) -> Response {
        match self {
            Self::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
            Self::With(status, name, value) => {
                (StatusCode::from_u16(status).unwrap(), [(name, value)], "no").into_response()
            }
            Self::After(pause, status) => {
                tokio::time::sleep(pause).await;
                StatusCode::from_u16(status).unwrap().into_response()
            }
            Self::Never => std::future::pending().await,
            Self::Endless => {
                let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 4096])));
                Body::from_stream(chunks).into_response()
            }
            Self::Truncated => {
                let chunks = [Ok(Bytes::from_static(b"par")), Err(std::io::Error::other("cut"))];
                Body::from_stream(stream::iter(chunks)).into_response()
            }
        }
    }
}

type Behaviour = Arc<dyn Fn(&Webhook, usize) -> Answer + Send + Sync>;

struct Inner {
    webhooks: Mutex<Vec<Webhook>>,
    count: watch::Sender<usize>,
    behaviour: Mutex<Behaviour>,
}

pub struct Receiver {
    pub url: String,
    inner: Arc<Inner>,
    _server: JoinSet<()>,
}

impl Receiver {
    /// Answers every webhook with 200.
    pub async fn content() -> Self {
        Self::with(|_, _| Answer::Status(200)).await
    }

    /// `behaviour` learns the webhook and how many came before it.
    pub async fn with(behaviour: impl Fn(&Webhook, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            webhooks: Mutex::default(),
            count: watch::Sender::new(0),
            behaviour: Mutex::new(Arc::new(behaviour)),
        });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&inner));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, _server: server }
    }

    pub fn behave(&self, behaviour: impl Fn(&Webhook, usize) -> Answer + Send + Sync + 'static) {
        *self.inner.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    pub fn webhooks(&self) -> Vec<Webhook> {
        self.inner.webhooks.lock().unwrap().clone()
    }

    pub fn texts(&self) -> Vec<String> {
        self.webhooks().iter().map(Webhook::text).collect()
    }

    /// Waits until `count` webhooks have come; returns them all.
    pub async fn wait(&self, count: usize) -> Vec<Webhook> {
        let mut counts = self.inner.count.subscribe();
        let waited =
            tokio::time::timeout(Duration::from_secs(30), counts.wait_for(|came| *came >= count)).await;
        assert!(waited.is_ok(), "{} of {count} webhooks came", self.webhooks().len());
        self.webhooks()
    }
}

async fn receive(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().to_owned();
    let webhook = Webhook { path, headers: parts.headers, body, at: Instant::now() };
    let answer = {
        let mut webhooks = inner.webhooks.lock().unwrap();
        let answer = (Arc::clone(&inner.behaviour.lock().unwrap()))(&webhook, webhooks.len());
        webhooks.push(webhook);
        inner.count.send_replace(webhooks.len());
        answer
    };
    answer.respond().await
}
