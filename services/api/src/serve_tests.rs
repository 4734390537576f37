//! The server as clients meet it, over TCP.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::session::SessionState;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::serve;
use crate::{state::Settings, testing::Rig};

const PATIENCE: Duration = Duration::from_secs(5);

/// Serves a rig; the handle ends when the server has drained.
async fn served(rig: &Rig) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (router, state, shutdown) = (rig.router(), rig.state.clone(), rig.shutdown.clone());
    let server =
        TaskTracker::new().spawn(async move { serve(listener, router, &state.settings, shutdown).await });
    (address, server)
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Sends a request's text, and reads until the answer's body begins and ends with `until`.
async fn exchange(stream: &mut TcpStream, request: &str, until: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(stream, until).await
}

async fn read_until(stream: &mut TcpStream, until: &str) -> String {
    let mut answer = Vec::new();
    let read = async {
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if !until.is_empty() && text.ends_with(until) {
                return text;
            }
            if stream.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                return String::from_utf8_lossy(&answer).into_owned();
            }
        }
    };
    timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no answer that ends with {until:?}"))
}

fn get(path: &str) -> String {
    let credentials = STANDARD.encode("admin:admin");
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\n\r\n")
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let rig = Rig::new().await;
    let (address, _server) = served(&rig).await;
    let mut stream = connect(address).await;
    for _ in 0..3 {
        let answer = exchange(&mut stream, &get("/session"), r#"{"data":[]}"#).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_takes_no_more() {
    let rig = Rig::new().await;
    let runner = rig.runner().ends_as(SessionState::Connecting, "on its way").start().await;
    let (address, server) = served(&rig).await;
    let mut idle = connect(address).await;
    exchange(&mut idle, &get("/health"), r#"{"status":"ok"}"#).await;
    let mut busy = connect(address).await;
    busy.write_all(get("/session/start?session=shop").as_bytes()).await.unwrap();
    let claimed = async {
        while rig.database.session_names(None).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, claimed).await.unwrap();
    rig.shutdown.cancel();
    let answer = read_until(&mut busy, "}").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains(r#""code":"stopping""#), "{answer}");
    assert_eq!(read_until(&mut idle, "").await, "", "an idle connection is closed");
    timeout(PATIENCE, server).await.expect("the server did not drain").unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    runner.stop().await;
}

#[tokio::test]
async fn slow_and_endless_requests_are_cut() {
    let short = Duration::from_millis(100);
    let rig = Rig::with(Settings { head_wait: short, body_wait: short, ..Settings::default() }).await;
    let (address, _server) = served(&rig).await;
    let half = exchange(&mut connect(address).await, "GET / HTTP/1.1\r\nhost:", "").await;
    assert!(!half.contains("200 OK"), "{half}");
    let credentials = STANDARD.encode("admin:admin");
    let head = format!(
        "POST /session/start HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\n\
         content-type: application/json\r\n"
    );
    let body =
        exchange(&mut connect(address).await, &format!("{head}content-length: 9\r\n\r\n{{"), "}").await;
    assert!(body.starts_with("HTTP/1.1 408") && body.contains(r#""code":"body_timeout""#), "{body}");
    let huge =
        exchange(&mut connect(address).await, &format!("{head}content-length: 9999999\r\n\r\n{{"), "}").await;
    assert!(huge.starts_with("HTTP/1.1 413") && huge.contains(r#""code":"body_too_large""#), "{huge}");
    let chunk = format!("100000\r\n{}\r\n1\r\nx\r\n", "x".repeat(1 << 20));
    let chunked = exchange(
        &mut connect(address).await,
        &format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}"),
        "}",
    )
    .await;
    assert!(chunked.starts_with("HTTP/1.1 413"), "{chunked}");
    let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    let head = exchange(&mut connect(address).await, &header, "").await;
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let rig = Rig::with(Settings { max_connections: 1, ..Settings::default() }).await;
    let (address, _server) = served(&rig).await;
    let mut first = connect(address).await;
    exchange(&mut first, &get("/health"), r#"{"status":"ok"}"#).await;
    let mut second = connect(address).await;
    second.write_all(get("/health").as_bytes()).await.unwrap();
    assert!(timeout(Duration::from_millis(100), second.readable()).await.is_err(), "it has to wait");
    drop(first);
    let answer = read_until(&mut second, r#"{"status":"ok"}"#).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
