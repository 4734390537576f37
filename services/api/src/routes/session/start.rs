//! `POST /session/start`: links a number, or connects one that is linked.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::{Actor, Caller},
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    json,
    pairing::{self, Begun, Offer, StartError},
    state::ApiState,
};

/// What to start.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop"}))]
pub(crate) struct StartRequest {
    /// A name of your choice; a user's session is kept as `username_name`.
    session: String,
}

impl StartRequest {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self { session: fields.text("session")? })
    }

    /// Starts what the fields ask for, and waits for something to show.
    pub(super) async fn begin(
        state: &ApiState,
        caller: &Caller,
        fields: &Fields,
    ) -> Result<Begun, StartError> {
        pairing::start(state, caller, &Self::read(fields)?.session).await
    }
}

/// To be scanned with the phone. The one answer without a `data` around it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"qr": "2@3xWJ0CBcSGw…", "session": "shop"}))]
struct ToScan<'a> {
    qr: &'a str,
    session: &'a str,
}

#[derive(Serialize, ToSchema)]
struct Connected<'a> {
    message: &'static str,
    session: &'a str,
}

/// Links a number: answers with what to scan, or says that it is connected.
#[utoipa::path(
    post, path = "/session/start", tag = "session", operation_id = "startSession",
    request_body = StartRequest,
    responses(
        (status = 200, description = "What to scan; or, without a need to scan, that it is connected", body = Object,
            examples(
                ("To scan" = (value = json!({"qr": "2@3xWJ0CBcSGw…", "session": "shop"}))),
                ("Connected" = (value = json!({"data": {"message": "Connected", "session": "shop"}}))),
            )),
        (status = 400, description = "It is connected already, or the name cannot be one", body = ProblemBody,
            example = json!({"message": "Session already exist", "code": "session_exists"})),
        (status = 403, description = "It is another user's", body = ProblemBody),
        (status = 503, description = "It cannot be linked now; the code is its state", body = ProblemBody),
        (status = 504, description = "There was nothing to scan in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, StartError> {
    let Begun { session, offer } = StartRequest::begin(&state, &caller, &fields).await?;
    Ok(match offer {
        Offer::Code(code) => json::answer(StatusCode::OK, &ToScan { qr: &code.text, session: &session }),
        Offer::Connected => connected(&session),
    })
}

/// The answer for a session that needs no scan.
pub(super) fn connected(session: &str) -> Response {
    json::data(Connected { message: "Connected", session })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::session::SessionState;
    use serde_json::json;

    use crate::{state::Settings, testing::Rig};

    const START: &str = "/session/start";

    #[tokio::test]
    async fn a_new_session_is_to_be_scanned_and_then_exists() {
        let rig = Rig::new().await;
        let runner = rig.runner().offers("2@code,1").start().await;
        let body = json!({"session": "shop", "extra": 1});
        rig.post(START, &body).send().await.is(200, r#"{"qr":"2@code,1","session":"shop"}"#);
        rig.post(START, &body).send().await.is(200, r#"{"qr":"2@code,1","session":"shop"}"#);
        runner.moves("shop", SessionState::Connected).await;
        rig.post(START, &body).send().await.fails(400, "session_exists", "Session already exist");
    }

    #[tokio::test]
    async fn one_that_is_linked_connects_without_a_scan() {
        let rig = Rig::new().await;
        let _runner = rig.runner().connects().start().await;
        let answer = rig.post(START, &json!({"session": "shop"})).send().await;
        answer.is(200, r#"{"data":{"message":"Connected","session":"shop"}}"#);
    }

    #[tokio::test]
    async fn a_users_session_carries_the_users_name_once() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let _runner = rig.runner().offers("2@x").start().await;
        for (given, full) in
            [("shop", "anna_shop"), ("anna_shop", "anna_shop"), ("anna", "anna"), ("店 1", "anna_店 1")]
        {
            let answer = rig.post(START, &json!({"session": given})).by(&anna).send().await;
            assert_eq!(answer.json(), json!({"qr": "2@x", "session": full}));
        }
    }

    #[tokio::test]
    async fn names_that_belong_to_others_are_refused_and_an_admin_may_start_them() {
        let rig = Rig::new().await;
        let (anna, other) = (rig.user("anna").await, rig.user("anna_b").await);
        rig.session_of(&other, "anna_b_c").await;
        let _runner = rig.runner().offers("2@x").start().await;
        let answer = rig.post(START, &json!({"session": "b_c"})).by(&anna).send().await;
        answer.fails(403, "not_your_session", "You can only use your own sessions");
        assert_eq!(rig.post(START, &json!({"session": "anna_b_c"})).send().await.status, 200);
        let row = rig.database.session_by_name("anna_b_c").await.unwrap().unwrap();
        assert_eq!(row.user, other.id, "it stays theirs");
    }

    #[tokio::test]
    async fn bad_input_is_named() {
        let rig = Rig::new().await;
        let long = "x".repeat(129);
        let table = [
            (json!({}), "Required field 'session' on json"),
            (json!({"session": 1}), "Expected string, received number field 'session' on json"),
            (json!({"session": null}), "Expected string, received null field 'session' on json"),
            (json!([]), "Expected object, received array on json"),
            (json!({"session": ""}), "Invalid session name: a session needs a name"),
            (json!({"session": long}), "Invalid session name: a session name has at most 128 characters"),
        ];
        for (body, words) in table {
            let answer = rig.post(START, &body).send().await;
            assert_eq!((answer.status, answer.message()), (400, words.to_owned()), "{body}");
        }
        for name in ["a/b", "..", "a\\b", "a\u{0}b", "a\nb", "\u{202e}x"] {
            let answer = rig.post(START, &json!({"session": name})).send().await;
            assert_eq!((answer.status, answer.code()), (400, "invalid_session_name".to_owned()), "{name:?}");
        }
        assert!(rig.database.session_names(None).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_needs_a_person_or_too_long_is_said_with_its_reason() {
        let rig = Rig::new().await;
        let _runner = rig.runner().ends_as(SessionState::Banned, "for 24 hours").start().await;
        let answer = rig.post(START, &json!({"session": "shop"})).send().await;
        answer.fails(503, "banned", "The session cannot be linked now: it is banned (for 24 hours)");

        let start_wait = Duration::from_millis(50);
        let rig = Rig::with(Settings { start_wait, ..Settings::default() }).await;
        let answer = rig.post(START, &json!({"session": "shop"})).send().await;
        answer.fails(
            504,
            "start_timeout",
            "There was nothing to scan within 0 s: it is connecting (started)",
        );

        let rig = Rig::new().await;
        rig.shutdown.cancel();
        let answer = rig.post(START, &json!({"session": "shop"})).send().await;
        assert_eq!((answer.status, answer.code()), (503, "stopping".to_owned()));
    }
}
