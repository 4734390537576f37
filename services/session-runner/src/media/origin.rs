//! Where a file that is to be sent comes from: a URL, which is in somebody else's hands, or the media store.

use std::{pin::Pin, time::Duration};

use ::media::{FileType, HEAD, ObjectKey};
use bytes::{Bytes, BytesMut};
use domain::{
    media::{MediaSource, OutgoingMedia},
    message::{Failure, FailureCode},
};
use egress::{Policy, Request};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use tokio::time::{Instant, sleep};

use super::Media;

/// Redirects that are followed, each checked like the URL itself.
const REDIRECTS: u8 = 5;
/// How long a URL that does not answer properly is tried, and how long to wait in between: somebody is waiting.
const TRY_FOR: Duration = Duration::from_secs(4);
const TRY_AGAIN: Duration = Duration::from_millis(700);

/// A file's content.
type Content = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// A file of which the beginning has come.
pub(crate) struct Origin {
    pub file_type: FileType,
    pub content: Content,
}

impl Media {
    /// Begins to read a file and looks whether it can be sent as what it should be.
    pub(crate) async fn open(&self, outgoing: &OutgoingMedia) -> Result<Origin, Failure> {
        let any = self.settings.limits.of_any_source(outgoing.kind);
        let mut content = match &outgoing.source {
            MediaSource::Url(url) => self.read_url(url, any).await?,
            MediaSource::Stored(upload) => self.read_stored(&ObjectKey::uploaded(upload.message)).await?,
        };
        let head = head_of(&mut content).await?;
        if head.is_empty() {
            return Err(failure(FailureCode::UnsupportedMediaType, "the file is empty"));
        }
        let file_type = FileType::of_any(&head);
        if !outgoing.kind.accepts(&file_type.mime_type) {
            let (found, kind) = (&file_type.mime_type, outgoing.kind);
            let reason =
                format!("the file is {found}, and this kind of message ({kind}) takes {}", kind.accepted());
            return Err(failure(FailureCode::UnsupportedMediaType, reason));
        }
        let limit = self.settings.limits.of_source(outgoing.kind, &file_type.mime_type);
        let content = stream::once(async { Ok(head) }).chain(content);
        Ok(Origin { file_type, content: limited(content, limit) })
    }

    async fn read_url(&self, url: &str, limit: u64) -> Result<Content, Failure> {
        let end = Instant::now() + TRY_FOR;
        loop {
            let (refused, again) = match self.ask(url, limit).await {
                Ok(answer) if answer.status.is_success() => {
                    return Ok(answer.body.map_err(move |error| from_egress(&error)).boxed());
                }
                Ok(answer) => {
                    let again = answer.status.is_server_error() || answer.status.as_u16() == 429;
                    let reason = format!("the URL of the file answers {}", answer.status);
                    (failure(FailureCode::MediaUnreachable, reason), again)
                }
                Err(error) => (from_egress(&error), error.is_transient()),
            };
            if !again || Instant::now() + TRY_AGAIN >= end {
                return Err(refused);
            }
            sleep(TRY_AGAIN).await;
        }
    }

    async fn ask(&self, url: &str, limit: u64) -> Result<egress::Streaming, egress::Error> {
        let request = Request::new(Policy::Public, Method::GET, url)
            .follow(REDIRECTS)
            .limit(limit)
            .deadline(self.settings.timeout);
        self.egress.stream(request).await
    }

    async fn read_stored(&self, key: &ObjectKey) -> Result<Content, Failure> {
        let unreachable = |reason: String| failure(FailureCode::MediaUnreachable, reason);
        match self.store.get(key, None).await {
            Ok(Some(found)) => Ok(found.bytes.map_err(move |error| unreachable(error.to_string())).boxed()),
            Ok(None) => Err(unreachable("the file that came with the request is no longer there".to_owned())),
            Err(error) => Err(unreachable(error.to_string())),
        }
    }
}

/// The first bytes, enough to tell the type, if there are so many.
async fn head_of(content: &mut Content) -> Result<Bytes, Failure> {
    let mut head = BytesMut::new();
    while head.len() < HEAD
        && let Some(chunk) = content.try_next().await?
    {
        head.extend_from_slice(&chunk);
    }
    Ok(head.freeze())
}

/// Ends with a failure beyond the limit.
fn limited(content: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static, limit: u64) -> Content {
    let mut left = limit;
    let checked = content.map(move |chunk| {
        let chunk = chunk?;
        left = left.checked_sub(chunk.len() as u64).ok_or_else(|| too_large(limit))?;
        Ok(chunk)
    });
    checked.boxed()
}

fn from_egress(error: &egress::Error) -> Failure {
    use egress::Error as E;
    match error {
        E::Blocked { .. } => {
            failure(FailureCode::MediaForbidden, "the URL of the file leads to an address that is not public")
        }
        E::InvalidUrl { reason } => {
            failure(FailureCode::MediaForbidden, format!("the URL of the file cannot be used: {reason}"))
        }
        E::TooLarge { limit } => too_large(*limit),
        E::Resolve
        | E::Connect { .. }
        | E::Tls { .. }
        | E::Timeout
        | E::Closed
        | E::Protocol
        | E::Redirect
        | E::Body => {
            failure(FailureCode::MediaUnreachable, format!("the file could not be fetched: {error}"))
        }
    }
}

fn too_large(limit: u64) -> Failure {
    failure(FailureCode::MediaTooLarge, format!("the file is larger than {limit} bytes"))
}

pub(super) fn failure(code: FailureCode, reason: impl Into<String>) -> Failure {
    Failure { code, reason: reason.into() }
}
