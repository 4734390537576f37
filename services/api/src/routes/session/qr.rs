//! `GET /session/{name}/qr`: what to scan now, as JSON, raw text or an image; the page of `GET /session/start` asks
//! for it.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::{
    Timestamp,
    session::{Session, SessionState},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, LookupError, PathName},
    auth::Caller,
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, QueryFields},
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

impl<'a> Pairing<'a> {
    pub(super) fn of(session: &'a Session, now: Timestamp) -> Self {
        let code = pairing::valid_code(session, now);
        Self {
            session: &session.name,
            state: session.state,
            connected: session.connected(),
            waiting: code.is_none() && session.state.runs() && !session.connected(),
            reason: session.reason.as_deref(),
            qr: code.map(|code| &*code.text),
            image: code.and_then(|code| pairing::data_url(&code.text)),
            expires_at: code.map(|code| code.expires_at.to_rfc3339()),
        }
    }
}

/// In what form the code is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Text,
    Png,
    Svg,
}

impl Format {
    const ALL: [Self; 4] = [Self::Json, Self::Text, Self::Png, Self::Svg];

    const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }

    /// The code in this form; `None` when it is too long for an image.
    fn render(self, code: &str) -> Option<Body> {
        match self {
            Self::Json | Self::Text => Some(code.to_owned().into()),
            Self::Png => pairing::png(code).map(Body::from),
            Self::Svg => pairing::svg(code).map(Body::from),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error("There is nothing to scan: the session is {state}")]
    NothingToScan { state: SessionState },
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Lookup(error) => error.into(),
            Error::NothingToScan { .. } => Self::new(StatusCode::CONFLICT, "nothing_to_scan", words),
        }
    }
}

answers_as_problem!(Error);

/// What to scan now, and how the linking of a session stands.
#[utoipa::path(
    get, path = "/session/{name}/qr", tag = "session", operation_id = "sessionQr",
    params(
        ("name" = String, Path, description = "The session", example = "shop"),
        ("format" = Option<String>, Query, description = "`json` (how it stands), or the code alone as `text`, \
            `png` or `svg`", example = "json"),
    ),
    responses(
        (status = 200, description = "How it stands; or the code in the form that was asked for", body = Object,
            example = json!({"data": {
            "session": "shop", "state": "pairing", "connected": false, "waiting": false, "reason": null,
            "qr": "2@3xWJ0CBcSGw…", "image": "data:image/png;base64,…", "expires_at": "2026-11-22T19:36:11.5Z"}})),
        (status = 400, description = "There is no such format", body = ProblemBody),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
        (status = 409, description = "Not with `json`: there is no code now", body = ProblemBody,
            example = json!({"message": "There is nothing to scan: the session is connected",
                "code": "nothing_to_scan"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: PathName,
    QueryFields(fields): QueryFields,
) -> Result<Response, Error> {
    let session = access::visible(&state.database, &caller, name).await?;
    let format =
        if fields.has("format") { fields.word("format", &Format::ALL, Format::word)? } else { Format::Json };
    let now = state.clock.now();
    let mut response = match (format, pairing::valid_code(&session, now)) {
        (Format::Json, _) => json::data(Pairing::of(&session, now)),
        (_, None) => return Err(Error::NothingToScan { state: session.state }),
        (format, Some(code)) => {
            let body = format.render(&code.text).ok_or(Error::NothingToScan { state: session.state })?;
            let mut response = Response::new(body);
            let media_type = HeaderValue::from_static(format.media_type());
            response.headers_mut().insert(header::CONTENT_TYPE, media_type);
            response
        }
    };
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

    #[tokio::test]
    async fn the_code_comes_in_other_forms() {
        let rig = Rig::new().await;
        let runner = rig.runner().offers("2@one,two").start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let text = rig.get("/session/shop/qr?format=text").send().await;
        text.is(200, "2@one,two");
        assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
        let svg = rig.get("/session/shop/qr?format=svg").send().await;
        assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"));
        assert!(svg.body.contains("<svg") && !svg.body.contains("<script"), "{}", svg.body);
        let png = rig.get("/session/shop/qr?format=png").bytes().await;
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        rig.get("/session/shop/qr?format=gif").send().await.fails(
            400,
            "invalid_field",
            "Invalid enum value. Expected 'json' | 'text' | 'png' | 'svg', received 'gif' field 'format' on query",
        );
        runner.moves("shop", SessionState::Connected).await;
        rig.get("/session/shop/qr?format=png").send().await.fails(
            409,
            "nothing_to_scan",
            "There is nothing to scan: the session is connected",
        );
    }
}
