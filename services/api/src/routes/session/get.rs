//! `GET /session/{name}`: how a session is.

use axum::{extract::State, response::Response};
use domain::{
    Timestamp,
    session::{Session, SessionState},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, LookupError, PathName},
    auth::Caller,
    error::ProblemBody,
    json, pairing,
    state::ApiState,
};

/// A session.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub(crate) struct SessionBody<'a> {
    #[schema(example = "shop")]
    name: &'a str,
    /// `stopped`, `pairing`, `connecting`, `connected`, `reconnecting`, `logged_out`, `replaced`, `banned`, `outdated`
    /// or `needs_passkey`.
    #[schema(value_type = String, example = "connected")]
    state: SessionState,
    connected: bool,
    /// Why it is in this state.
    reason: Option<&'a str>,
    /// Since when it is in this state.
    #[schema(example = "2026-11-22T19:36:11.5Z")]
    since: String,
    /// The linked phone number, digits only.
    #[schema(example = "628110000001")]
    number: Option<&'a str>,
    /// It is linked: it connects without a scan.
    credentials_present: bool,
    /// It is to run; false once it was stopped.
    wanted: bool,
    /// Waiting does not help: a person must act, most often with the phone.
    needs_person: bool,
    /// The person must confirm the link with the passkey on the phone.
    needs_passkey: bool,
    /// There is a code to scan at `GET /session/{name}/qr`.
    qr_available: bool,
    /// When the last message came in or went out.
    last_message_at: Option<String>,
    disconnected_since: Option<String>,
    created_at: String,
}

impl<'a> SessionBody<'a> {
    pub(super) fn of(session: &'a Session, now: Timestamp) -> Self {
        Self {
            name: &session.name,
            state: session.state,
            connected: session.connected(),
            reason: session.reason.as_deref(),
            since: session.since.to_rfc3339(),
            number: session.phone.as_deref(),
            credentials_present: session.credentials_present,
            wanted: session.wanted,
            needs_person: session.state.needs_person(),
            needs_passkey: session.state == SessionState::NeedsPasskey,
            qr_available: pairing::valid_code(session, now).is_some(),
            last_message_at: session.last_message_at.map(Timestamp::to_rfc3339),
            disconnected_since: session.disconnected_since.map(Timestamp::to_rfc3339),
            created_at: session.created_at.to_rfc3339(),
        }
    }
}

/// How a session is.
#[utoipa::path(
    get, path = "/session/{name}", tag = "session", operation_id = "getSession",
    params(("name" = String, Path, description = "The session", example = "shop")),
    responses(
        (status = 200, description = "The session, as `data`", body = SessionBody, example = json!({"data": {
            "name": "shop", "state": "connected", "connected": true, "reason": null,
            "since": "2026-11-22T19:36:11.5Z", "number": "628110000001", "credentials_present": true,
            "wanted": true, "needs_person": false, "needs_passkey": false, "qr_available": false,
            "last_message_at": "2026-11-22T20:01:00Z", "disconnected_since": null,
            "created_at": "2026-11-22T19:30:00Z"}})),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: PathName,
) -> Result<Response, LookupError> {
    let session = access::visible(&state.database, &caller, name).await?;
    Ok(json::data(SessionBody::of(&session, state.clock.now())))
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn it_says_how_the_session_is_and_whether_a_person_is_needed() {
        let rig = Rig::new().await;
        let runner = rig.runner().offers("2@x").start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let now = rig.now().to_rfc3339();
        let pairing = rig.get("/session/shop").send().await.json()["data"].clone();
        assert_eq!(
            pairing,
            json!({
                "name": "shop", "state": "pairing", "connected": false, "reason": null, "since": now,
                "number": null, "credentials_present": false, "wanted": true, "needs_person": true,
                "needs_passkey": false, "qr_available": true, "last_message_at": null,
                "disconnected_since": now, "created_at": now
            })
        );
        runner.moves("shop", SessionState::NeedsPasskey).await;
        let asked = rig.get("/session/shop").send().await.json()["data"].clone();
        assert_eq!((&asked["needs_passkey"], &asked["qr_available"]), (&json!(true), &json!(false)));
        runner.moves("shop", SessionState::Connected).await;
        let up = rig.get("/session/shop").send().await.json()["data"].clone();
        assert_eq!(
            (&up["connected"], &up["number"], &up["disconnected_since"]),
            (&json!(true), &json!("49170"), &json!(null))
        );
    }

    #[tokio::test]
    async fn what_is_not_yours_is_not_there() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("shop").await;
        rig.session_of(&anna, "anna_shop").await;
        for name in ["anna_shop", "shop"] {
            let own = rig.get(&format!("/session/{name}")).by(&anna).send().await;
            assert_eq!(own.json()["data"]["name"], "anna_shop");
        }
        let bob = rig.user("bob").await;
        for name in ["shop", "anna_shop", "nothing", "a%2Fb", "%00", "%ff", "%E5%BA%97"] {
            let answer = rig.get(&format!("/session/{name}")).by(&bob).send().await;
            answer.fails(404, "session_not_found", "Session does not exist");
        }
    }
}
