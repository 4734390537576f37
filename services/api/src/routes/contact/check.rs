//! `POST /contact/check`: which phone numbers WhatsApp knows.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::session::SessionState;
use futures::{StreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, AccessError},
    auth::Actor,
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Fields, Invalid, JsonFields},
    json,
    sending::Checked,
    state::ApiState,
};

/// Numbers in one request.
const MOST: usize = 50;

/// Numbers that are asked about at the same time.
const AT_ONCE: usize = 8;

/// How many digits a phone number has, the country code included.
const DIGITS: std::ops::RangeInclusive<usize> = 5..=15;

/// When a check that had no answer may go better.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Which numbers to look up: `number`, or `numbers`.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "numbers": ["628123456789", "+1 555 0100"]}))]
pub(crate) struct CheckNumbers {
    /// The session that asks.
    session: String,
    /// Phone numbers with their country codes, 1 to 50.
    #[schema(max_items = 50)]
    numbers: Vec<String>,
}

impl CheckNumbers {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        let session = fields.text("session")?;
        let numbers = if fields.has("numbers") {
            fields.texts("numbers", 1..=MOST)?
        } else {
            vec![fields.text("number")?]
        };
        Ok(Self { session, numbers })
    }
}

/// Whether WhatsApp knows a number.
#[derive(Serialize, ToSchema)]
struct Answer<'a> {
    /// As it was asked for.
    number: &'a str,
    exists: bool,
    /// Its JID, which in some countries is not the number as people write it.
    jid: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("Not a phone number with its country code: {given}")]
    InvalidNumber { given: String },
    #[error("The session is not connected: it is {state}")]
    NotConnected { state: SessionState },
    #[error("WhatsApp did not answer in time")]
    NoAnswer,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Access(denied) => denied.into(),
            Error::InvalidNumber { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid_number", words),
            Error::NotConnected { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "session_not_connected", words)
                    .retry_after(TRY_AGAIN)
            }
            // What was answered is remembered: asking again gets further.
            Error::NoAnswer => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, "no_answer", words).retry_after(TRY_AGAIN)
            }
        }
    }
}

answers_as_problem!(Error);

/// Which phone numbers WhatsApp knows. Answers are remembered: a yes for a day, a no for minutes.
#[utoipa::path(
    post, path = "/contact/check", tag = "contact", operation_id = "checkNumbers",
    request_body(content = CheckNumbers, examples(
        ("Several" = (value = json!({"session": "shop", "numbers": ["628123456789", "+1 555 0100"]}))),
        ("One" = (value = json!({"session": "shop", "number": "628123456789"}))),
    )),
    responses(
        (status = 200, description = "One entry for each number, in the same order; also for a single one",
            body = Object, example = json!({"data": [
                {"number": "628123456789", "exists": true, "jid": "628123456789@s.whatsapp.net"},
                {"number": "+1 555 0100", "exists": false, "jid": null}]})),
        (status = 400, description = "Not numbers, or too many", body = ProblemBody,
            example = json!({"message": "Not a phone number with its country code: abc", "code": "invalid_number"})),
        (status = 403, description = "It is another user's session", body = ProblemBody),
        (status = 503, description = "The session is not connected", body = ProblemBody),
        (status = 504, description = "WhatsApp did not answer in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let request = CheckNumbers::read(&fields)?;
    let session = access::own(&state.database, &caller, &request.session).await?;
    let phones: Vec<_> = request.numbers.iter().map(|given| digits(given)).collect::<Result<_, _>>()?;
    if !session.connected() {
        return Err(Error::NotConnected { state: session.state });
    }
    let wait = state.settings.check_wait;
    let checks: Vec<_> =
        phones.iter().map(|phone| state.numbers.check(&state.bus, session.id, phone, wait)).collect();
    let checked: Vec<_> = stream::iter(checks).buffered(AT_ONCE).collect().await;
    let answers = request.numbers.iter().zip(checked).map(|(number, checked)| match checked {
        Checked::Known { jid } => Ok(Answer { number, exists: true, jid: Some(jid) }),
        Checked::Unknown => Ok(Answer { number, exists: false, jid: None }),
        Checked::NoAnswer => Err(Error::NoAnswer),
    });
    Ok(json::data(answers.collect::<Result<Vec<_>, _>>()?))
}

/// The digits of a phone number as people write it, or of its JID.
fn digits(given: &str) -> Result<String, Error> {
    let number = given.strip_suffix("@s.whatsapp.net").unwrap_or(given);
    let digits: String = number.chars().filter(|c| !c.is_whitespace() && !"+-().".contains(*c)).collect();
    if DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(digits);
    }
    Err(Error::InvalidNumber { given: given.chars().take(64).collect() })
}

