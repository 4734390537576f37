//! The receiver of webhooks: prints each and says thank you.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, Uri},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

use crate::console::say;

/// The receiver; it ends when it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(show);
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

async fn show(uri: Uri, body: Bytes) -> StatusCode {
    say(format_args!("{}\n", described(uri.path(), &body)));
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
}
