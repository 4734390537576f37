//! `GET /media/{name}`: a file that came in, to whoever owns its session, or to whoever has a link that did not expire.

use std::ops::Range;

use axum::{
    body::Body,
    extract::{FromRequestParts, Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use domain::MediaId;
use http_range_header::parse_range_header;
use media::{LinkError, ObjectKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use storage::StoredMedia;

use crate::{
    auth::{AuthError, Caller},
    error::{Problem, ProblemBody, answers_as_problem},
    fields::Fields,
    state::ApiState,
};

/// What need not be encoded in a file name (RFC 8187).
const NAME: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'!').remove(b'+');

/// A file does not change under its name; it may be removed, and who may see it may change.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=3600");
/// Whatever the file is, it runs nothing and loads nothing as a page of this origin.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Who asks.
pub(crate) enum Viewer {
    /// Somebody with a link to this file.
    Link(MediaId),
    /// Somebody with credentials, who may say which of several files of one name is meant.
    User(Caller, Option<MediaId>),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("The link has expired")]
    Expired,
    #[error("The link is not valid")]
    InvalidLink,
    #[error("File not found")]
    NotFound,
    #[error("The file is no longer kept")]
    Removed,
    #[error("The file has {size} bytes, and the range is outside of them")]
    Range { size: u64 },
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Media(#[from] media::Error),
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Expired => Self::Expired,
            LinkError::Invalid => Self::InvalidLink,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use Error as E;
        let words = error.to_string();
        match error {
            E::Auth(error) => error.into(),
            E::Expired => Self::new(StatusCode::FORBIDDEN, "link_expired", words),
            E::InvalidLink => Self::new(StatusCode::FORBIDDEN, "invalid_link", words),
            E::NotFound => Self::new(StatusCode::NOT_FOUND, "media_not_found", words),
            E::Removed => Self::new(StatusCode::GONE, "media_removed", words),
            E::Range { .. } => Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "invalid_range", words),
            E::Storage(error) => error.into(),
            E::Media(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

impl FromRequestParts<ApiState> for Viewer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Error> {
        let query = Fields::from_query(&parts.uri);
        let text = |field| query.optional_text(field).ok().flatten();
        let id = text("id").and_then(|id| id.parse().ok());
        let Some(signature) = text("signature") else {
            return Ok(Self::User(Caller::from_request_parts(parts, state).await?, id));
        };
        let id = id.ok_or(Error::InvalidLink)?;
        let expires = text("expires").and_then(|expires| expires.parse().ok()).ok_or(Error::InvalidLink)?;
        state.links.check(id, expires, &signature, state.clock.now())?;
        Ok(Self::Link(id))
    }
}

/// A file that came in.
#[utoipa::path(
    get, path = "/media/{name}", tag = "media", operation_id = "getMedia",
    params(
        ("name" = String, Path, description = "The file's name, as the webhook says", example = "3EB0C431C26A1916E07A4D.jpg"),
        ("id" = Option<String>, Query, description = "Which of several files of that name; a part of `media_url`"),
        ("expires" = Option<i64>, Query, description = "A part of `media_url`: seconds since 1970"),
        ("signature" = Option<String>, Query, description = "A part of `media_url`: opens the file without a login"),
        ("Range" = Option<String>, Header, description = "Which bytes", example = "bytes=0-1023"),
    ),
    responses(
        (status = 200, description = "The file, with its type", content_type = "application/octet-stream",
            body = Vec<u8>),
        (status = 206, description = "The bytes that were asked for", content_type = "application/octet-stream",
            body = Vec<u8>),
        (status = 304, description = "It is the one that the caller has (`If-None-Match`)"),
        (status = 403, description = "The link has expired or was changed", body = ProblemBody,
            example = json!({"message": "The link has expired", "code": "link_expired"})),
        (status = 404, description = "You have no such file", body = ProblemBody,
            example = json!({"message": "File not found", "code": "media_not_found"})),
        (status = 410, description = "It was removed, being too old", body = ProblemBody,
            example = json!({"message": "The file is no longer kept", "code": "media_removed"})),
        (status = 416, description = "It has no such bytes", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    viewer: Viewer,
    State(state): State<ApiState>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Path(name) = name.map_err(|_| Error::NotFound)?;
    let file = look_up(&state, &viewer, &name).await?;
    if file.removed {
        return Err(Error::Removed);
    }
    let etag = format!("\"{}\"", file.sha256);
    let has = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if has(header::IF_NONE_MATCH)
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag))
    {
        return Ok(about(StatusCode::NOT_MODIFIED, &file, &etag, Body::empty()));
    }
    let range = match has(header::RANGE).filter(|_| has(header::IF_RANGE).is_none_or(|tag| tag == etag)) {
        Some(range) => wanted(range, file.size)?,
        None => None,
    };
    let key = ObjectKey::received(file.session, file.id);
    let found = state.media.get(&key, range.clone()).await?.ok_or_else(|| {
        tracing::error!(media.id = %file.id, "a stored file is not in the media store");
        Error::NotFound
    })?;
    let body = Body::from_stream(found.bytes);
    let (status, length) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.end - range.start),
        None => (StatusCode::OK, file.size),
    };
    let mut response = about(status, &file, &etag, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    if let Some(Range { start, end }) = range
        && let Ok(value) = HeaderValue::try_from(format!("bytes {start}-{}/{}", end - 1, file.size))
    {
        headers.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// Names are the senders' doing; of several files the latest is meant, unless the caller says which.
async fn look_up(state: &ApiState, viewer: &Viewer, name: &str) -> Result<StoredMedia, Error> {
    let file = match viewer {
        Viewer::Link(id) => state.database.media(*id).await?.filter(|file| file.name == name),
        Viewer::User(caller, id) => {
            let files = state.database.media_named(name, caller.scope()).await?;
            files.into_iter().find(|file| id.is_none_or(|id| file.id == id))
        }
    };
    file.ok_or(Error::NotFound)
}

/// The bytes that a caller wants; `None` when it is all of them, or several ranges, which are not worth the trouble.
fn wanted(range: &str, size: u64) -> Result<Option<Range<u64>>, Error> {
    let parsed = parse_range_header(range).and_then(|ranges| ranges.validate(size));
    match parsed.map_err(|_| Error::Range { size })?.as_slice() {
        [one] => Ok(Some(*one.start()..one.end().saturating_add(1).min(size))),
        _ => Ok(None),
    }
}

fn about(status: StatusCode, file: &StoredMedia, etag: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&file.mime_type).unwrap_or(octets));
    if let Ok(disposition) = HeaderValue::from_str(&disposition(file)) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, CACHE);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// Pictures, films and sound are shown; everything else is for saving, under the name that its sender gave it.
fn disposition(file: &StoredMedia) -> String {
    let shown = ["image/", "video/", "audio/"].iter().any(|kind| file.mime_type.starts_with(kind))
        && !file.mime_type.contains("svg");
    let kind = if shown { "inline" } else { "attachment" };
    let own = file.file_name.as_deref().unwrap_or(&file.name);
    // The plain name for programs that do not know the other form; it was made of harmless characters.
    format!("{kind}; filename=\"{}\"; filename*=UTF-8''{}", file.name, utf8_percent_encode(own, NAME))
}

#[cfg(test)]
#[path = "get_tests.rs"]
mod tests;