#[cfg(test)]
mod tests {
    use bus::messages::NumberCheck;
    use serde_json::json;

    use super::*;
    use crate::testing::{Rig, with};

    const CHECK: &str = "/contact/check";

    #[tokio::test]
    async fn each_number_has_its_answer_in_order_and_is_asked_once() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        runner.knows(NumberCheck { number: "62800".into(), jid: None });
        runner.knows(NumberCheck { number: "5511987".into(), jid: Some("551187@s.whatsapp.net".into()) });
        let body =
            json!({"session": "shop", "numbers": ["+62 800", "5511987", "62811@s.whatsapp.net", "62800"]});
        let expected = json!({"data": [
            {"number": "+62 800", "exists": false, "jid": null},
            {"number": "5511987", "exists": true, "jid": "551187@s.whatsapp.net"},
            {"number": "62811@s.whatsapp.net", "exists": true, "jid": "62811@s.whatsapp.net"},
            {"number": "62800", "exists": false, "jid": null},
        ]});
        for _ in 0..2 {
            assert_eq!(rig.post(CHECK, &body).send().await.json(), expected);
        }
        assert_eq!(runner.heard().len(), 3, "answers are remembered");
        let one = rig.post(CHECK, &json!({"session": "shop", "number": "62811"})).send().await;
        let known = r#"{"data":[{"number":"62811","exists":true,"jid":"62811@s.whatsapp.net"}]}"#;
        one.is(200, known);
    }

    #[tokio::test]
    async fn bad_input_and_sessions_that_are_off_are_refused() {
        let rig = Rig::new().await;
        rig.session("off").await;
        let check = |fields: serde_json::Value| {
            let body = with(&json!({"session": "off"}), &fields);
            rig.post(CHECK, &body).send()
        };
        check(json!({})).await.fails(400, "invalid_field", "Required field 'number' on json");
        let words = "Array must contain at least 1 element(s) field 'numbers' on json";
        check(json!({"numbers": []})).await.fails(400, "invalid_field", words);
        let many: Vec<_> = (0..51).map(|n| format!("628{n:04}")).collect();
        let words = "Array must contain at most 50 element(s) field 'numbers' on json";
        check(json!({"numbers": many})).await.fails(400, "invalid_field", words);
        for given in ["", "abc", "1234", "1234567890123456", "1203@g.us", "٦٢٨١١٠٠٠"] {
            let words = format!("Not a phone number with its country code: {given}");
            check(json!({"number": given})).await.fails(400, "invalid_number", &words);
        }
        let words = "The session is not connected: it is connecting";
        check(json!({"number": "62811"})).await.fails(503, "session_not_connected", words);
    }

    #[tokio::test]
    async fn without_an_answer_it_is_said_so() {
        let settings = crate::state::Settings { check_wait: Duration::from_millis(50), ..Default::default() };
        let rig = Rig::with(settings).await;
        let runner = rig.linked("shop").await;
        runner.falls_silent();
        let answer = rig.post(CHECK, &json!({"session": "shop", "number": "62811"})).send().await;
        answer.fails(504, "no_answer", "WhatsApp did not answer in time");
    }
}
