//! `POST /session/{name}/stop`: takes a session off line and keeps its link.

use axum::{extract::State, response::Response};
use domain::access::AuditAction;

use crate::{
    access::{self, LookupError, PathName},
    audit,
    auth::Actor,
    error::ProblemBody,
    json,
    routes::session::get::SessionBody,
    state::ApiState,
    stopping,
};

/// What the session's history says.
const REASON: &str = "stopped through the API";

/// Takes a session off line and keeps its link: `POST /session/start` brings it back without a scan.
#[utoipa::path(
    post, path = "/session/{name}/stop", tag = "session", operation_id = "stopSession",
    params(("name" = String, Path, description = "The session", example = "shop")),
    responses(
        (status = 200, description = "It is stopped; the session, as `data`", body = SessionBody,
            example = json!({"data": {"name": "shop", "state": "stopped", "connected": false,
            "reason": "stopped through the API", "since": "2026-11-22T19:36:11.5Z", "number": "628110000001",
            "credentials_present": true, "wanted": false, "needs_person": false, "needs_passkey": false,
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
    stopping::stop(&state, &session, REASON).await?;
    audit::note(&state, &caller, AuditAction::SessionStopped, session.name.clone()).await;
    let stopped = state.database.session(session.id).await?.ok_or(LookupError::NoSession)?;
    Ok(json::data(SessionBody::of(&stopped, state.clock.now())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bus::messages::SessionCommand;
    use serde_json::json;

    use crate::{state::Settings, testing::Rig};

    const STOP: &str = "/session/shop/stop";

    #[tokio::test]
    async fn its_holder_stops_it_and_it_keeps_its_link() {
        let rig = Rig::new().await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let stopped = rig.post(STOP, &json!({})).send().await.json()["data"].clone();
        assert_eq!(
            (&stopped["state"], &stopped["credentials_present"], &stopped["wanted"]),
            (&json!("stopped"), &json!(true), &json!(false))
        );
        assert_eq!(runner.heard(), [SessionCommand::Stop]);
        let again = rig.post("/session/start", &json!({"session": "shop"})).send().await;
        again.is(200, r#"{"data":{"message":"Connected","session":"shop"}}"#);
    }

    #[tokio::test]
    async fn without_a_holder_or_with_one_that_hangs_it_stops_as_well() {
        let rig = Rig::with(Settings { logout_wait: Duration::from_millis(50), ..Settings::default() }).await;
        rig.session("shop").await;
        assert_eq!(rig.post(STOP, &json!({})).send().await.json()["data"]["state"], "stopped");
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        runner.falls_silent();
        let fence = runner.fence("shop");
        let stopped = rig.post(STOP, &json!({})).send().await.json()["data"].clone();
        assert_eq!(
            (&stopped["state"], &stopped["reason"]),
            (&json!("stopped"), &json!("stopped through the API"))
        );
        let late = rig.database.release_session(fence).await;
        assert!(late.is_ok(), "a lost claim changes nothing: {late:?}");
        assert!(rig.database.note_receipts(fence, Vec::new()).await.is_err(), "the claim is lost");
    }

    #[tokio::test]
    async fn others_and_other_sites_stop_nothing() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let anna = rig.user("anna").await;
        rig.post(STOP, &json!({})).by(&anna).send().await.fails(
            404,
            "session_not_found",
            "Session does not exist",
        );
        let forged = rig.post(STOP, &json!({})).header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(forged.status, 403);
        assert!(rig.database.session_by_name("shop").await.unwrap().unwrap().wanted);
    }
}
