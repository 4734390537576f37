//! A file on its way in: from WhatsApp's media host into the media store.

use ::media::{FileType, HEAD, ObjectKey, Upload, Written};
use bytes::BytesMut;
use domain::SessionId;
use futures::TryStreamExt as _;
use storage::{FetchedMedia, PendingMedia};
use whatsapp::{Client, FetchError, PlainStream};

use super::Media;

/// Why a file is not in the store.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum IncomingError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Store(#[from] ::media::Error),
    /// What came is another file than the message says.
    #[error("the file is not the one that was sent")]
    AnotherFile,
}

impl IncomingError {
    /// Trying again will bring the same.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Fetch(error) if error.is_final())
    }
}

impl Media {
    /// Fetches a file into the store.
    pub(crate) async fn fetch(
        &self,
        client: &Client,
        session: SessionId,
        pending: &PendingMedia,
    ) -> Result<FetchedMedia, IncomingError> {
        let limit = self.settings.limits.document;
        let content = client.fetch(pending.kind, &pending.remote, limit).await?;
        let mut upload = self.store.put(&ObjectKey::received(session, pending.id));
        let head = match pour(content, &mut upload).await {
            Ok(head) => head,
            Err(error) => {
                upload.abort().await;
                return Err(error);
            }
        };
        let written = upload.finish().await?;
        self.check(session, pending, &written).await?;
        let file_type = FileType::received(&head, pending.kind, &pending.claims);
        Ok(FetchedMedia {
            mime_type: file_type.mime_type.into_owned(),
            extension: file_type.extension.into_owned(),
            size: written.size,
            sha256: written.sha256_hex(),
        })
    }

    async fn check(
        &self,
        session: SessionId,
        pending: &PendingMedia,
        written: &Written,
    ) -> Result<(), IncomingError> {
        let expected = &pending.remote.file_sha256;
        if expected.is_empty() || *expected == written.sha256 {
            return Ok(());
        }
        self.store.delete(&ObjectKey::received(session, pending.id)).await?;
        Err(IncomingError::AnotherFile)
    }
}

/// Writes all of it; returns the first bytes.
async fn pour(mut content: PlainStream, upload: &mut Upload) -> Result<BytesMut, IncomingError> {
    let mut head = BytesMut::new();
    while let Some(chunk) = content.try_next().await? {
        if head.len() < HEAD {
            head.extend_from_slice(&chunk[..chunk.len().min(HEAD - head.len())]);
        }
        upload.write(chunk).await?;
    }
    Ok(head)
}
