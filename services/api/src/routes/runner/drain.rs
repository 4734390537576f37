//! `POST /admin/runners/{id}/drain`: a runner gives its sessions to the others, before it is stopped.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use bus::messages::RunnerCommand;
use domain::{RunnerId, access::AuditAction};
use serde_json::json;

use super::{command, no_other, not_found, takes_sessions};
use crate::{
    audit,
    auth::{Actor, Admin},
    error::{Problem, ProblemBody, answers_as_problem},
    json::{self, Data},
    state::ApiState,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("There is no such runner")]
    NotFound,
    #[error("No other runner takes sessions: start one first")]
    NoOther,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => not_found(error),
            Error::NoOther => no_other(error),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Makes a runner give up its sessions, some at a time; others take them over within a second or so. It takes none
/// until it is started again. Admins only.
#[utoipa::path(
    post, path = "/admin/runners/{id}/drain", tag = "runner", operation_id = "drainRunner",
    params(("id" = String, Path, description = "Its id", example = "run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 202, description = "It has begun; `GET /admin/runners` shows how far it is", body = Object,
            example = json!({"data": {"id": "run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "draining": true, "sessions": 812}})),
        (status = 403, description = "You are not an admin", body = ProblemBody,
            example = json!({"message": "Admin access required", "code": "admin_required"})),
        (status = 404, description = "There is no such runner", body = ProblemBody,
            example = json!({"message": "There is no such runner", "code": "runner_not_found"})),
        (status = 409, description = "Its sessions could go nowhere", body = ProblemBody,
            example = json!({"message": "No other runner takes sessions: start one first", "code": "no_other_runner"})),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Actor>,
    State(state): State<ApiState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Error> {
    let Path(id) = id.map_err(|_| Error::NotFound)?;
    let id: RunnerId = id.parse().map_err(|_| Error::NotFound)?;
    let runners = state.database.runners().await?;
    let runner = runners.iter().find(|runner| runner.id == id).ok_or(Error::NotFound)?;
    if !runners.iter().any(|other| other.id != id && takes_sessions(other)) {
        return Err(Error::NoOther);
    }
    // The row is the order; the command only makes it heard at once.
    state.database.stop_accepting(id).await?;
    if let Err(error) = command(&state, id, &RunnerCommand::Drain).await {
        tracing::info!(runner.id = %id, %error, "a runner will read that it is to drain");
    }
    let target = format!("{} ({id})", runner.name);
    audit::note(&state, &caller, AuditAction::RunnerDrained, target).await;
    let body = json!({"id": id, "draining": true, "sessions": runner.sessions});
    Ok(json::answer(StatusCode::ACCEPTED, &Data { data: body }))
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
    async fn the_runner_is_told_and_the_row_says_so() {
        let rig = Rig::new().await;
        let (one, _other) = (rig.idle_runner("one").await, rig.idle_runner("other").await);
        let mut server: Server<RunnerCommand> = rig.bus.serve(&subjects::runner(one), 1).await.unwrap();
        let url = format!("/admin/runners/{one}/drain");
        let told = async {
            let request = server.next().await.unwrap();
            assert_eq!(request.command, RunnerCommand::Drain);
            request.reply.send(&RunnerReply::Begun);
        };
        let (answer, ()) = tokio::join!(rig.post(&url, &json!({})).send(), told);
        answer.is(202, &format!(r#"{{"data":{{"draining":true,"id":"{one}","sessions":0}}}}"#));
        let list = rig.get("/admin/runners").send().await.json();
        assert_eq!(list["data"][0]["draining"], json!(true));
    }

    #[tokio::test]
    async fn a_runner_that_does_not_listen_reads_it() {
        let rig = Rig::new().await;
        let (one, _other) = (rig.idle_runner("one").await, rig.idle_runner("other").await);
        assert_eq!(rig.post(&format!("/admin/runners/{one}/drain"), &json!({})).send().await.status, 202);
        assert!(
            rig.database.runners().await.unwrap().iter().any(|runner| runner.id == one && !runner.accepting)
        );
    }

    #[tokio::test]
    async fn what_cannot_be_drained_is_said() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let only = rig.idle_runner("only").await;
        let url = format!("/admin/runners/{only}/drain");
        let answer = rig.post(&url, &json!({})).send().await;
        answer.fails(409, "no_other_runner", "No other runner takes sessions: start one first");
        rig.post(&url, &json!({})).by(&anna).send().await.fails(
            403,
            "admin_required",
            "Admin access required",
        );
        let forged = rig.post(&url, &json!({})).header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(forged.code(), "cross_site");
        for id in
            ["run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "nothing", "%ff", "ses_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"]
        {
            let answer = rig.post(&format!("/admin/runners/{id}/drain"), &json!({})).send().await;
            answer.fails(404, "runner_not_found", "There is no such runner");
        }
    }
}
