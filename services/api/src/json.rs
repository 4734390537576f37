//! How answers are written: once, straight into the body.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::Serialize;
use utoipa::ToSchema;

/// The contract's envelope: `{"data": …}`.
#[derive(Serialize)]
pub(crate) struct Data<T> {
    pub(crate) data: T,
}

/// `200` with `{"data": …}`.
pub(crate) fn data<T: Serialize>(data: T) -> Response<Body> {
    answer(StatusCode::OK, &Data { data })
}

/// What the contract says of a change that was made: `{"data":{"message":"…"}}`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"data": {"message": "Password updated successfully"}}))]
pub(crate) struct Done {
    data: DoneData,
}

#[derive(Serialize, ToSchema)]
struct DoneData {
    message: &'static str,
}

/// `200` with a [`Done`].
pub(crate) fn done(message: &'static str) -> Response<Body> {
    answer(StatusCode::OK, &Done { data: DoneData { message } })
}

/// An answer with this body.
pub(crate) fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    let (status, bytes) = match serde_json::to_vec(body) {
        Ok(bytes) => (status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            let sorry = br#"{"message":"Internal server error","code":"internal_error"}"#;
            (StatusCode::INTERNAL_SERVER_ERROR, sorry.to_vec())
        }
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
