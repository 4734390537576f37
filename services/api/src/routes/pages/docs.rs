//! `GET /docs`: every route, to read and to try. Swagger UI's files are part of the binary.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::{
    body::{Body, Bytes},
    extract::{Path, rejection::PathRejection},
    http::Response,
};
use utoipa_swagger_ui::Config;

use crate::{
    error::Problem,
    page::{self, page_with_files},
};

const PAGE: &str = include_str!("../../../pages/docs.html");

/// Its settings stand in our own script; this serves files only.
static FILES: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("openapi.json")));

/// The routes of this API, to read and to try, as a page.
#[utoipa::path(
    get, path = "/docs", tag = "page", operation_id = "docsPage", security(()),
    responses((status = 200, description = "A page for people", content_type = "text/html"))
)]
pub(crate) async fn handler() -> Response<Body> {
    page_with_files(PAGE, &[])
}

/// `GET /docs/{file}`: the files that the page names.
pub(crate) async fn file(name: Result<Path<String>, PathRejection>) -> Result<Response<Body>, Problem> {
    let Path(name) = name.map_err(|_| Problem::route_not_found())?;
    let kind = match &*name {
        "swagger-ui-bundle.js" => "text/javascript; charset=utf-8",
        "swagger-ui.css" | "index.css" => "text/css; charset=utf-8",
        _ => return Err(Problem::route_not_found()),
    };
    let file = utoipa_swagger_ui::serve(&name, Arc::clone(&FILES)).map_err(Problem::internal)?;
    let file = file.ok_or_else(Problem::route_not_found)?;
    let content = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(page::file(content, kind))
}

#[cfg(test)]
mod tests {
    use crate::testing::Rig;

    #[tokio::test]
    async fn the_page_is_open_and_complete() {
        let rig = Rig::new().await;
        let page = rig.get("/docs").anonymous().send().await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-security-policy").contains("script-src 'self';"));
        let script = rig.get("/docs/swagger-ui-bundle.js").anonymous().send().await;
        assert_eq!(script.status, 200);
        assert!(script.body.contains("SwaggerUIBundle") && script.body.len() > 1_000_000);
        for path in ["/docs/", "/docs/index.html", "/docs/swagger-initializer.js", "/docs/..%2fx"] {
            let answer = rig.get(path).anonymous().send().await;
            answer.fails(404, "route_not_found", "Route not found");
        }
    }
}
