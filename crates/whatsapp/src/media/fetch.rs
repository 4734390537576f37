//! A file on its way from WhatsApp's media host, decrypted as it comes in.

use std::{
    io::{self, Write},
    pin::Pin,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use domain::media::{MediaKind, RemoteFile};
use egress::Streaming;
use futures::{Stream, StreamExt as _, stream};
use http::StatusCode;
use tokio::{runtime::Handle, sync::mpsc};
use url::Url;
use wacore::{
    download::{DownloadUtils, MediaType},
    upload::encrypted_len,
};

use super::media_type;
use crate::client::Client;

/// What is handed on at a time.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait to be stored.
const CHUNKS: usize = 4;

/// A file's content. It is good only when the stream has ended without an error: that it was not changed on its way is
/// known at its last byte.
pub type PlainStream = Pin<Box<dyn Stream<Item = Result<Bytes, FetchError>> + Send>>;

/// Why a file was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("the session is not connected")]
    NotConnected,
    #[error("the session belongs to another runner by now")]
    LeaseLost,
    /// The media host does not have it, any more or yet.
    #[error("WhatsApp's media host does not have the file (it answered {status})")]
    Gone { status: u16 },
    /// It is larger than what is taken in.
    #[error("the file is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    /// What its message says about it cannot be right.
    #[error("the message does not say where the file is")]
    Malformed,
    /// What came is not what its sender sent.
    #[error("the file is damaged: {reason}")]
    Damaged { reason: String },
    #[error("WhatsApp's media host cannot be reached: {reason}")]
    Unreachable { reason: String },
}

impl FetchError {
    /// Trying again will bring the same.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::Malformed)
    }
}

impl Client {
    /// Fetches the file that a message brought, of at most `limit` bytes.
    pub async fn fetch(
        &self,
        kind: MediaKind,
        remote: &RemoteFile,
        limit: u64,
    ) -> Result<PlainStream, FetchError> {
        if !self.shared.link.lease.held() {
            return Err(FetchError::LeaseLost);
        }
        if !self.is_connected() {
            return Err(FetchError::NotConnected);
        }
        if remote.size > limit {
            return Err(FetchError::TooLarge { limit });
        }
        let kind = media_type(kind);
        let mut error = FetchError::Unreachable { reason: "it has no address".to_owned() };
        for host in self.media_hosts().await? {
            match self.ask(&address(&host, remote, kind)?, limit).await {
                Ok(answer) => return Ok(self.decrypted(answer, remote.media_key.clone(), kind, limit)),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }

    async fn media_hosts(&self) -> Result<Vec<String>, FetchError> {
        let hosts = self.shared.library.refresh_media_conn(false).await;
        let hosts = hosts.map_err(|error| FetchError::Unreachable { reason: error.to_string() })?.hosts;
        Ok(hosts.into_iter().map(|host| host.hostname).collect())
    }

    async fn ask(&self, url: &Url, limit: u64) -> Result<Streaming, FetchError> {
        let encrypted = usize::try_from(limit).map_or(u64::MAX, |limit| encrypted_len(limit) as u64);
        let answer = self.shared.http.get(url.to_string(), encrypted).await;
        let answer = answer.map_err(|error| from_egress(&error, limit))?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(FetchError::Gone { status: answer.status.as_u16() })
            }
            status => Err(FetchError::Unreachable { reason: format!("it answered {status}") }),
        }
    }

    /// Decrypts on a thread of its own, which waits while nobody takes what is ready.
    fn decrypted(&self, answer: Streaming, media_key: Vec<u8>, kind: MediaType, limit: u64) -> PlainStream {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let mut encrypted =
            Watched { reader: self.shared.http.reader(Handle::current(), answer.body), failed: None };
        self.shared.tasks.blocking(move || {
            let mut plain = Chunks { sender, chunk: BytesMut::with_capacity(CHUNK) };
            let decrypted =
                DownloadUtils::decrypt_stream_to_writer(&mut encrypted, &media_key, kind, &mut plain);
            let end = match (decrypted, encrypted.failed) {
                (Ok(_), _) => Ok(()),
                (Err(_), Some(error)) => Err(from_io(&error, limit)),
                (Err(error), None) => Err(FetchError::Damaged { reason: error.to_string() }),
            };
            // Whoever asked may have gone; then nobody needs to know how it ended.
            let _ = plain.hand_on().map(|()| plain.sender.blocking_send(Piece::End(end)));
        });
        let plain = stream::unfold(Some(receiver), |receiver| async {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Piece::Chunk(chunk)) => Some((Ok(chunk), Some(receiver))),
                Some(Piece::End(Ok(()))) => None,
                Some(Piece::End(Err(error))) => Some((Err(error), None)),
                // The thread failed; what it had decrypted until then must not pass for the whole.
                None => Some((Err(FetchError::Damaged { reason: "decryption broke off".to_owned() }), None)),
            }
        });
        Box::pin(plain.fuse())
    }
}

