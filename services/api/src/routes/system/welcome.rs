//! `GET /`: what to do next.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, Response, header},
};

use crate::{page::page, state::ApiState};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

const PAGE: &str = include_str!("../../../pages/welcome.html");

/// What to do next, as a page.
#[utoipa::path(
    get, path = "/", tag = "system", operation_id = "welcome", security(()),
    responses((status = 200, description = "A page for people", content_type = "text/html"))
)]
pub(crate) async fn handler(State(state): State<ApiState>, headers: HeaderMap) -> Response<Body> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = match text(FORWARDED_PROTO) {
        Some("https") => "https",
        _ => "http",
    };
    let host = text(header::HOST).unwrap_or("localhost:5001");
    let [dashboard, admin] =
        if state.dashboard.is_there() { ["app/", "app/admin"] } else { ["dashboard", "admin"] };
    page(PAGE, &[("origin", &format!("{scheme}://{host}")), ("dashboard", dashboard), ("admin", admin)])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dashboard::Dashboard;

    use crate::{state::Settings, testing::Rig};

    #[tokio::test]
    async fn it_says_what_to_do_next_and_runs_nothing() {
        let rig = Rig::new().await;
        let answer = rig.get("/").anonymous().header("host", "gate.example:5001\"<x").send().await;
        assert_eq!(answer.status, 200);
        for words in [
            "session/start?session=",
            "href=\"dashboard\"",
            "href=\"admin\"",
            "href=\"docs\"",
            "href=\"health\"",
            "href=\"ready\"",
            "href=\"openapi.json\"",
            "curl -u",
        ] {
            assert!(answer.body.contains(words), "{words}");
        }
        assert!(answer.body.contains("http://gate.example:5001&quot;&lt;x/message/send-text"));
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    }

    #[tokio::test]
    async fn it_leads_to_the_dashboard_where_there_is_one() {
        let files = [("index.html".to_owned(), Bytes::from_static(b"<head></head>"))];
        let rig = Rig::with_dashboard(Settings::default(), Dashboard::of(files)).await;
        let page = rig.get("/").anonymous().send().await.body;
        assert!(page.contains("href=\"app/\"") && page.contains("href=\"app/admin\""), "{page}");
    }
}
