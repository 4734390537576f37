//! Messages with a file: what all of their routes have in common. The file is named by a URL, or comes with the request,
//! as a part of a form or in base64.

use axum::extract::{FromRequest as _, Request};
use domain::{
    MessageId,
    media::{MediaKind, MediaSource, OutgoingMedia, StoredUpload, extension_of},
    message::{Content, MAX_TEXT_CHARS},
};
use media::ObjectKey;

use super::{IdempotencyHeader, Order, SendError, Sent, address, people, quote, send, upload};
use crate::{
    auth::Caller,
    fields::{Fields, Form, Invalid, JsonFields, Patience},
    state::ApiState,
};

/// Longest name of a document, in characters: file systems allow no more bytes.
const MAX_FILE_NAME: usize = 255;

/// The most people who are called in one message.
const MOST_MENTIONS: usize = 256;

/// What a route with a file is about.
struct Route {
    kind: MediaKind,
    url: &'static str,
    base64: &'static str,
    /// A text must be given, though it may be empty.
    captioned: bool,
}

/// The fields of a request, and the file that came with it.
struct Body {
    fields: Fields,
    file: Option<Received>,
}

#[derive(Clone)]
struct Received {
    upload: StoredUpload,
    name: Option<String>,
}

/// What a caller wants sent.
struct SendFile {
    session: String,
    to: String,
    caption: Option<String>,
    is_group: bool,
    source: Source,
    file_name: Option<String>,
    quoted_message_id: Option<String>,
    mentions: Vec<String>,
    typing: Option<bool>,
    queue: bool,
}

enum Source {
    Known(MediaSource),
    Base64(String),
}

impl Route {
    const fn of(kind: MediaKind) -> Self {
        let (url, base64) = match kind {
            MediaKind::Image | MediaKind::Sticker => ("image_url", "image_base64"),
            MediaKind::Video => ("video_url", "video_base64"),
            MediaKind::Audio | MediaKind::Voice => ("audio_url", "audio_base64"),
            MediaKind::Document => ("document_url", "document_base64"),
        };
        let captioned = matches!(kind, MediaKind::Image | MediaKind::Video | MediaKind::Document);
        Self { kind, url, base64, captioned }
    }
}

/// Sends the file that a request names or brings.
pub(crate) async fn send_file(
    state: &ApiState,
    caller: &Caller,
    idempotency: &IdempotencyHeader,
    kind: MediaKind,
    request: Request,
) -> Result<Sent, SendError> {
    let route = Route::of(kind);
    let Body { fields, file } = Body::read(state, kind, request).await?;
    let mut stored = file.as_ref().map(|file| file.upload.message);
    let sent = async {
        let order = SendFile::read(&fields, &route, file)?;
        order.send(state, caller, idempotency, &route, &mut stored).await
    };
    let sent = sent.await;
    if let Some(message) = stored {
        discard_unless_needed(state, message, &sent).await;
    }
    sent
}

/// A file that came with the request is kept for its own message only, and for as long as that waits.
async fn discard_unless_needed(state: &ApiState, message: MessageId, sent: &Result<Sent, SendError>) {
    let needed = match sent {
        Ok(sent) => sent.id() == message,
        // Whether the message was stored is not known; if not, the file goes with the next look for such.
        Err(SendError::Storage(_)) => true,
        Err(_) => false,
    };
    if !needed && let Err(error) = state.media.delete(&ObjectKey::uploaded(message)).await {
        tracing::warn!(message.id = %message, %error, "a file that is not needed could not be removed");
    }
}

