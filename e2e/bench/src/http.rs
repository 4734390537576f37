//! A lean HTTP/1.1 client: kept-alive connections, requests prepared as bytes, no more parsing than it takes to find
//! the end of an answer. The generator shares the cores with what it measures, so every microsecond here is missing
//! there.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::BytesMut;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::problem::{Problem, Result};

/// How long an answer may take before the connection counts as broken; longer than the gateway gives a request.
const ANSWER_DEADLINE: Duration = Duration::from_secs(40);

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// An answer, as it stands in the connection's buffer.
pub(crate) struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

struct Head {
    status: u16,
    /// Where the body begins.
    body: usize,
    length: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(4096) })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = head(&self.buffer)? {
                break head;
            }
        };
        let end = head.body + head.length;
        while self.buffer.len() < end {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let body = self.buffer.get(head.body..end).unwrap_or_default();
        Ok(Answer { status: head.status, body })
    }
}

/// Finds the end of the head and the length of the body; `None` while the head is not complete.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = str::from_utf8(&bytes[..end]).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)).and_then(|code| code.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some(Head { status, body: end + 4, length })),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without a status or a length")),
    }
}

/// What is the same in all requests to one gateway.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub address: SocketAddr,
    /// Everything between the first line and what depends on the body.
    headers: String,
}

impl Api {
    pub(crate) fn new(address: SocketAddr, user: &str, password: &str) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self { address, headers: format!("host: {address}\r\nauthorization: Basic {credentials}\r\n") }
    }

    /// Writes a request into `into`, in place of what is there.
    pub(crate) fn write(&self, into: &mut Vec<u8>, method: &str, path: &str, json: &[u8]) {
        into.clear();
        // Writing into memory does not fail.
        let _ = if json.is_empty() {
            write!(into, "{method} {path} HTTP/1.1\r\n{}\r\n", self.headers)
        } else {
            write!(
                into,
                "{method} {path} HTTP/1.1\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                self.headers,
                json.len()
            )
        };
        into.extend_from_slice(json);
    }

    /// The head of a request whose body follows in pieces; the connection ends with its answer.
    pub(crate) fn head(&self, method: &str, path: &str, content_type: &str, length: u64) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\n{}connection: close\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\n\r\n",
            self.headers
        )
    }

    pub(crate) async fn connect(&self) -> Result<Caller> {
        let connection =
            Connection::open(self.address).await.map_err(Problem::io("no connection to the gateway"))?;
        Ok(Caller { api: self.clone(), connection, request: Vec::new() })
    }
}

/// A connection for requests whose answers matter more than their number.
pub(crate) struct Caller {
    api: Api,
    connection: Connection,
    request: Vec<u8>,
}

impl Caller {
    /// Sends a request; the answer must have status 200 and be JSON.
    pub(crate) async fn call(&mut self, method: &str, path: &str, json: Option<&Value>) -> Result<Value> {
        let body = json.map(Value::to_string).unwrap_or_default();
        self.api.write(&mut self.request, method, path, body.as_bytes());
        let request = || format!("{method} {path}");
        let answer = timeout(ANSWER_DEADLINE, self.connection.exchange(&self.request)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Problem::io(request()))?;
        let unexpected = || Problem::Answer {
            request: request(),
            status: answer.status,
            body: String::from_utf8_lossy(answer.body).into_owned(),
        };
        if answer.status != 200 {
            return Err(unexpected());
        }
        serde_json::from_slice(answer.body).map_err(|_| unexpected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_answer_is_found() {
        let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\ndate: x\r\n\r\nhello";
        let head = head(answer).unwrap().unwrap();
        assert_eq!((head.status, &answer[head.body..], head.length), (202, &b"hello"[..], 5));
    }

    #[test]
    fn half_a_head_is_none_and_a_head_without_a_length_is_refused() {
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
