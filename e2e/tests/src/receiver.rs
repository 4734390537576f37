//! A webhook receiver that records everything, and misbehaves on request.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use crate::eventually;

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub at: Instant,
    /// Its `webhook-id`: the same in every attempt.
    pub id: String,
    /// Which attempt of this webhook it is, counted from 1.
    pub attempt: usize,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Webhook {
    /// A field of the body that is a text; empty when it is something else.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
}

/// What a receiver does with a request that it has read and recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with this status.
    Answer(u16),
    /// Answers 200, but late.
    Late(Duration),
    /// Closes the connection without a word.
    Close,
    /// Says 200, promises a body and closes in the middle of it.
    CloseInBody,
    /// Says 200 with a body that never ends, as fast as it can be read.
    Endless,
    /// Says 200 with a body that never ends, a byte at a time.
    Drip,
}

type Rule = Box<dyn Fn(&Webhook) -> Behaviour + Send + Sync>;

struct Shared {
    webhooks: Mutex<Vec<Webhook>>,
    rule: Mutex<Rule>,
}

/// The receiver; ends when dropped.
pub struct WebhookReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// The listener with all its connections, while it is up.
    listening: Mutex<JoinSet<()>>,
}

impl fmt::Debug for WebhookReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookReceiver").field("address", &self.address).finish_non_exhaustive()
    }
}

impl WebhookReceiver {
    /// Listens on a free port and answers 200 to everything.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let shared = Arc::new(Shared {
            webhooks: Mutex::default(),
            rule: Mutex::new(Box::new(|_| Behaviour::Answer(200))),
        });
        let address = listener.local_addr().expect("a bound socket has an address");
        let receiver = Self { address, shared, listening: Mutex::default() };
        receiver.listen(listener);
        receiver
    }

    /// The base URL of all webhooks.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.listening.lock().spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        connections.spawn(serve(stream, Arc::clone(&shared)));
                    }
                    Some(_) = connections.join_next() => {}
                    else => return,
                }
            }
        });
    }

    /// From now on does with each request what `rule` says.
    pub fn behave(&self, rule: impl Fn(&Webhook) -> Behaviour + Send + Sync + 'static) {
        *self.shared.rule.lock() = Box::new(rule);
    }

    /// Goes away: connections are closed, new ones refused.
    pub async fn down(&self) {
        let mut listening = std::mem::take(&mut *self.listening.lock());
        listening.shutdown().await;
    }

    /// Comes back at the same address.
    pub async fn up(&self) {
        let listener = eventually("the receiver's port", Duration::from_secs(10), async || {
            TcpListener::bind(self.address).await.ok()
        });
        self.listen(listener.await);
    }

    /// Everything that came, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Webhook> {
        self.shared.webhooks.lock().clone()
    }

    /// A look at everything that came, without a copy of it.
    pub fn look<T>(&self, look: impl FnOnce(&[Webhook]) -> T) -> T {
        look(&self.shared.webhooks.lock())
    }

    /// The webhooks about messages, in order, all attempts.
    #[must_use]
    pub fn messages(&self) -> Vec<Webhook> {
        self.at("/message")
    }

    /// The webhooks about sessions, in order, all attempts.
    #[must_use]
    pub fn sessions(&self) -> Vec<Webhook> {
        self.at("/session")
    }

    fn at(&self, path: &str) -> Vec<Webhook> {
        self.shared.webhooks.lock().iter().filter(|webhook| webhook.path == path).cloned().collect()
    }

    /// Waits for the first message webhook with this text.
    #[track_caller]
    pub fn text(&self, text: &str, deadline: Duration) -> impl Future<Output = Webhook> {
        let what = format!("a webhook with the text {text:?}");
        let found = move || self.messages().into_iter().find(|webhook| webhook.text("message") == text);
        eventually(&what, deadline, async move || found())
    }

    /// Waits for a session webhook with this `state`.
    #[track_caller]
    pub fn state(&self, session: &str, state: &str, deadline: Duration) -> impl Future<Output = Webhook> {
        let what = format!("a webhook that says that session {session} is {state}");
        let is_it =
            move |webhook: &Webhook| webhook.text("session") == session && webhook.text("state") == state;
        eventually(&what, deadline, async move || self.sessions().into_iter().find(|webhook| is_it(webhook)))
    }
}

/// The connection is closed instead of answered.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed")
    }
}

impl std::error::Error for Closed {}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    // A client that went away, or one that was sent away, is what many tests are about.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: http::Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, Closed> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Closed)?;
    let behaviour = shared.record(&head, &body);
    let respond = |status: u16, body: Body| Response::builder().status(status).body(body).map_err(|_| Closed);
    match behaviour {
        Behaviour::Answer(status) => respond(status, Body::empty()),
        Behaviour::Late(pause) => {
            sleep(pause).await;
            respond(200, Body::empty())
        }
        Behaviour::Close => Err(Closed),
        Behaviour::CloseInBody => {
            let chunks = [Ok(Bytes::from_static(b"half a ")), Err(Closed)];
            respond(200, Body::from_stream(stream::iter(chunks)))
        }
        Behaviour::Endless => {
            let chunk = Bytes::from(vec![b'x'; 16 * 1024]);
            respond(200, Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()))))
        }
        Behaviour::Drip => {
            let drops = stream::unfold((), |()| async {
                sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
            });
            respond(200, Body::from_stream(drops))
        }
    }
}

impl Shared {
    fn record(&self, head: &http::request::Parts, body: &Bytes) -> Behaviour {
        let id =
            head.headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let mut webhooks = self.webhooks.lock();
        let webhook = Webhook {
            at: Instant::now(),
            attempt: 1 + webhooks.iter().filter(|earlier| earlier.id == id).count(),
            id,
            path: head.uri.path().to_owned(),
            headers: head.headers.clone(),
            body: serde_json::from_slice(body).unwrap_or_default(),
        };
        webhooks.push(webhook.clone());
        drop(webhooks);
        (*self.rule.lock())(&webhook)
    }
}