impl Body {
    async fn read(state: &ApiState, kind: MediaKind, request: Request) -> Result<Self, SendError> {
        if !Form::is_one(request.headers()) {
            let JsonFields(fields) = JsonFields::from_request(request, state).await?;
            return Ok(Self { fields, file: None });
        }
        let settings = &state.settings;
        let patience = Patience { idle: settings.body_wait, whole: settings.media_wait };
        let mut form = Form::of(request, patience, settings.body_limit)?;
        let mut file: Option<Received> = None;
        loop {
            let part = match form.next_file().await {
                Ok(None) => return Ok(Self { fields: form.into_fields(), file }),
                Ok(Some(_)) if file.is_some() => Err(Invalid::SeveralFiles.into()),
                Ok(Some(part)) => {
                    let name = part.file_name().map(str::to_owned).filter(|name| !name.is_empty());
                    let stored = upload::from_part(state, kind, part).await;
                    stored.map(|upload| Received { upload, name })
                }
                Err(invalid) => Err(invalid.into()),
            };
            match part {
                Ok(received) => file = Some(received),
                Err(error) => {
                    if let Some(Received { upload, .. }) = file {
                        discard_unless_needed(state, upload.message, &Err(Invalid::MalformedForm.into()))
                            .await;
                    }
                    return Err(error);
                }
            }
        }
    }
}

impl SendFile {
    /// In the order of the contract.
    fn read(fields: &Fields, route: &Route, file: Option<Received>) -> Result<Self, SendError> {
        let (session, to) = (fields.text("session")?, fields.text("to")?);
        let caption = if route.captioned { Some(fields.text_up_to("text", MAX_TEXT_CHARS)?) } else { None };
        let is_group = fields.optional_flag("is_group")?.unwrap_or(false);
        let name = file.as_ref().and_then(|file| file.name.clone());
        let source = match file {
            Some(Received { upload, .. }) => Source::Known(MediaSource::Stored(upload)),
            None if fields.has(route.base64) => Source::Base64(fields.text(route.base64)?),
            None => Source::Known(MediaSource::Url(fields.url(route.url)?)),
        };
        let file_name = match route.kind {
            MediaKind::Document => Some(document_name(fields, name)?),
            _ => None,
        };
        Ok(Self {
            session,
            to,
            caption,
            is_group,
            source,
            file_name,
            quoted_message_id: fields.optional_text("quoted_message_id")?,
            mentions: fields.optional_texts("mentions", MOST_MENTIONS)?,
            typing: fields.optional_flag("typing")?,
            queue: fields.optional_flag("queue")?.unwrap_or(true),
        })
    }

    async fn send(
        self,
        state: &ApiState,
        caller: &Caller,
        idempotency: &IdempotencyHeader,
        route: &Route,
        stored: &mut Option<MessageId>,
    ) -> Result<Sent, SendError> {
        let (session, chat) = address(state, caller, &self.session, &self.to, Some(self.is_group)).await?;
        let mentions = people(&self.mentions)?;
        let idempotency = idempotency.key()?;
        let quoted = match self.quoted_message_id.filter(|id| !id.is_empty()) {
            Some(id) => Some(quote(state, &session, &chat, id).await?),
            None => None,
        };
        let source = match self.source {
            Source::Known(source) => source,
            Source::Base64(text) => {
                let upload = upload::from_text(state, route.kind, route.base64, &text).await?;
                *stored = Some(upload.message);
                MediaSource::Stored(upload)
            }
        };
        let content = Content::Media(OutgoingMedia {
            kind: route.kind,
            source,
            caption: self.caption,
            file_name: self.file_name,
            quoted,
            mentions,
        });
        let typing = self.typing.unwrap_or(state.settings.typing_indicator);
        send(state, caller, Order { session, chat, content, idempotency, queue: self.queue, typing }).await
    }
}

/// What a document is called: what the caller says, or the name that the file came under. It needs an extension, by which
/// the recipient's phone opens it.
fn document_name(fields: &Fields, of_file: Option<String>) -> Result<String, SendError> {
    let name = match of_file.filter(|_| !fields.has("document_name")) {
        Some(name) => name,
        None => fields.text_up_to("document_name", MAX_FILE_NAME)?,
    };
    if extension_of(&name).is_none() || name.chars().any(char::is_control) {
        return Err(SendError::NoExtension);
    }
    // Only the last part: senders' programs may have put a path in front.
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    Ok(last.chars().take(MAX_FILE_NAME).collect())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
