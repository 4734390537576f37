//! `GET /openapi.json`: every route, for people and for code generators.

use std::sync::LazyLock;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response, header},
};

use crate::{error::Problem, router};

static DOCUMENT: LazyLock<Result<Bytes, String>> = LazyLock::new(|| {
    serde_json::to_vec(&router::openapi()).map(Bytes::from).map_err(|error| error.to_string())
});

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "system", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
pub(crate) async fn handler() -> Result<Response<Body>, Problem> {
    let document = DOCUMENT.as_ref().map_err(Problem::internal)?;
    let mut response = Response::new(Body::from(document.clone()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use crate::testing::Rig;

    #[test]
    fn the_committed_document_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        let document = crate::openapi().to_pretty_json().unwrap() + "\n";
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &document).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == document,
            "services/api/openapi.json is old: run `UPDATE_DOCS=1 cargo test -p api`"
        );
    }

    #[tokio::test]
    async fn every_documented_route_is_there() {
        let rig = Rig::new().await;
        let answer = rig.get("/openapi.json").anonymous().send().await;
        assert_eq!(answer.status, 200);
        let document = answer.json();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() >= 12, "{:?}", paths.keys());
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                let url = path
                    .replace("{name}", "x")
                    .replace("{session}", "x")
                    .replace("{id}", "x")
                    .replace("{token}", "x");
                let answer = rig.request(method.to_uppercase().as_str(), &url).anonymous().send().await;
                assert_ne!(
                    answer.body, r#"{"message":"Route not found","code":"route_not_found"}"#,
                    "{path}"
                );
                let open = operation["security"] == serde_json::json!([{}]);
                assert_eq!(answer.status == 401, !open, "{method} {path}: {}", answer.body);
            }
        }
    }
}
