//! Any method on `/session/logout`: unlinks a number and forgets it.

use axum::{
    extract::{FromRequest, Request, State},
    http::StatusCode,
    response::Response,
};
use domain::access::AuditAction;

use crate::{
    access::{self, Named},
    audit,
    auth::Actor,
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Fields, Invalid, JsonFields},
    json, removal,
    state::ApiState,
};

/// What the session's history says.
const REASON: &str = "logged out through the API";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("You can only delete your own sessions")]
    Foreign,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Foreign => Self::new(StatusCode::FORBIDDEN, "not_your_session", error.to_string()),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Unlinks a number at WhatsApp and removes the session. Any method will do.
#[utoipa::path(
    post, path = "/session/logout", tag = "session", operation_id = "logoutSession",
    params(("session" = Option<String>, Query, description = "The session; or in a JSON body", example = "shop")),
    request_body(content = Option<Object>, example = json!({"session": "shop"})),
    responses(
        (status = 200, description = "There is no such session now", body = Object,
            example = json!({"data": "success"})),
        (status = 403, description = "It is another user's", body = ProblemBody,
            example = json!({"message": "You can only delete your own sessions", "code": "not_your_session"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    request: Request,
) -> Result<Response, Error> {
    let name = match Fields::from_query(request.uri()).optional_text("session")? {
        Some(name) if !name.is_empty() => name,
        _ => JsonFields::from_request(request, &state).await?.0.text("session")?,
    };
    match access::named(&state.database, &caller, &name).await? {
        Named::Own(session) => {
            removal::remove_session(&state, &session, REASON).await?;
            audit::note(&state, &caller, AuditAction::SessionLoggedOut, session.name).await;
        }
        Named::Foreign => return Err(Error::Foreign),
        Named::Unknown => {}
    }
    Ok(json::data("success"))
}

#[cfg(test)]
mod tests {
    use bus::messages::SessionCommand;
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn a_runner_unlinks_it_and_then_it_is_gone() {
        let rig = Rig::new().await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        rig.post("/session/logout", &json!({"session": "shop"}))
            .send()
            .await
            .is(200, r#"{"data":"success"}"#);
        assert_eq!(runner.heard(), [SessionCommand::Logout]);
        rig.get("/session").send().await.is(200, r#"{"data":[]}"#);
    }

    #[tokio::test]
    async fn any_method_will_do_with_or_without_a_runner() {
        let rig = Rig::new().await;
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            rig.session("shop").await;
            let answer = rig.request(method, "/session/logout?session=shop").send().await;
            answer.is(200, r#"{"data":"success"}"#);
            assert!(rig.database.session_by_name("shop").await.unwrap().is_none(), "{method}");
        }
    }

    #[tokio::test]
    async fn unknown_ones_are_a_success_and_others_are_refused() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("shop").await;
        rig.get("/session/logout?session=nothing").send().await.is(200, r#"{"data":"success"}"#);
        for name in ["anna_nothing", "anna"] {
            let answer = rig.get(&format!("/session/logout?session={name}")).by(&anna).send().await;
            answer.is(200, r#"{"data":"success"}"#);
        }
        // Whether there is one of that name is nobody's business.
        for name in ["shop", "nothing"] {
            let answer = rig.get(&format!("/session/logout?session={name}")).by(&anna).send().await;
            answer.fails(403, "not_your_session", "You can only delete your own sessions");
        }
        assert!(rig.database.session_by_name("shop").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn bad_input_and_other_sites_change_nothing() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let url = "/session/logout";
        rig.get(url).send().await.fails(400, "invalid_field", "Required field 'session' on json");
        let twice = rig.get("/session/logout?session=shop&session=shop").send().await;
        twice.fails(400, "invalid_field", "Expected string, received array field 'session' on query");
        let wrong = rig.post(url, &json!({"session": 5})).send().await;
        wrong.fails(400, "invalid_field", "Expected string, received number field 'session' on json");
        let forged =
            rig.get("/session/logout?session=shop").header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(forged.status, 403);
        assert!(rig.database.session_by_name("shop").await.unwrap().is_some());
    }
}
