//! A server that files are fetched from, which misbehaves on request.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// What is served at a path.
#[derive(Debug, Clone)]
pub enum Served {
    /// A file, with its length.
    File(Bytes),
    /// Less than was announced, then the end of the connection.
    Less { announced: usize, file: Bytes },
    /// An announcement only.
    Announced(u64),
    /// Without end and without a length.
    Endless,
    /// A byte at a time.
    Drip,
    /// Nothing at all, while the connection stays open.
    Silence,
    /// A status, and nothing else.
    Status(u16),
    /// To somewhere else.
    Redirect(String),
    /// Something that is not HTTP.
    Nonsense,
}

/// Answers at an address of its own as it was told to.
pub struct Origin {
    address: SocketAddr,
    served: Arc<Mutex<HashMap<String, Served>>>,
    asked: Arc<AtomicUsize>,
    // With all its connections.
    _listening: JoinSet<()>,
}

impl Origin {
    /// Listens on a free port.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let served: Arc<Mutex<HashMap<String, Served>>> = Arc::default();
        let asked = Arc::<AtomicUsize>::default();
        let mut listening = JoinSet::new();
        let (paths, count) = (Arc::clone(&served), Arc::clone(&asked));
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&paths), Arc::clone(&count)));
            }
        });
        Self { address, served, asked, _listening: listening }
    }

    /// Serves something; returns its URL.
    pub fn serve(&self, path: &str, served: Served) -> String {
        self.served.lock().insert(path.to_owned(), served);
        format!("http://{}{path}", self.address)
    }

    /// How many requests came.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// One request for a connection; a client that goes away is what many tests are about.
async fn answer(mut stream: TcpStream, served: Arc<Mutex<HashMap<String, Served>>>, asked: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
    let what = served.lock().get(&path).cloned().unwrap_or(Served::Status(404));
    let _ = write(&mut stream, what).await;
}

async fn write(stream: &mut TcpStream, served: Served) -> std::io::Result<()> {
    let head =
        |length: u64| format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    match served {
        Served::File(file) => {
            stream.write_all(head(file.len() as u64).as_bytes()).await?;
            stream.write_all(&file).await
        }
        Served::Less { announced, file } => {
            stream.write_all(head(announced as u64).as_bytes()).await?;
            stream.write_all(&file).await
        }
        Served::Announced(length) => {
            stream.write_all(head(length).as_bytes()).await?;
            std::future::pending().await
        }
        Served::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\x89PNG\r\n\x1a\n").await?;
            let zeros = vec![0; 64 * 1024];
            loop {
                stream.write_all(&zeros).await?;
            }
        }
        Served::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(b"x").await?;
                sleep(Duration::from_millis(100)).await;
            }
        }
        Served::Silence => std::future::pending().await,
        Served::Status(status) => {
            let answer = format!("HTTP/1.1 {status} So\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await
        }
        Served::Redirect(to) => {
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await
        }
        Served::Nonsense => stream.write_all(b"220 mail.example ESMTP\r\n").await,
    }
}
