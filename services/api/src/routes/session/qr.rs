//! `GET /session/{name}/qr`: what to scan now; the page of `GET /session/start` asks for it.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::session::SessionState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, Named},
    auth::Caller,
    error::{Problem, ProblemBody, answers_as_problem},
    json, pairing,
    state::ApiState,
};

/// How the linking of a session stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pairing<'a> {
    session: &'a str,
    #[schema(value_type = String, example = "pairing")]
    state: SessionState,
    connected: bool,
    /// There is nothing to scan yet, or any more for now, and it is worth asking again.
    waiting: bool,
    /// Why it is in this state.
    reason: Option<&'a str>,
    /// The text of the QR code; null while there is none.
    qr: Option<&'a str>,
    /// The QR code as a `data:` URL of a PNG image.
    image: Option<String>,
    /// Until when it can be scanned.
    #[schema(example = "2026-11-22T19:36:11.5Z")]
    expires_at: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Session does not exist")]
    NotFound,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::new(StatusCode::NOT_FOUND, "session_not_found", error.to_string()),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// What to scan now, and how the linking of a session stands.
#[utoipa::path(
    get, path = "/session/{name}/qr", tag = "session", operation_id = "sessionQr",
    params(("name" = String, Path, description = "The session", example = "shop")),
    responses(
        (status = 200, description = "How it stands", body = Object, example = json!({"data": {
            "session": "shop", "state": "pairing", "connected": false, "waiting": false, "reason": null,
            "qr": "2@3xWJ0CBcSGw…", "image": "data:image/png;base64,…", "expires_at": "2026-11-22T19:36:11.5Z"}})),
        (status = 404, description = "You have no such session", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Error> {
    let Path(name) = name.map_err(|_| Error::NotFound)?;
    let session = match access::named(&state.database, &caller, &name).await? {
        Named::Own(session) => session,
        Named::Foreign | Named::Unknown => return Err(Error::NotFound),
    };
    let code = pairing::valid_code(&session, state.clock.now());
    let mut response = json::data(Pairing {
        session: &session.name,
        state: session.state,
        connected: session.connected(),
        waiting: code.is_none() && session.state.runs() && !session.connected(),
        reason: session.reason.as_deref(),
        qr: code.map(|code| &*code.text),
        image: code.and_then(|code| pairing::data_url(&code.text)),
        expires_at: code.map(|code| code.expires_at.to_rfc3339()),
    });
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn it_follows_the_session_until_it_is_linked() {
        let rig = Rig::new().await;
        let runner = rig.runner().offers("2@one").start().await;
        rig.post("/session/start", &json!({"session": "магазин"})).send().await;
        let url = "/session/%D0%BC%D0%B0%D0%B3%D0%B0%D0%B7%D0%B8%D0%BD/qr";
        let first = rig.get(url).send().await;
        assert_eq!(first.header("cache-control"), "no-store");
        let first = first.json();
        assert_eq!((&first["data"]["qr"], &first["data"]["state"]), (&json!("2@one"), &json!("pairing")));
        assert!(first["data"]["image"].as_str().unwrap().starts_with("data:image/png;base64,"));

        runner.moves("магазин", SessionState::Connecting).await;
        let waiting = rig.get(url).send().await.json();
        assert_eq!((&waiting["data"]["qr"], &waiting["data"]["waiting"]), (&json!(null), &json!(true)));

        runner.moves("магазин", SessionState::Connected).await;
        let linked = rig.get(url).send().await.json();
        assert_eq!((&linked["data"]["connected"], &linked["data"]["waiting"]), (&json!(true), &json!(false)));
    }

    #[tokio::test]
    async fn others_learn_nothing() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let anna = rig.user("anna").await;
        for url in [
            "/session/shop/qr",
            "/session/nothing/qr",
            "/session/%00/qr",
            "/session/a%2Fb/qr",
            "/session/../qr",
        ] {
            let answer = rig.get(url).by(&anna).send().await;
            assert_eq!(answer.status, 404, "{url}");
        }
        let broken = rig.get("/session/%ff/qr").send().await;
        broken.fails(404, "session_not_found", "Session does not exist");
    }
}
