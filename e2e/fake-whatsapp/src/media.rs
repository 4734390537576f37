//! The media host: takes encrypted files and gives them back.

use crate::faults::MediaFault;
use crate::inner::Inner;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use dashmap::DashMap;
use futures::stream;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// All files, by the name they are served under.
pub(crate) struct MediaStore {
    files: DashMap<String, Bytes>,
    partial: DashMap<String, Vec<u8>>,
    credentials: AtomicU64,
}

impl MediaStore {
    pub(crate) fn new() -> Self {
        Self { files: DashMap::new(), partial: DashMap::new(), credentials: AtomicU64::new(1) }
    }

    /// The token a client must present.
    pub(crate) fn credentials(&self) -> String {
        format!("auth-{}", self.credentials.load(Ordering::Relaxed))
    }

    /// Puts an unencrypted file (a profile picture) up; returns its path.
    pub(crate) fn store_plain(&self, bytes: &[u8]) -> String {
        let name = name_of(bytes);
        self.files.insert(name.clone(), Bytes::copy_from_slice(bytes));
        path_of(&name)
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Forgets all files: links to them are expired.
    pub(crate) fn expire(&self) {
        self.files.clear();
    }
}

fn name_of(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

fn path_of(name: &str) -> String {
    format!("/v/{name}")
}

/// The parameters of an upload that matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct UploadQuery {
    auth: Option<String>,
    resume: Option<u8>,
    file_offset: Option<usize>,
}

/// `POST /mms/{kind}/{name}`: the name is the hash of the encrypted file, which is checked.
pub(crate) async fn upload(
    State((inner, tls)): State<(Arc<Inner>, bool)>,
    Path((_kind, name)): Path<(String, String)>,
    Query(query): Query<UploadQuery>,
    body: Bytes,
) -> Response {
    match inner.faults.next_media(true) {
        Some(MediaFault::Status(status)) => return status_of(status).into_response(),
        Some(MediaFault::Slow(millis)) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Some(MediaFault::Cut | MediaFault::WrongBytes | MediaFault::Trickle(_)) => {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        None => {}
    }
    let name = name.trim_end_matches('=').to_owned();
    if query.auth.as_deref() != Some(inner.media.credentials().as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let stored = json!({
        "url": format!("https://{}{}", inner.media_host(tls), path_of(&name)),
        "direct_path": path_of(&name),
    });
    if query.resume == Some(1) {
        return Json(if inner.media.files.contains_key(&name) {
            json!({"resume": "complete", "url": stored["url"], "direct_path": stored["direct_path"]})
        } else {
            let have = inner.media.partial.get(&name).map_or(0, |partial| partial.len());
            json!({"resume": have.to_string()})
        })
        .into_response();
    }
    let offset = query.file_offset.unwrap_or(0);
    let mut file = inner.media.partial.remove(&name).map(|(_, partial)| partial).unwrap_or_default();
    file.truncate(offset);
    file.extend_from_slice(&body);
    if name_of(&file) != name {
        inner.media.partial.insert(name, file);
        return (StatusCode::BAD_REQUEST, "the hash does not match").into_response();
    }
    inner.media.files.insert(name, Bytes::from(file));
    Json(stored).into_response()
}

/// `GET /v/{name}`.
pub(crate) async fn download(
    State((inner, _)): State<(Arc<Inner>, bool)>,
    Path(name): Path<String>,
) -> Response {
    let file = inner.media.files.get(&name).map(|file| file.clone());
    let Some(mut file) = file else { return StatusCode::NOT_FOUND.into_response() };
    match inner.faults.next_media(false) {
        Some(MediaFault::Status(status)) => return status_of(status).into_response(),
        Some(MediaFault::Slow(millis)) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Some(MediaFault::Trickle(millis)) => return trickle(file, Duration::from_millis(millis)),
        Some(MediaFault::Cut) => return cut(&file),
        Some(MediaFault::WrongBytes) => file = file.iter().map(|byte| byte ^ 0x55).collect(),
        None => {}
    }
    file.into_response()
}

/// All of the file, little by little.
fn trickle(file: Bytes, pause: Duration) -> Response {
    const DROP: usize = 16 * 1024;
    let length = file.len();
    let drops = stream::unfold(file, move |mut file| async move {
        if file.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let drop = file.split_to(file.len().min(DROP));
        Some((Ok::<_, std::convert::Infallible>(drop), file))
    });
    ([(header::CONTENT_LENGTH, length)], Body::from_stream(drops)).into_response()
}

/// Half of the file with the length of all of it, then the end of the connection.
fn cut(file: &Bytes) -> Response {
    let half = file.slice(..file.len() / 2);
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut on purpose");
    let body = Body::from_stream(stream::iter([Ok(half), Err(broken)]));
    ([(header::CONTENT_LENGTH, file.len())], body).into_response()
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
