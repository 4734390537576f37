//! Against servers that behave badly, each a few lines over a plain socket.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderValue, Method, StatusCode, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use crate::{Body, Client, EgressOptions, Error, Policy, Request, Response};

/// A server that lives as long as this value.
struct Server {
    address: SocketAddr,
    /// What was asked: head and body of every request.
    requests: mpsc::UnboundedReceiver<String>,
    /// Connections taken and everything that runs for them.
    _tasks: JoinSet<()>,
}

/// Answers every request on every connection with what `answer` makes of it; `None` leaves it without one.
async fn server(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + Clone + 'static) -> Server {
    serve(move |mut socket, asked| {
        let answer = answer.clone();
        async move {
            loop {
                let request = read_request(&mut socket).await?;
                let reply = answer(&request);
                asked.send(request).ok()?;
                match reply {
                    Some(reply) => socket.write_all(&reply).await.ok()?,
                    None => std::future::pending::<()>().await,
                }
            }
        }
    })
    .await
}

async fn serve<F, T>(connection: F) -> Server
where
    F: Fn(TcpStream, mpsc::UnboundedSender<String>) -> T + Send + 'static,
    T: Future<Output = Option<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(connection(socket, asked.clone()));
        }
    });
    Server { address, requests, _tasks: tasks }
}

