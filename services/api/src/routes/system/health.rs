//! `GET /health`: the process is alive. It stays green when a number is unlinked; `/status` tells that.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::json;

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Is the process alive?
#[utoipa::path(
    get, path = "/health", tag = "system", operation_id = "health", security(()),
    responses((status = 200, description = "It is", body = Health))
)]
pub(crate) async fn handler() -> Response {
    json::answer(StatusCode::OK, &Health { status: "ok" })
}

#[cfg(test)]
mod tests {
    use crate::testing::Rig;

    #[tokio::test]
    async fn it_needs_nobody_and_no_database() {
        let rig = Rig::new().await;
        rig.database.close().await;
        rig.get("/health").anonymous().send().await.is(200, r#"{"status":"ok"}"#);
    }
}
