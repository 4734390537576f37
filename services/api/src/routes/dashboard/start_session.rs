//! `POST /dashboard/start-session`: links the caller's own session.

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::account;
use crate::{
    auth::Actor,
    error::{Problem, ProblemBody},
    json,
    pairing::{self, Begun, Offer, StartError},
    state::ApiState,
};

/// To be scanned with the phone.
#[derive(Serialize, ToSchema)]
struct ToScan<'a> {
    /// A `data:` URL of a PNG image.
    qr: String,
    session_name: &'a str,
}

#[derive(Serialize, ToSchema)]
struct Connected<'a> {
    message: &'static str,
    session_name: &'a str,
}

/// Links your session: answers with an image of what to scan, or says that it is connected.
#[utoipa::path(
    post, path = "/dashboard/start-session", tag = "dashboard", operation_id = "startOwnSession",
    responses(
        (status = 200, description = "What to scan; or, without a need to scan, that it is connected", body = Object,
            examples(
                ("To scan" = (value = json!({"data": {"qr": "data:image/png;base64,iVBORw0KGgo…",
                    "session_name": "anna"}}))),
                ("Connected" = (value = json!({"data": {"message": "Session is connected",
                    "session_name": "anna"}}))),
            )),
        (status = 403, description = "Another user has a session of that name", body = ProblemBody),
        (status = 503, description = "It cannot be linked now; the code is its state", body = ProblemBody),
        (status = 504, description = "There was nothing to scan in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(caller: Actor, State(state): State<ApiState>) -> Result<Response, Problem> {
    let account = account(&state, &caller).await?;
    let session_name = &*account.session_name;
    match pairing::start(&state, &caller, session_name).await {
        Ok(Begun { offer: Offer::Code(code), .. }) => {
            let qr = pairing::data_url(&code.text)
                .ok_or_else(|| Problem::internal("a pairing code does not fit into a QR code"))?;
            Ok(json::data(ToScan { qr, session_name }))
        }
        Ok(Begun { offer: Offer::Connected, .. }) | Err(StartError::Exists) => {
            Ok(json::data(Connected { message: "Session is connected", session_name }))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::json;

    use crate::testing::Rig;

    const START: &str = "/dashboard/start-session";

    #[tokio::test]
    async fn it_is_to_be_scanned_and_then_connected() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().offers("2@code").start().await;
        let data = rig.request("POST", START).by(&anna).send().await.json()["data"].clone();
        assert!(data["qr"].as_str().unwrap().starts_with("data:image/png;base64,"));
        assert_eq!(data["session_name"], "anna");
        rig.get("/session").by(&anna).send().await.is(200, r#"{"data":["anna"]}"#);
        runner.moves("anna", SessionState::Connected).await;
        let answer = rig.request("POST", START).by(&anna).send().await;
        answer.is(200, r#"{"data":{"message":"Session is connected","session_name":"anna"}}"#);
    }

    #[tokio::test]
    async fn it_has_the_name_that_was_set_behind_the_users() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let _runner = rig.runner().connects().start().await;
        for user in [&anna, &bob] {
            let url = format!("/admin/users/{}/session-config", user.id);
            rig.put(&url, &json!({"session_name": "shop"})).send().await;
            let answer = rig.request("POST", START).by(user).send().await;
            answer.is(200, r#"{"data":{"message":"Session is connected","session_name":"shop"}}"#);
        }
        rig.get("/session").send().await.is(200, r#"{"data":["anna_shop","bob_shop"]}"#);
    }

    #[tokio::test]
    async fn what_is_in_the_way_is_said() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let _runner = rig.runner().ends_as(SessionState::Banned, "for 24 hours").start().await;
        let answer = rig.request("POST", START).by(&anna).send().await;
        answer.fails(503, "banned", "The session cannot be linked now: it is banned (for 24 hours)");
        let bob = rig.user("bob").await;
        rig.session("bob").await;
        let answer = rig.request("POST", START).by(&bob).send().await;
        answer.fails(403, "not_your_session", "You can only use your own sessions");
    }
}
