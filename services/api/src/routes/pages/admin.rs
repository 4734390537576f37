//! `GET /admin`: users and everybody's sessions, as a page: the dashboard, or a simple one in a program without it.

use axum::{
    body::Body,
    extract::State,
    http::{Response, Uri},
};

use crate::{
    auth::{Admin, AuthError, Caller, Origin},
    error::ProblemBody,
    page::page_with_files,
    routes::app,
    state::ApiState,
};

const PAGE: &str = include_str!("../../../pages/admin.html");

/// Users, and everybody's sessions, as a page.
#[utoipa::path(
    get, path = "/admin", tag = "page", operation_id = "adminPage",
    responses(
        (status = 200, description = "A page for people", content_type = "text/html"),
        (status = 403, description = "You are not an admin", body = ProblemBody,
            example = json!({"message": "Admin access required", "code": "admin_required"})),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Caller>,
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
    async fn it_is_for_admins() {
        let rig = Rig::new().await;
        let answer = rig.get("/admin").send().await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("<span>admin</span>") && answer.body.contains("assets/admin.js"));
        // A link on another site may lead here: it changes nothing.
        let linked =
            rig.get("/admin").header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
        assert_eq!(linked.send().await.status, 200);
    }
}