/// What the decrypting thread says.
enum Piece {
    Chunk(Bytes),
    End(Result<(), FetchError>),
}

/// Where a file is on a media host, in the form in which WhatsApp's own client asks. The path is the sender's word: it
/// must not lead to another host.
fn address(host: &str, remote: &RemoteFile, kind: MediaType) -> Result<Url, FetchError> {
    if !remote.direct_path.starts_with('/') {
        return Err(FetchError::Malformed);
    }
    let origin = Url::parse(&format!("https://{host}/")).map_err(|_| FetchError::Malformed)?;
    let mut url =
        Url::parse(&format!("https://{host}{}", remote.direct_path)).map_err(|_| FetchError::Malformed)?;
    if url.origin() != origin.origin() {
        return Err(FetchError::Malformed);
    }
    url.query_pairs_mut()
        .append_pair("hash", &URL_SAFE_NO_PAD.encode(&remote.file_enc_sha256))
        .append_pair("mms-type", kind.mms_type())
        .append_pair("__wa-mms", "");
    Ok(url)
}

fn from_egress(error: &egress::Error, limit: u64) -> FetchError {
    match error {
        egress::Error::TooLarge { .. } => FetchError::TooLarge { limit },
        error => FetchError::Unreachable { reason: error.to_string() },
    }
}

fn from_io(error: &io::Error, limit: u64) -> FetchError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => from_egress(error, limit),
        None => FetchError::Unreachable { reason: error.to_string() },
    }
}

/// Remembers why reading failed: the library passes on only that it did.
struct Watched<R> {
    reader: R,
    failed: Option<io::Error>,
}

impl<R: io::Read> io::Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

/// Gathers what the library writes block by block.
struct Chunks {
    sender: mpsc::Sender<Piece>,
    chunk: BytesMut,
}

impl Chunks {
    fn hand_on(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, BytesMut::with_capacity(CHUNK)).freeze();
        self.sender.blocking_send(Piece::Chunk(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(direct_path: &str) -> RemoteFile {
        RemoteFile {
            direct_path: direct_path.to_owned(),
            media_key: vec![1; 32],
            file_sha256: vec![2; 32],
            file_enc_sha256: vec![0xfb; 3],
            size: 1,
        }
    }

    #[test]
    fn the_path_is_asked_of_the_media_host_and_of_nobody_else() {
        let ask =
            |path: &str| address("mmg.whatsapp.net", &at(path), MediaType::Audio).map(|url| url.to_string());
        assert_eq!(
            ask("/v/t62.7-24/1_n.enc?ccb=11-4&oh=01_Q5&oe=66&_nc_sid=5e").as_deref(),
            Ok(
                "https://mmg.whatsapp.net/v/t62.7-24/1_n.enc?ccb=11-4&oh=01_Q5&oe=66&_nc_sid=5e&hash=-_v7&mms-type=audio&__wa-mms="
            )
        );
        assert_eq!(
            ask("/v/x").as_deref(),
            Ok("https://mmg.whatsapp.net/v/x?hash=-_v7&mms-type=audio&__wa-mms=")
        );
        for path in ["", "@evil.example/x", ":1@evil.example/", ".evil.example/", "x", "https://evil.example"]
        {
            assert_eq!(ask(path), Err(FetchError::Malformed), "{path}");
        }
        // Still the same host.
        for path in ["//evil.example/x", "/../x", "/\\evil.example", "/@evil.example"] {
            assert!(ask(path).is_ok_and(|url| url.starts_with("https://mmg.whatsapp.net/")), "{path}");
        }
    }
}
