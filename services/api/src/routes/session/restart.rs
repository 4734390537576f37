//! `POST /session/{name}/restart`: a new connection, or a new code to scan.

use axum::{extract::State, response::Response};
use storage::Started;

use crate::{
    access::{self, LookupError, PathName},
    announce,
    auth::Actor,
    error::ProblemBody,
    json,
    routes::session::get::SessionBody,
    state::ApiState,
    stopping,
};

/// What the session's history says.
const REASON: &str = "restarted through the API";

/// Stops a session and starts it again. Answers at once: follow it at `GET /session/{name}`.
#[utoipa::path(
    post, path = "/session/{name}/restart", tag = "session", operation_id = "restartSession",
    params(("name" = String, Path, description = "The session", example = "shop")),
    responses(
        (status = 200, description = "It is on its way; the session, as `data`", body = SessionBody,
            example = json!({"data": {"name": "shop", "state": "connecting", "connected": false,
            "reason": "started", "since": "2026-11-22T19:36:11.5Z", "number": "628110000001",
            "credentials_present": true, "wanted": true, "needs_person": false, "needs_passkey": false,
            "qr_available": false, "last_message_at": null, "disconnected_since": "2026-11-22T19:36:11.5Z",
            "created_at": "2026-11-22T19:30:00Z"}})),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    name: PathName,
) -> Result<Response, LookupError> {
    let session = access::visible(&state.database, &caller, name).await?;
    if !stopping::stop(&state, &session, REASON).await? {
        return Err(LookupError::NoSession);
    }
    let started = match state.database.start_session(session.user, &session.name).await? {
        Started::Session(started) => started,
        // Since it was looked up: removed, and taken by somebody else, or its user was.
        Started::Taken | Started::NoUser => return Err(LookupError::NoSession),
    };
    announce::session_started(&state.bus, started.id);
    announce::events_stored(&state.bus, started.user);
    Ok(json::data(SessionBody::of(&started, state.clock.now())))
}

#[cfg(test)]
mod tests {
    use bus::messages::SessionCommand;
    use domain::session::SessionState;
    use serde_json::json;

    use crate::testing::{Rig, until};

    #[tokio::test]
    async fn it_stops_and_comes_back() {
        let rig = Rig::new().await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let answer = rig.post("/session/shop/restart", &json!({})).send().await;
        assert_eq!(answer.json()["data"]["state"], "connecting", "{}", answer.body);
        assert_eq!(runner.heard(), [SessionCommand::Stop]);
        until("the session is back", async || {
            rig.get("/session/shop").send().await.json()["data"]["state"] == "connected"
        })
        .await;
        let events = rig.get("/session/shop/events").send().await.json();
        let states: Vec<_> =
            events["data"]["events"].as_array().unwrap().iter().map(|e| &e["state"]).collect();
        assert_eq!(states, ["connected", "connecting", "stopped", "connected", "connecting"]);
    }

    #[tokio::test]
    async fn one_that_gave_up_tries_again() {
        let rig = Rig::new().await;
        let _runner = rig.runner().ends_as(SessionState::Banned, "for a day").start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let answer = rig.post("/session/shop/restart", &json!({})).send().await;
        assert_eq!(answer.json()["data"]["state"], "connecting", "{}", answer.body);
    }

    #[tokio::test]
    async fn what_is_not_yours_is_not_there() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let anna = rig.user("anna").await;
        for name in ["shop", "nothing", "%ff"] {
            let answer = rig.post(&format!("/session/{name}/restart"), &json!({})).by(&anna).send().await;
            answer.fails(404, "session_not_found", "Session does not exist");
        }
        assert!(rig.database.session_by_name("anna_nothing").await.unwrap().is_none());
    }
}
