//! `POST /message/send-video`.

use axum::extract::{Request, State};
use domain::media::MediaKind;
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    error::ProblemBody,
    sending::{self, IdempotencyHeader, SendError, Sent, SentBody},
    state::ApiState,
};

/// A film and where it goes. The file is named by `video_url`, or is in the request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `sending::send_file` reads")]
#[schema(example = json!({"session": "shop", "to": "628123456789", "text": "Look at this",
    "video_url": "https://example.com/film.mp4"}))]
pub(crate) struct SendVideo {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// The caption; it may be empty. At most 65536 characters.
    #[schema(max_length = 65536)]
    text: String,
    /// Where the file is: `http` or `https`, and public. Not needed beside `video_base64`.
    video_url: Option<String>,
    /// The file itself: an MP4 or 3GP. As large as `BODY_LIMIT_BYTES` allows; larger ones come as `multipart/form-data`.
    video_base64: Option<String>,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// WhatsApp's id of the message that this one answers.
    quoted_message_id: Option<String>,
    /// Phone numbers or JIDs of people whom the caption mentions; at most 256.
    mentions: Option<Vec<String>>,
    /// Whether the chat shows "typing" before it, a tenth of a second for each character of the caption up to five
    /// seconds; as `TYPING_INDICATOR` says when it is left out.
    typing: Option<bool>,
    /// Whether the message may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

/// The same with the file as a part of the form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `sending::send_file` reads")]
pub(crate) struct SendVideoForm {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// The caption; it may be empty. At most 65536 characters.
    #[schema(max_length = 65536)]
    text: String,
    /// The file: an MP4 or 3GP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `true` or `false`: `to` is a group's id.
    is_group: Option<bool>,
    /// WhatsApp's id of the message that this one answers.
    quoted_message_id: Option<String>,
    /// Phone numbers or JIDs of people whom the caption mentions, separated by commas.
    mentions: Option<String>,
    /// Whether the chat shows "typing" before it, a tenth of a second for each character of the caption up to five
    /// seconds; as `TYPING_INDICATOR` says when it is left out.
    typing: Option<bool>,
    /// Whether the message may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

/// Sends a film: MP4 or 3GP.
#[utoipa::path(
    post, path = "/message/send-video", tag = "message", operation_id = "sendVideo",
    request_body(content((SendVideo = "application/json"), (SendVideoForm = "multipart/form-data"))),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent: the session is not connected, or the file takes \
            longer; `status` is `QUEUED`", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody, examples(
            ("Field" = (value = json!({"message": "Required field 'video_url' on json", "code": "invalid_field"}))),
            ("Address" = (value = json!({"message": "Invalid url field 'video_url' on json", "code": "invalid_field"}))),
            ("Unreachable" = (value = json!({"message": "the URL of the file answers 404 Not Found",
                "code": "media_unreachable"}))),
            ("Forbidden" = (value = json!({"message": "the URL of the file leads to an address that is not public",
                "code": "media_forbidden"}))),
        )),
        (status = 403, description = "It is another user's session", body = ProblemBody,
            example = json!({"message": "You can only use your own sessions", "code": "not_your_session"})),
        (status = 409, description = "The idempotency key was used for another request", body = ProblemBody),
        (status = 413, description = "The file, or the body, is too large", body = ProblemBody,
            example = json!({"message": "the file is larger than 16777216 bytes", "code": "media_too_large"})),
        (status = 415, description = "The file is not an MP4 or 3GP", body = ProblemBody,
            example = json!({"message": "the file is application/zip, and this kind of message (video) takes …",
                "code": "unsupported_media_type"})),
        (status = 429, description = "Too many messages wait for the session", body = ProblemBody),
        (status = 503, description = "The session is not connected and the message must not wait",
            body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    idempotency: IdempotencyHeader,
    request: Request,
) -> Result<Sent, SendError> {
    sending::send_file(&state, &caller, &idempotency, MediaKind::Video, request).await
}
