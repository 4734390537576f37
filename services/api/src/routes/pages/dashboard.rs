//! `GET /dashboard`: a user's sessions and webhooks, as a page: the dashboard, or a simple one in a program without it.

use axum::{
    body::Body,
    extract::State,
    http::{Response, Uri},
};

use crate::{
    auth::{AuthError, Caller, Origin},
    page::page_with_files,
    routes::app,
    state::ApiState,
};

const PAGE: &str = include_str!("../../../pages/dashboard.html");

/// Your sessions and webhooks, as a page.
#[utoipa::path(
    get, path = "/dashboard", tag = "page", operation_id = "dashboardPage",
    responses((status = 200, description = "A page for people", content_type = "text/html"))
)]
pub(crate) async fn handler(
    caller: Caller,
    origin: Origin,
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Response<Body>, AuthError> {
    let page = app::shown_to(&caller, origin, &state, &uri).await?;
    Ok(page.unwrap_or_else(|| page_with_files(PAGE, &[("username", &caller.username)])))
}

#[cfg(test)]
mod tests {
    use crate::testing::Rig;

    #[tokio::test]
    async fn it_asks_for_a_login_and_runs_only_our_files() {
        let rig = Rig::new().await;
        let answer = rig.get("/dashboard").anonymous().send().await;
        answer.fails(401, "unauthorized", "Unauthorized");
        assert!(answer.header("www-authenticate").starts_with("Basic "));

        let anna = rig.user("<b>anna</b> & co").await;
        let answer = rig.get("/dashboard").by(&anna).send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert!(answer.body.contains("&lt;b&gt;anna&lt;/b&gt; &amp; co") && !answer.body.contains("<b>anna"));
    }

    /// Nothing in a page needs what its policy forbids, and every file that it names is there.
    #[tokio::test]
    async fn pages_name_files_that_are_there() {
        let rig = Rig::new().await;
        for page in ["/dashboard", "/admin", "/docs"] {
            let body = rig.get(page).send().await.body;
            for forbidden in ["http://", "https://", "<style", "style=", "onclick", "onsubmit", "javascript:"]
            {
                let found = body.replace("placeholder=\"https://\"", "");
                assert!(!found.contains(forbidden), "{page}: {forbidden}");
            }
            assert!(body.matches("<script").count() == body.matches("></script>").count(), "{page}");
            let named: Vec<_> = body
                .split(['"'])
                .filter(|part| part.starts_with("assets/") || part.starts_with("docs/"))
                .collect();
            assert!(named.len() >= 2, "{page}: {named:?}");
            for file in named {
                let answer = rig.get(&format!("/{file}")).anonymous().send().await;
                assert_eq!(answer.status, 200, "{page}: {file}");
            }
        }
    }
}
