//! `POST /auth/logout`: the cookie is worth nothing from then on.

use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::Response,
};
use domain::access::AuditAction;

use crate::{
    announce, audit,
    auth::{Actor, AuthError, removed_cookie},
    error::ProblemBody,
    state::ApiState,
};

/// Logs out: the cookie that came with the request is worth nothing from then on, in every process. Whoever is not
/// logged in is so afterwards, too.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", operation_id = "logOut", security(()),
    responses(
        (status = 204, description = "You are not logged in",
            headers(("Set-Cookie" = String, description = "Takes `wag_session` away"))),
        (status = 403, description = "A browser sent this request from another site", body = ProblemBody),
        (status = 429, description = "Too many failed logins from this address", body = ProblemBody),
        (status = 503, description = "The database cannot serve this now", body = ProblemBody),
        (status = 507, description = "The database has no room left", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Result<Actor, AuthError>,
    State(state): State<ApiState>,
) -> Result<Response, AuthError> {
    match caller {
        Ok(caller) => {
            if state.credentials.log_out(&caller).await? {
                announce::user_changed(&state.bus, caller.id);
                audit::note(&state, &caller, AuditAction::LogOut, None).await;
            }
        }
        Err(error) if error.is_about_credentials() => {}
        Err(error) => return Err(error),
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::SET_COOKIE, removed_cookie());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use crate::testing::{Rig, soon};

    #[tokio::test]
    async fn a_login_dies_at_once_in_every_process() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let other = rig.another();
        let mut tasks = JoinSet::new();
        let listening = other.state.clone();
        tasks.spawn(async move { listening.listen().await });
        let (one, two) = (rig.log_in(&anna).await, rig.log_in(&anna).await);
        for process in [&rig, &other] {
            for cookie in [&one, &two] {
                assert_eq!(process.get("/session").cookie(cookie).send().await.status, 200);
            }
        }
        let forged = rig.request("POST", "/auth/logout").cookie(&one).header("sec-fetch-site", "same-site");
        assert_eq!(forged.send().await.code(), "cross_site");
        let answer = rig.request("POST", "/auth/logout").cookie(&one).send().await;
        answer.is(204, "");
        assert!(answer.header("set-cookie").starts_with("wag_session=; Path=/; Max-Age=0"));
        assert_eq!(rig.get("/session").cookie(&one).send().await.status, 401, "not a moment later");
        soon("the other process forgets", async || {
            other.get("/session").cookie(&one).send().await.status == 401
        })
        .await;
        assert_eq!(other.get("/session").cookie(&two).send().await.status, 200, "the other login stays");
    }

    #[tokio::test]
    async fn whoever_is_not_logged_in_is_so_afterwards() {
        let rig = Rig::new().await;
        let logout = || rig.request("POST", "/auth/logout");
        assert_eq!(logout().anonymous().send().await.status, 204);
        assert_eq!(logout().send().await.status, 204, "a name and a password stay what they are");
        assert_eq!(logout().cookie("wag_session=nothing").send().await.status, 204);
    }
}
