//! `GET /link/{token}`: the page on which somebody without an account links the number of one session. Whether the link
//! is good is for the routes that the page asks.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, Response, Uri},
};

use crate::{routes::app::shown_or_explained, state::ApiState};

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// The page behind a link to scan a session's code: for whoever has it.
#[utoipa::path(
    get, path = "/link/{token}", tag = "page", operation_id = "linkPage", security(()),
    params(("token" = String, Path, description = "From `POST /session/{name}/share`")),
    responses((status = 200, description = "A page for people", content_type = "text/html"))
)]
pub(crate) async fn handler(State(state): State<ApiState>, uri: Uri) -> Response<Body> {
    let mut response = shown_or_explained(&state.dashboard, &uri);
    response.headers_mut().insert(ROBOTS, HeaderValue::from_static("noindex"));
    response
}
