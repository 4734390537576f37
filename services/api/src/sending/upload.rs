//! A file that comes with a request, on its way into the media store: it is looked at while it passes, and nobody holds
//! all of it.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::{Bytes, BytesMut};
use domain::{
    MessageId,
    media::{MediaKind, StoredUpload},
    message::{Failure, FailureCode},
};
use media::{FileType, HEAD, ObjectKey};

use super::SendError;
use crate::{
    fields::{BodyPart, Invalid},
    state::ApiState,
};

/// Base64 with or without padding at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file that is being received.
struct Receiving<'a> {
    state: &'a ApiState,
    kind: MediaKind,
    message: MessageId,
    upload: media::Upload,
    /// The first bytes, while they are not enough to tell what it is.
    head: BytesMut,
    looked: bool,
    limit: u64,
}

/// Stores a file that came as a part of a form.
pub(super) async fn from_part(
    state: &ApiState,
    kind: MediaKind,
    mut part: BodyPart,
) -> Result<StoredUpload, SendError> {
    let mut receiving = Receiving::begin(state, kind);
    loop {
        let written = match part.chunk().await {
            Ok(Some(chunk)) => receiving.write(chunk).await,
            Ok(None) => return receiving.finish().await,
            Err(invalid) => Err(invalid.into()),
        };
        if let Err(error) = written {
            receiving.upload.abort().await;
            return Err(error);
        }
    }
}

/// Stores a file that came as text, in base64 or as a `data:` URL.
pub(super) async fn from_text(
    state: &ApiState,
    kind: MediaKind,
    field: &'static str,
    text: &str,
) -> Result<StoredUpload, SendError> {
    let mut receiving = Receiving::begin(state, kind);
    let bytes = decoded(field, text)?;
    match receiving.write(bytes).await {
        Ok(()) => receiving.finish().await,
        Err(error) => {
            receiving.upload.abort().await;
            Err(error)
        }
    }
}

fn decoded(field: &'static str, text: &str) -> Result<Bytes, Invalid> {
    let text = text.strip_prefix("data:").and_then(|url| Some(url.split_once(";base64,")?.1)).unwrap_or(text);
    let rule =
        || Invalid::Unfit { rule: "Invalid base64".to_owned(), field, place: crate::fields::Place::Json };
    BASE64.decode(text).map(Bytes::from).map_err(|_| rule())
}

impl<'a> Receiving<'a> {
    fn begin(state: &'a ApiState, kind: MediaKind) -> Self {
        let message = MessageId::new();
        Self {
            state,
            kind,
            message,
            upload: state.media.put(&ObjectKey::uploaded(message)),
            head: BytesMut::new(),
            looked: false,
            limit: state.settings.media_limits.of_any_source(kind),
        }
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), SendError> {
        if !self.looked {
            self.head.extend_from_slice(&chunk[..chunk.len().min(HEAD)]);
            if self.head.len() >= HEAD {
                self.look()?;
            }
        }
        if self.upload.size() + chunk.len() as u64 > self.limit {
            return Err(failed(
                FailureCode::MediaTooLarge,
                format!("the file is larger than {} bytes", self.limit),
            ));
        }
        Ok(self.upload.write(chunk).await?)
    }

    /// What it is, and whether it can be sent as what it should be.
    fn look(&mut self) -> Result<(), SendError> {
        let found = FileType::of_any(&self.head).mime_type;
        if !self.kind.accepts(&found) {
            let kind = self.kind;
            let takes = kind.accepted();
            let reason = format!("the file is {found}, and this kind of message ({kind}) takes {takes}");
            return Err(failed(FailureCode::UnsupportedMediaType, reason));
        }
        self.limit = self.state.settings.media_limits.of_source(self.kind, &found);
        self.looked = true;
        Ok(())
    }

    async fn finish(mut self) -> Result<StoredUpload, SendError> {
        let good = match (self.looked, self.upload.size()) {
            (_, 0) => Err(failed(FailureCode::UnsupportedMediaType, "the file is empty".to_owned())),
            (true, _) => Ok(()),
            (false, size) => self.look().and_then(|()| {
                let limit = self.limit;
                let reason = format!("the file is larger than {limit} bytes");
                if size > limit { Err(failed(FailureCode::MediaTooLarge, reason)) } else { Ok(()) }
            }),
        };
        if let Err(error) = good {
            self.upload.abort().await;
            return Err(error);
        }
        let written = self.upload.finish().await?;
        Ok(StoredUpload { message: self.message, size: written.size, sha256: written.sha256_hex() })
    }
}

fn failed(code: FailureCode, reason: String) -> SendError {
    SendError::Failed(Failure { code, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_comes_in_several_forms() {
        let table = [
            ("aGVsbG8=", Some("hello")),
            ("aGVsbG8", Some("hello")),
            ("data:image/png;base64,aGVsbG8=", Some("hello")),
            ("", Some("")),
            ("aGVsbG8=\n", None),
            ("a", None),
            ("größe", None),
            ("data:text/plain,hello", None),
        ];
        for (text, expected) in table {
            let found = decoded("image_base64", text);
            assert_eq!(found.as_deref().ok(), expected.map(str::as_bytes), "{text}");
        }
        let words = decoded("image_base64", "?").unwrap_err().to_string();
        assert_eq!(words, "Invalid base64 field 'image_base64' on json");
    }
}
