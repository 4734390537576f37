//! `POST /session/{name}/pair-code`: links a number with a code that is typed on the phone instead of a scan.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use bus::messages::{SessionCommand, SessionReply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::PathName,
    asking::{self, AskError},
    auth::Actor,
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Fields, Invalid, JsonFields},
    json,
    pairing::{self, Offer, StartError},
    state::ApiState,
};

/// How long WhatsApp may take to give a code.
pub(crate) const WAIT: Duration = Duration::from_secs(40);

/// How many digits a phone number has, the country code included.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Whose phone it is.
#[derive(ToSchema)]
#[schema(example = json!({"phone": "+62 811-0000-001"}))]
pub(crate) struct PairRequest {
    /// The phone number with its country code.
    phone: String,
}

impl PairRequest {
    fn read(fields: &Fields) -> Result<Self, Error> {
        Ok(Self { phone: digits(&fields.text("phone")?).ok_or(Error::InvalidPhone)? })
    }
}

/// The digits of a phone number in international form.
pub(crate) fn digits(phone: &str) -> Option<String> {
    let rest: String = phone.chars().filter(|c| !c.is_whitespace() && !"+-().".contains(*c)).collect();
    let international = rest.bytes().all(|b| b.is_ascii_digit()) && !rest.starts_with('0');
    (international && DIGITS.contains(&rest.len())).then_some(rest)
}

/// What to type on the phone.
#[derive(Serialize, ToSchema)]
struct Pairing<'a> {
    session: &'a str,
    phone: &'a str,
    /// Eight characters; on the phone: linked devices, link a device, link with phone number.
    code: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("'phone' is not a phone number with its country code")]
    InvalidPhone,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Start(invalid.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidPhone => Self::new(StatusCode::BAD_REQUEST, "invalid_phone", error.to_string()),
            Error::Start(error) => error.into(),
            Error::Ask(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Links a number with a code that is typed on the phone. Starts the session when it is not running.
#[utoipa::path(
    post, path = "/session/{name}/pair-code", tag = "session", operation_id = "pairSessionWithCode",
    params(("name" = String, Path, description = "A name of your choice", example = "shop")),
    request_body = PairRequest,
    responses(
        (status = 200, description = "What to type on the phone", body = Object, example = json!({"data":
            {"session": "shop", "phone": "628110000001", "code": "AB2C-D3EF"}})),
        (status = 400, description = "Not a phone number; or the session is connected already", body = ProblemBody,
            examples(
                ("Phone" = (value = json!({"message": "'phone' is not a phone number with its country code",
                    "code": "invalid_phone"}))),
                ("Connected" = (value = json!({"message": "Session already exist", "code": "session_exists"}))),
            )),
        (status = 403, description = "It is another user's", body = ProblemBody),
        (status = 502, description = "WhatsApp gives no code, also to those who ask too often", body = ProblemBody,
            example = json!({"message": "WhatsApp refused: bad-request", "code": "refused"})),
        (status = 503, description = "It cannot be linked now", body = ProblemBody),
        (status = 504, description = "WhatsApp did not answer in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    name: PathName,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let request = PairRequest::read(&fields)?;
    let name = name.map_or_else(|_| String::new(), |Path(name)| name);
    let begun = pairing::start(&state, &caller, &name).await?;
    if matches!(begun.offer, Offer::Connected) {
        return Err(StartError::Exists.into());
    }
    let session = state.database.session_by_name(&begun.session).await.map_err(StartError::from)?;
    let session = session.ok_or(StartError::Removed)?;
    let command = SessionCommand::PairWithCode { phone: request.phone.clone() };
    match asking::ask(&state, &session, &command, WAIT).await? {
        SessionReply::PairingCode { code } => {
            Ok(json::data(Pairing { session: &session.name, phone: &request.phone, code: &code }))
        }
        other => Err(asking::unexpected(&session, &other).into()),
    }
}

#[cfg(test)]
mod tests {
    use bus::messages::SessionCommand;
    use domain::session::SessionState;
    use serde_json::json;

    use super::*;
    use crate::{state::Settings, testing::Rig};

    const PAIR: &str = "/session/shop/pair-code";

    #[tokio::test]
    async fn the_holder_is_asked_for_a_code() {
        let rig = Rig::new().await;
        let runner = rig.runner().offers("2@x").start().await;
        let answer = rig.post(PAIR, &json!({"phone": "+62 (811) 0000-001"})).send().await;
        answer.is(200, r#"{"data":{"session":"shop","phone":"628110000001","code":"AAAA-BBBB"}}"#);
        assert_eq!(runner.heard(), [SessionCommand::PairWithCode { phone: "628110000001".into() }]);
        runner.refuses("bad-request");
        let refused = rig.post(PAIR, &json!({"phone": "628110000001"})).send().await;
        refused.fails(502, "refused", "WhatsApp refused: bad-request");
        runner.moves("shop", SessionState::Connected).await;
        let linked = rig.post(PAIR, &json!({"phone": "628110000001"})).send().await;
        linked.fails(400, "session_exists", "Session already exist");
    }

    #[tokio::test]
    async fn bad_input_starts_nothing() {
        let rig = Rig::with(Settings { start_wait: Duration::from_millis(50), ..Settings::default() }).await;
        let anna = rig.user("anna").await;
        for phone in ["", "1", "08110000001", "62811x", "6281100000011234567", "٦٢٨١١٠٠٠٠"] {
            let answer = rig.post(PAIR, &json!({"phone": phone})).send().await;
            answer.fails(400, "invalid_phone", "'phone' is not a phone number with its country code");
        }
        rig.post(PAIR, &json!({})).send().await.fails(400, "invalid_field", "Required field 'phone' on json");
        let broken = rig.post("/session/%ff/pair-code", &json!({"phone": "628110000001"})).send().await;
        assert_eq!((broken.status, broken.code().as_str()), (400, "invalid_session_name"));
        assert!(rig.database.session_names(None).await.unwrap().is_empty());
        rig.session("shop").await;
        let foreign = rig.post("/session/shop/pair-code", &json!({"phone": "628110000001"})).by(&anna);
        // A user's name for a session carries the user's own: this would be another session, `anna_shop`.
        assert_ne!(foreign.send().await.status, 200);
        assert!(rig.database.session_by_name("shop").await.unwrap().unwrap().wanted);
    }

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(digits("+49 (170) 123-45.67").as_deref(), Some("491701234567"));
        assert_eq!(digits("0049170"), None);
    }
}
