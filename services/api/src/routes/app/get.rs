//! `GET /app` and everything under it: the dashboard. It is the same for everybody and needs no login: it shows the form
//! for it.

use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, Response, Uri},
};

use crate::{
    error::Problem,
    routes::app::{HASHED, file, shown_or_explained},
    state::ApiState,
};

pub(crate) async fn handler(
    State(state): State<ApiState>,
    path: Result<Option<Path<String>>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let path = path.map_err(|_| Problem::route_not_found())?.map_or_else(String::new, |Path(path)| path);
    match state.dashboard.file(&path) {
        Some(found) => Ok(file(&path, found, &headers)),
        None if path.starts_with(HASHED) => Err(Problem::route_not_found()),
        None => Ok(shown_or_explained(&state.dashboard, &uri)),
    }
}
