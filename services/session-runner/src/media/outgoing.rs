//! A file on its way out: read from its origin, looked at, encrypted, and brought to WhatsApp's media host.

use ::media::{
    picture::{self, Picture, PictureError},
    voice::OpusLength,
};
use bytes::{Bytes, BytesMut};
use domain::{
    media::{MediaAbout, MediaKind, OGG_OPUS, OutgoingMedia, UploadedMedia},
    message::{Failure, FailureCode},
};
use futures::TryStreamExt as _;
use whatsapp::{Client, SealError, Sealed, Sealing, UploadError};

use super::{
    Media,
    origin::{Origin, failure},
};

/// Why a file did not go up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutgoingError {
    /// It is the file's fault, or its origin's: it will not go up.
    #[error("{}", .0.reason)]
    File(Failure),
    /// It is ours or WhatsApp's: later it may.
    #[error("{0}")]
    Later(String),
}

impl From<Failure> for OutgoingError {
    fn from(failure: Failure) -> Self {
        Self::File(failure)
    }
}

impl From<SealError> for OutgoingError {
    fn from(error: SealError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<UploadError> for OutgoingError {
    fn from(error: UploadError) -> Self {
        Self::Later(error.to_string())
    }
}

impl Media {
    /// Brings a message's file to the media host.
    pub(crate) async fn upload(
        &self,
        client: &Client,
        outgoing: &OutgoingMedia,
    ) -> Result<UploadedMedia, OutgoingError> {
        let closed = |_| OutgoingError::Later("the process is ending".to_owned());
        let _turn = self.uploads.acquire().await.map_err(closed)?;
        let origin = self.open(outgoing).await?;
        let (sealed, about) = match outgoing.kind {
            MediaKind::Image | MediaKind::Sticker => self.seal_picture(origin, outgoing.kind).await?,
            MediaKind::Video | MediaKind::Audio | MediaKind::Voice | MediaKind::Document => {
                self.seal_stream(origin, outgoing.kind).await?
            }
        };
        Ok(client.upload(sealed, about).await?)
    }

    /// A picture is small enough to be held in memory, and must be, to be looked at.
    async fn seal_picture(
        &self,
        origin: Origin,
        kind: MediaKind,
    ) -> Result<(Sealed, MediaAbout), OutgoingError> {
        let limit = self.settings.limits.of(kind);
        let mime_type = origin.file_type.mime_type.clone();
        let bytes = gathered(origin).await?;
        let picture = self.drawn(bytes, mime_type.into_owned(), kind).await?;
        if picture.bytes.len() as u64 > limit {
            let reason = format!("as {} the picture is larger than {limit} bytes", picture.mime_type);
            return Err(failure(FailureCode::MediaTooLarge, reason).into());
        }
        let mut sealing = Sealing::begin(kind, &self.settings.folder).await?;
        sealing.write(&picture.bytes).await?;
        let about = MediaAbout {
            mime_type: picture.mime_type.to_owned(),
            width: Some(picture.width),
            height: Some(picture.height),
            seconds: None,
            thumbnail: picture.preview,
            animated: picture.animated,
        };
        Ok((sealing.finish().await?, about))
    }

    async fn drawn(
        &self,
        bytes: Bytes,
        mime_type: String,
        kind: MediaKind,
    ) -> Result<Picture, OutgoingError> {
        let closed = |_| OutgoingError::Later("the process is ending".to_owned());
        let _turn = self.pictures.acquire().await.map_err(closed)?;
        let drawing = tokio::task::spawn_blocking(move || {
            if kind == MediaKind::Sticker {
                picture::as_sticker(bytes, &mime_type)
            } else {
                picture::for_chat(bytes, &mime_type)
            }
        });
        let drawn = drawing.await.unwrap_or_else(|error| Err(PictureError::Damaged(error.to_string())));
        drawn.map_err(|error| failure(FailureCode::UnsupportedMediaType, error.to_string()).into())
    }

    async fn seal_stream(
        &self,
        mut origin: Origin,
        kind: MediaKind,
    ) -> Result<(Sealed, MediaAbout), OutgoingError> {
        let mut sealing = Sealing::begin(kind, &self.settings.folder).await?;
        let mut length = (origin.file_type.mime_type == OGG_OPUS).then(OpusLength::default);
        while let Some(chunk) = origin.content.try_next().await? {
            if let Some(length) = &mut length {
                length.feed(&chunk);
            }
            sealing.write(&chunk).await?;
        }
        let about = MediaAbout {
            mime_type: origin.file_type.mime_type.into_owned(),
            seconds: length.and_then(|length| length.seconds()),
            ..MediaAbout::default()
        };
        Ok((sealing.finish().await?, about))
    }
}

async fn gathered(mut origin: Origin) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = origin.content.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}
