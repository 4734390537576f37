//! The receiver of webhooks: prints each, shows the last ones on a page, and says thank you.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

use crate::console::say;

/// How many webhooks the page shows.
const SHOWN: usize = 200;

/// Only what is part of the page itself: what a webhook says is text.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

/// The receiver; it ends when it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    _server: JoinSet<()>,
}

/// What has arrived, the newest last.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<VecDeque<Arrival>>>);

#[derive(Clone, Serialize)]
struct Arrival {
    number: u64,
    path: String,
    body: Value,
}

/// What the page has already.
#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

impl Arrived {
    fn push(&self, path: &str, body: &[u8]) {
        let body = serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
        let mut arrived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = arrived.back().map_or(1, |last| last.number + 1);
        arrived.push_back(Arrival { number, path: path.to_owned(), body });
        if arrived.len() > SHOWN {
            arrived.pop_front();
        }
    }

    fn after(&self, number: u64) -> Vec<Arrival> {
        let arrived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.iter().filter(|arrival| arrival.number > number).cloned().collect()
    }
}

impl Receiver {
    pub(crate) async fn start(at: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/", get(page))
            .route("/arrived", get(arrived))
            .fallback(show)
            .with_state(Arrived::default());
        let mut server = JoinSet::new();
        server.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the webhook receiver has stopped");
            }
        });
        Ok(Self { address, _server: server })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("page.html")))
}

async fn arrived(State(arrived): State<Arrived>, Query(After { after }): Query<After>) -> Json<Vec<Arrival>> {
    Json(arrived.after(after))
}

async fn show(State(arrived): State<Arrived>, uri: Uri, body: Bytes) -> StatusCode {
    say(format_args!("{}\n", described(uri.path(), &body)));
    arrived.push(uri.path(), &body);
    StatusCode::OK
}

/// A webhook for people: what happens to sessions in a line, the rest whole.
fn described(path: &str, body: &[u8]) -> String {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return format!("── webhook {path}: {}", String::from_utf8_lossy(body));
    };
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    match (text("session"), text("status")) {
        (Some(session), Some(status)) => match text("reason") {
            Some(reason) => format!("── webhook {path}: {session} is {status} ({reason})"),
            None => format!("── webhook {path}: {session} is {status}"),
        },
        _ => format!("── webhook {path}\n{json:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_take_a_line_and_messages_are_whole() {
        let session = br#"{"session":"anna","status":"connecting","reason":"linked"}"#;
        assert_eq!(described("/session", session), "── webhook /session: anna is connecting (linked)");
        let message = br#"{"session":"anna","message":"hello"}"#;
        assert!(described("/message", message).contains("\"message\": \"hello\""));
        assert_eq!(described("/x", b"\xff"), "── webhook /x: \u{fffd}");
    }

    #[test]
    fn the_page_gets_what_is_new_to_it_and_the_oldest_goes() {
        let arrived = Arrived::default();
        for number in 0..SHOWN + 2 {
            arrived.push("/message", format!("{{\"n\":{number}}}").as_bytes());
        }
        let all = arrived.after(0);
        assert_eq!((all.len(), all[0].number, &all[0].body["n"]), (SHOWN, 3, &Value::from(2)));
        let last = u64::try_from(SHOWN + 2).unwrap();
        assert_eq!(arrived.after(last - 1).len(), 1);
        assert!(arrived.after(last).is_empty());
        arrived.push("/x", b"no json \xff");
        assert_eq!(arrived.after(last)[0].body, Value::from("no json \u{fffd}"));
    }
}