async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut request = String::new();
    loop {
        let mut buffer = [0; 4096];
        let read = socket.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.push_str(std::str::from_utf8(&buffer[..read]).ok()?);
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let chunked = head.contains("transfer-encoding: chunked");
        if chunked && !body.ends_with("0\r\n\r\n") {
            continue;
        }
        if chunked || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(request);
        }
    }
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn moved(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

fn client(allow: &[&str]) -> Client {
    let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
    Client::new(EgressOptions { allow, idle_timeout: Duration::from_millis(200), ..EgressOptions::default() })
        .unwrap()
}

fn get(policy: Policy, url: impl std::fmt::Display) -> Request {
    Request::new(policy, Method::GET, url.to_string()).deadline(Duration::from_secs(10))
}

/// Asks a server that trusts us.
async fn fetch(server: &Server, limit: u64) -> Result<Response, Error> {
    let request = get(Policy::Trusted, format!("http://{}/", server.address)).limit(limit);
    client(&[]).request(request.deadline(Duration::from_millis(600))).await
}

#[tokio::test]
async fn connections_are_kept_for_the_next_request() {
    let mut server = serve(|mut socket, asked| async move {
        let port = socket.peer_addr().ok()?.port().to_string();
        while read_request(&mut socket).await.is_some() {
            asked.send(port.clone()).ok()?;
            socket.write_all(&ok("hello")).await.ok()?;
        }
        None
    })
    .await;
    let client = client(&[]);
    for _ in 0..3 {
        let response =
            client.request(get(Policy::Trusted, format!("http://{}/", server.address))).await.unwrap();
        assert_eq!(
            (response.status, response.body.as_ref(), response.truncated),
            (StatusCode::OK, &b"hello"[..], false)
        );
    }
    let ports = [server.requests.recv().await, server.requests.recv().await, server.requests.recv().await];
    assert!(ports[0] == ports[1] && ports[1] == ports[2], "{ports:?}");
}

#[tokio::test]
async fn a_slow_server_meets_the_deadline() {
    let silent = server(|_| None).await;
    assert_eq!(fetch(&silent, 100).await.unwrap_err(), Error::Timeout);
    // Headers at once, then a body that never ends: one deadline for all of it.
    let dripping = serve(|mut socket, _| async move {
        read_request(&mut socket).await?;
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        loop {
            tick.tick().await;
            socket.write_all(b".").await.ok()?;
        }
    })
    .await;
    assert_eq!(fetch(&dripping, 1_000_000).await.unwrap_err(), Error::Timeout);
}

#[tokio::test]
async fn an_endless_body_is_read_to_the_limit() {
    let endless = serve(|mut socket, _| async move {
        read_request(&mut socket).await?;
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        loop {
            socket.write_all(&[b'x'; 1000]).await.ok()?;
        }
    })
    .await;
    let response = fetch(&endless, 2500).await.unwrap();
    assert_eq!((response.body, response.truncated), (Bytes::from(vec![b'x'; 2500]), true));

    let request = get(Policy::Trusted, format!("http://{}/", endless.address)).limit(2500);
    let streaming = client(&[]).stream(request).await.unwrap();
    let read: Result<Vec<Bytes>, Error> = streaming.body.try_collect().await;
    assert_eq!(read.unwrap_err(), Error::TooLarge { limit: 2500 });
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let server = server(|_| Some(ok("12345"))).await;
    for (limit, body, truncated) in [(5, "12345", false), (4, "1234", true), (0, "", true)] {
        let response = fetch(&server, limit).await.unwrap();
        assert_eq!((response.body.as_ref(), response.truncated), (body.as_bytes(), truncated), "{limit}");
    }
    let request = get(Policy::Trusted, format!("http://{}/", server.address));
    let error = client(&[]).stream(request.limit(4)).await.unwrap_err();
    assert_eq!(error, Error::TooLarge { limit: 4 });
}

#[tokio::test]
async fn servers_that_break_off_or_talk_nonsense_are_told_apart() {
    let table: [(&[u8], Error); 4] = [
        (b"", Error::Closed),
        (b"HTTP/1.1 200 OK\r\ncontent-le", Error::Closed),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", Error::Closed),
        (b"SSH-2.0-OpenSSH_9.9\r\n", Error::Protocol),
    ];
    for (answer, expected) in table {
        let server = serve(move |mut socket, _| async move {
            read_request(&mut socket).await?;
            socket.write_all(answer).await.ok()
        })
        .await;
        assert_eq!(fetch(&server, 1000).await.unwrap_err(), expected, "{}", answer.escape_ascii());
    }
    // Announced less than came: what was announced is the answer.
    let more =
        server(|_| Some(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n".into()))
            .await;
    assert_eq!(fetch(&more, 1000).await.unwrap().body, "ok");
}

#[tokio::test]
async fn failures_before_the_request_are_told_apart() {
    let plain = serve(|mut socket, _| async move {
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok()?;
        std::future::pending().await
    })
    .await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let kind = |error: Error| match error {
        Error::Tls { .. } => "tls",
        Error::Connect { .. } => "connect",
        Error::Resolve => "resolve",
        Error::InvalidUrl { .. } => "url",
        other => panic!("{other:?}"),
    };
    let table = [
        (format!("https://{}/", plain.address), "tls"),
        (format!("http://{closed}/"), "connect"),
        ("http://no-such-host.invalid/".to_owned(), "resolve"),
        ("ftp://example.org/".to_owned(), "url"),
        ("file:///etc/passwd".to_owned(), "url"),
        ("http://".to_owned(), "url"),
        ("/relative".to_owned(), "url"),
        ("http://exa mple.org/".to_owned(), "url"),
    ];
    for (url, expected) in table {
        let error = client(&[]).request(get(Policy::Trusted, &url)).await.unwrap_err();
        assert_eq!(kind(error), expected, "{url}");
    }
}

#[tokio::test]
async fn a_users_url_does_not_reach_private_addresses() {
    let mut server = server(|_| Some(ok("secret"))).await;
    let port = server.address.port();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "169.254.169.254",
        "user:pass@127.0.0.1",
    ];
    for host in hosts {
        let error =
            client(&[]).request(get(Policy::Public, format!("http://{host}:{port}/"))).await.unwrap_err();
        assert!(matches!(error, Error::Blocked { .. }), "{host}: {error:?}");
    }
    assert!(server.requests.try_recv().is_err(), "somebody was let through");

    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/");
        let allowed = client(&["127.0.0.0/8", "::1/128"]).request(get(Policy::Public, &url)).await.unwrap();
        assert_eq!(allowed.body, "secret", "EGRESS_ALLOW lifts it");
        let trusted = client(&[]).request(get(Policy::Trusted, &url)).await.unwrap();
        assert_eq!(trusted.body, "secret", "the operator may go anywhere");
    }
}

#[tokio::test]
async fn redirects_are_followed_when_asked_and_checked_anew() {
    let target = server(|request| Some(ok(request.lines().next().unwrap_or_default()))).await;
    let to = target.address;
    let front = server(move |request| {
        Some(match request.split(' ').nth(1).unwrap_or_default() {
            "/loop" => moved(302, "/loop"),
            "/private" => moved(302, "http://169.254.169.254/latest/meta-data"),
            "/named" => moved(302, "http://localhost:1/"),
            "/scheme" => moved(302, "file:///etc/passwd"),
            "/nowhere" => moved(302, "http://[/"),
            path => moved(path[1..4].parse().unwrap_or(302), &format!("http://{to}/there")),
        })
    })
    .await;
    // Of loopback only this address may be reached, not what `localhost` could mean besides it.
    let client = client(&["127.0.0.1/32"]);
    let send = async |path: &str, redirects: u8| {
        let url = format!("http://{}{path}", front.address);
        let request = Request::new(Policy::Public, Method::POST, url).body("data").follow(redirects);
        client.request(request).await
    };
    assert_eq!(send("/302", 0).await.unwrap().status, StatusCode::FOUND, "not asked to follow");
    assert_eq!(send("/302", 1).await.unwrap().body, "GET /there HTTP/1.1");
    assert_eq!(send("/303", 1).await.unwrap().body, "GET /there HTTP/1.1");
    assert_eq!(send("/307", 1).await.unwrap().body, "POST /there HTTP/1.1");
    assert_eq!(send("/loop", 3).await.unwrap().status, StatusCode::FOUND, "the last one is the answer");
    let blocked = Error::Blocked { address: [169, 254, 169, 254].into() };
    assert_eq!(send("/private", 3).await.unwrap_err(), blocked);
    assert!(matches!(send("/scheme", 3).await.unwrap_err(), Error::InvalidUrl { .. }));
    assert_eq!(send("/nowhere", 3).await.unwrap_err(), Error::Redirect);
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_origin() {
    let mut target = server(|_| Some(ok("there"))).await;
    let to = target.address;
    let mut front = server(move |request| {
        Some(if request.starts_with("GET /first") {
            moved(302, "/second")
        } else {
            moved(302, &format!("http://{to}/"))
        })
    })
    .await;
    let request = get(Policy::Trusted, format!("http://{}/first", front.address))
        .header(header::AUTHORIZATION, HeaderValue::from_static("Bearer t0ken"))
        .header(header::ACCEPT, HeaderValue::from_static("text/plain"))
        .follow(5);
    assert_eq!(client(&[]).request(request).await.unwrap().body, "there");
    for _ in 0..2 {
        assert!(front.requests.recv().await.unwrap().contains("authorization: Bearer t0ken"));
    }
    let arrived = target.requests.recv().await.unwrap();
    assert!(!arrived.contains("t0ken") && arrived.contains("accept: text/plain"), "{arrived}");
}

#[tokio::test]
async fn large_bodies_go_up_and_come_down_in_pieces() {
    let mut server = server(|_| Some(ok(&"z".repeat(100_000)))).await;
    let chunks = stream::iter((0..10).map(|_| Ok(Bytes::from_static(b"0123456789"))));
    let body = Body::Stream { stream: chunks.boxed(), length: Some(100) };
    let url = format!("http://{}/", server.address);
    let request = Request::new(Policy::Trusted, Method::PUT, &url).body(body).limit(1_000_000);
    let streaming = client(&[]).stream(request).await.unwrap();
    let read: Vec<Bytes> = streaming.body.try_collect().await.unwrap();
    assert_eq!(read.iter().map(Bytes::len).sum::<usize>(), 100_000);
    let arrived = server.requests.recv().await.unwrap();
    assert!(arrived.contains("content-length: 100") && !arrived.contains("chunked"), "{arrived}");

    let broken = stream::iter([Ok(Bytes::from_static(b"0")), Err(std::io::Error::other("disk"))]);
    let body = Body::Stream { stream: broken.boxed(), length: None };
    let request = Request::new(Policy::Trusted, Method::PUT, &url).body(body);
    assert_eq!(client(&[]).request(request).await.unwrap_err(), Error::Body);
}

#[tokio::test]
async fn a_stream_that_stalls_is_given_up() {
    let stalls = serve(|mut socket, _| async move {
        read_request(&mut socket).await?;
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.ok()?;
        std::future::pending().await
    })
    .await;
    let request = get(Policy::Trusted, format!("http://{}/", stalls.address));
    let mut body = client(&[]).stream(request).await.unwrap().body;
    assert_eq!(body.next().await.unwrap().unwrap(), "half");
    assert_eq!(body.next().await.unwrap().unwrap_err(), Error::Timeout);
    assert!(body.next().await.is_none());
}
