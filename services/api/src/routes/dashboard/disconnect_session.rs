//! `POST /dashboard/disconnect-session`: unlinks the caller's own session, as the Node gateway does.

use axum::{extract::State, http::StatusCode, response::Response};

use domain::access::AuditAction;

use super::{account, full_session_name};
use crate::{
    access::{self, Named},
    audit,
    auth::{Actor, AuthError},
    error::{Problem, ProblemBody, answers_as_problem},
    json::{self, Done},
    removal,
    state::ApiState,
};

/// What the session's history says.
const REASON: &str = "disconnected through the dashboard";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("You can only delete your own sessions")]
    Foreign,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Auth(error) => error.into(),
            Error::Foreign => Self::new(StatusCode::FORBIDDEN, "not_your_session", error.to_string()),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Unlinks your session at WhatsApp and removes it; a success, too, when there is none.
#[utoipa::path(
    post, path = "/dashboard/disconnect-session", tag = "dashboard", operation_id = "disconnectOwnSession",
    responses(
        (status = 200, description = "There is no such session now", body = Done,
            example = json!({"data": {"message": "Session disconnected successfully"}})),
        (status = 403, description = "Another user has a session of that name", body = ProblemBody),
    )
)]
pub(crate) async fn handler(caller: Actor, State(state): State<ApiState>) -> Result<Response, Error> {
    let account = account(&state, &caller).await?;
    match access::named(&state.database, &caller, &full_session_name(&account)).await? {
        Named::Own(session) => {
            removal::remove_session(&state, &session, REASON).await?;
            audit::note(&state, &caller, AuditAction::SessionLoggedOut, session.name).await;
        }
        Named::Foreign => return Err(Error::Foreign),
        Named::Unknown => {}
    }
    Ok(json::done("Session disconnected successfully"))
}

#[cfg(test)]
mod tests {
    use bus::messages::SessionCommand;
    use serde_json::json;

    use crate::testing::Rig;

    const DISCONNECT: &str = "/dashboard/disconnect-session";
    const DONE: &str = r#"{"data":{"message":"Session disconnected successfully"}}"#;

    #[tokio::test]
    async fn the_callers_own_session_is_unlinked_and_no_other() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let runner = rig.runner().connects().start().await;
        for (user, name) in [(&anna, "anna"), (&anna, "other"), (&bob, "bob")] {
            rig.post("/session/start", &json!({"session": name})).by(user).send().await;
        }
        rig.request("POST", DISCONNECT).by(&anna).send().await.is(200, DONE);
        assert_eq!(runner.heard(), [SessionCommand::Logout]);
        rig.get("/session").send().await.is(200, r#"{"data":["anna_other","bob"]}"#);
        rig.request("POST", DISCONNECT).by(&anna).send().await.is(200, DONE);
        let url = format!("/admin/users/{}/session-config", anna.id);
        for name in ["nothing", "other"] {
            rig.put(&url, &json!({"session_name": name})).send().await;
            rig.request("POST", DISCONNECT).by(&anna).send().await.is(200, DONE);
        }
        rig.get("/session").send().await.is(200, r#"{"data":["bob"]}"#);
    }

    #[tokio::test]
    async fn what_another_user_has_by_that_name_stays() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("anna").await;
        let answer = rig.request("POST", DISCONNECT).by(&anna).send().await;
        answer.fails(403, "not_your_session", "You can only delete your own sessions");
        let forged = rig.request("POST", DISCONNECT).header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(forged.status, 403);
        assert!(rig.database.session_by_name("anna").await.unwrap().is_some());
    }
}
