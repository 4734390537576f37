//! `POST /admin/sessions/{name}/move`: a session goes to another runner.

use std::time::Duration;

use axum::{
    extract::{FromRequest as _, Path, Request, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use bus::{RequestError, messages::RunnerCommand};
use domain::{RunnerId, access::AuditAction};
use serde_json::json;
use storage::Runner;

use super::{command, no_other, not_found, takes_sessions};
use crate::{
    audit,
    auth::{Actor, Admin},
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, JsonFields},
    json::{self, Data},
    state::ApiState,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("Session does not exist")]
    NoSession,
    #[error("No runner holds this session now")]
    NotHeld,
    #[error("There is no such runner")]
    NoRunner,
    #[error("This runner holds the session already")]
    AlreadyThere,
    #[error("This runner takes no sessions")]
    Closed,
    #[error("No other runner takes sessions: start one first")]
    NoOther,
    #[error("The runner that holds the session does not answer, try again later")]
    Unreachable(RequestError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::NoSession => Self::new(StatusCode::NOT_FOUND, "session_not_found", words),
            Error::NotHeld => Self::new(StatusCode::CONFLICT, "session_not_held", words),
            Error::NoRunner => not_found(words),
            Error::AlreadyThere => Self::new(StatusCode::CONFLICT, "already_there", words),
            Error::Closed => Self::new(StatusCode::CONFLICT, "runner_not_accepting", words),
            Error::NoOther => no_other(words),
            Error::Unreachable(cause) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "runner_unreachable", words)
                    .retry_after(Duration::from_secs(1))
                    .caused_by(cause)
            }
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Moves a session to another runner: the one named, or the one with the most room. Nothing is lost, and it is off
/// line for a second or so. Admins only.
#[utoipa::path(
    post, path = "/admin/sessions/{name}/move", tag = "runner", operation_id = "moveSession",
    params(("name" = String, Path, description = "The session's full name", example = "anna_shop")),
    request_body(content = Option<Object>, example = json!({"runner": "run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"})),
    responses(
        (status = 202, description = "It has begun", body = Object,
            example = json!({"data": {"session": "anna_shop", "from": "run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0e",
                "to": "run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"}})),
        (status = 403, description = "You are not an admin", body = ProblemBody,
            example = json!({"message": "Admin access required", "code": "admin_required"})),
        (status = 404, description = "There is no such session or runner", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
        (status = 409, description = "It cannot go there", body = ProblemBody,
            example = json!({"message": "No other runner takes sessions: start one first", "code": "no_other_runner"})),
        (status = 503, description = "Its runner does not answer", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Actor>,
    State(state): State<ApiState>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Error> {
    let Path(name) = name.map_err(|_| Error::NoSession)?;
    let fields = JsonFields::from_request(request, &state).await?.0;
    let wanted = fields.optional_text("runner")?;
    let session = state.database.session_by_name(&name).await?.ok_or(Error::NoSession)?;
    let from = state.database.holder(session.id).await?.ok_or(Error::NotHeld)?;
    let to = target(&state.database.runners().await?, from, wanted.as_deref())?;
    let give = RunnerCommand::Give { sessions: vec![session.id], to: Some(to) };
    command(&state, from, &give).await.map_err(Error::Unreachable)?;
    let (target, detail) = (Some(session.name.clone()), Some(format!("to {to}")));
    audit::note_detail(&state, &caller, AuditAction::SessionMoved, target, detail).await;
    let body = json!({"session": session.name, "from": from, "to": to});
    Ok(json::answer(StatusCode::ACCEPTED, &Data { data: body }))
}

/// Where it goes.
fn target(runners: &[Runner], from: RunnerId, wanted: Option<&str>) -> Result<RunnerId, Error> {
    let Some(wanted) = wanted else {
        let others = runners.iter().filter(|runner| runner.id != from && takes_sessions(runner));
        let roomiest = others.max_by_key(|runner| runner.capacity - runner.sessions);
        return roomiest.map(|runner| runner.id).ok_or(Error::NoOther);
    };
    let wanted: RunnerId = wanted.parse().map_err(|_| Error::NoRunner)?;
    let runner = runners.iter().find(|runner| runner.id == wanted).ok_or(Error::NoRunner)?;
    if wanted == from {
        return Err(Error::AlreadyThere);
    }
    if takes_sessions(runner) { Ok(wanted) } else { Err(Error::Closed) }
}

#[cfg(test)]
mod tests {
    use bus::{
        Server,
        messages::{RunnerCommand, RunnerReply},
        subjects,
    };
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn its_runner_is_told_where_to_give_it() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let id = rig.database.session_by_name("shop").await.unwrap().unwrap().id;
        let from = rig.idle_runner("from").await;
        rig.database.claim_sessions(from, 1).await.unwrap();
        let url = "/admin/sessions/shop/move";
        rig.post(url, &json!({})).send().await.fails(
            409,
            "no_other_runner",
            "No other runner takes sessions: start one first",
        );
        let to = rig.idle_runner("to").await;
        let nobody = rig.post(url, &json!({})).send().await;
        assert_eq!((nobody.status, nobody.code().as_str()), (503, "runner_unreachable"));
        let mut server: Server<RunnerCommand> = rig.bus.serve(&subjects::runner(from), 1).await.unwrap();
        for body in [json!({}), json!({"runner": to})] {
            let told = async {
                let request = server.next().await.unwrap();
                assert_eq!(request.command, RunnerCommand::Give { sessions: vec![id], to: Some(to) });
                request.reply.send(&RunnerReply::Begun);
            };
            let (answer, ()) = tokio::join!(rig.post(url, &body).send(), told);
            answer.is(202, &format!(r#"{{"data":{{"from":"{from}","session":"shop","to":"{to}"}}}}"#));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_moved_is_said() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("shop").await;
        let url = "/admin/sessions/shop/move";
        rig.post(url, &json!({})).by(&anna).send().await.fails(
            403,
            "admin_required",
            "Admin access required",
        );
        rig.post(url, &json!({})).send().await.fails(
            409,
            "session_not_held",
            "No runner holds this session now",
        );
        let from = rig.idle_runner("from").await;
        rig.database.claim_sessions(from, 1).await.unwrap();
        let closed = rig.idle_runner("closed").await;
        rig.database.stop_accepting(closed).await.unwrap();
        let cases = [
            (json!({"runner": from}), 409, "already_there"),
            (json!({"runner": closed}), 409, "runner_not_accepting"),
            (json!({"runner": "nothing"}), 404, "runner_not_found"),
            (json!({"runner": 5}), 400, "invalid_field"),
            (json!([]), 400, "invalid_body"),
        ];
        for (body, status, code) in cases {
            let answer = rig.post(url, &body).send().await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
        }
        for name in ["nothing", "%ff", "a%2Fb"] {
            let answer = rig.post(&format!("/admin/sessions/{name}/move"), &json!({})).send().await;
            answer.fails(404, "session_not_found", "Session does not exist");
        }
    }
}
