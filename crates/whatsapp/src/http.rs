//! The library's HTTP, which is media up and down, through the gateway's client. The hosts are WhatsApp's word, so
//! they pass the address filter like a user's. What runs on a thread that blocks ends with the client it is for.

use std::{
    io::{self, Read},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use egress::{Body, ByteStream, Policy, Request, Streaming};
use futures::{StreamExt as _, channel::mpsc, future::join, sink::SinkExt as _};
use http::{HeaderName, HeaderValue, Method};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};
use whatsapp_rust::anyhow;

/// The largest file that WhatsApp carries, with room for its encryption.
const MAX_BODY: u64 = 2 * 1024 * 1024 * 1024 + 64 * 1024;
/// An answer that is held in memory.
const MAX_BUFFERED: u64 = 128 * 1024 * 1024;
const UPLOAD_CHUNK: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: egress::Client,
    /// For one file, from the connection to its last byte.
    deadline: Duration,
    ending: CancellationToken,
}

/// The client that this was for is gone.
#[derive(Debug, thiserror::Error)]
#[error("the session's client was closed")]
struct Ended;

impl Http {
    pub(crate) fn new(client: egress::Client, deadline: Duration) -> Self {
        Self { client, deadline, ending: CancellationToken::new() }
    }

    /// The same for one session's client, until `ending`.
    pub(crate) fn until(&self, ending: CancellationToken) -> Self {
        Self { ending, ..self.clone() }
    }

    /// Asks a media host for a file of at most `limit` bytes.
    pub(crate) async fn get(&self, url: String, limit: u64) -> Result<Streaming, egress::Error> {
        let (policy, url) = reachable(url);
        self.client.stream(Request::new(policy, Method::GET, url).deadline(self.deadline).limit(limit)).await
    }

    /// A body that can be read on a thread that may block.
    pub(crate) fn reader(
        &self,
        runtime: Handle,
        stream: ByteStream<egress::Error>,
    ) -> impl Read + Send + use<> {
        Reader { runtime, stream, chunk: Bytes::new(), ending: self.ending.clone() }
    }

    fn converted(&self, request: HttpRequest, body: Option<Body>) -> Result<Request, anyhow::Error> {
        Ok(converted(request, body)?.deadline(self.deadline))
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, anyhow::Error> {
        let answer = self.client.request(self.converted(request, None)?.limit(MAX_BUFFERED)).await?;
        if answer.truncated {
            return Err(egress::Error::TooLarge { limit: MAX_BUFFERED }.into());
        }
        Ok(HttpResponse { status_code: answer.status.as_u16(), body: answer.body.into() })
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> Result<StreamingHttpResponse, anyhow::Error> {
        let runtime = Handle::try_current()?;
        let answer = self.client.stream(self.converted(request, None)?.limit(MAX_BODY));
        let answer = runtime.block_on(self.ending.run_until_cancelled(answer)).ok_or(Ended)??;
        let status_code = answer.status.as_u16();
        Ok(StreamingHttpResponse { status_code, body: Box::new(self.reader(runtime, answer.body)) })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        body: UploadBody,
        content_length: u64,
    ) -> Result<HttpResponse, anyhow::Error> {
        let runtime = Handle::try_current()?;
        let (sender, receiver) = mpsc::channel(2);
        let body_of_request = Body::Stream { stream: Box::pin(receiver), length: Some(content_length) };
        let request = self.converted(request, Some(body_of_request))?.limit(MAX_BUFFERED);
        // The source is read here, on a thread that may block; the request is sent by the runtime meanwhile.
        let exchange = join(self.client.request(request), pump(body, sender));
        let (answer, ()) = runtime.block_on(self.ending.run_until_cancelled(exchange)).ok_or(Ended)?;
        let answer = answer?;
        Ok(HttpResponse { status_code: answer.status.as_u16(), body: answer.body.into() })
    }
}

/// Reads the source to its end, or until nobody wants more.
async fn pump(mut source: UploadBody, mut sender: mpsc::Sender<Result<Bytes, io::Error>>) {
    let mut chunk = vec![0; UPLOAD_CHUNK];
    loop {
        let read = match source.read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => Ok(Bytes::copy_from_slice(&chunk[..read])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if sender.send(read).await.is_err() || failed {
            return;
        }
    }
}

/// A streamed body, read by a thread that may block.
struct Reader {
    runtime: Handle,
    stream: ByteStream<egress::Error>,
    chunk: Bytes,
    ending: CancellationToken,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.ending.run_until_cancelled(self.stream.next())) {
                Some(Some(chunk)) => self.chunk = chunk.map_err(io::Error::other)?,
                Some(None) => return Ok(0),
                None => return Err(io::Error::other(Ended)),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

fn converted(request: HttpRequest, body: Option<Body>) -> Result<Request, anyhow::Error> {
    let HttpRequest { url, method, headers, body: bytes } = request;
    let (policy, url) = reachable(url);
    let mut converted = Request::new(policy, Method::from_bytes(method.as_bytes())?, url)
        .body(body.unwrap_or_else(|| bytes.map_or(Body::Empty, Body::Bytes)));
    for (name, value) in headers {
        converted = converted.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(converted)
}

#[cfg(not(feature = "fake-whatsapp"))]
fn reachable(url: String) -> (Policy, String) {
    (Policy::Public, url)
}

/// A test server's media host speaks plain HTTP on a loopback address, while the library always says `https`.
#[cfg(feature = "fake-whatsapp")]
fn reachable(url: String) -> (Policy, String) {
    let loopback = url::Url::parse(&url).ok().is_some_and(|url| match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    });
    if !loopback {
        return (Policy::Public, url);
    }
    let plain = url.strip_prefix("https://").map(|rest| format!("http://{rest}"));
    (Policy::Trusted, plain.unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_builds_reach_loopback_hosts_without_tls() {
        let public = |url: &str| (Policy::Public, url.to_owned());
        assert_eq!(reachable("https://mmg.whatsapp.net/x".to_owned()), public("https://mmg.whatsapp.net/x"));
        let local = reachable("https://127.0.0.1:7700/mms/image?auth=1".to_owned());
        if cfg!(feature = "fake-whatsapp") {
            assert_eq!(local, (Policy::Trusted, "http://127.0.0.1:7700/mms/image?auth=1".to_owned()));
        } else {
            assert_eq!(local, public("https://127.0.0.1:7700/mms/image?auth=1"));
        }
    }
}
