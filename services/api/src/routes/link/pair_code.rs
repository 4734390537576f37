//! `POST /link/{token}/pair-code`: links a number with a code that is typed on the phone.

use axum::{extract::State, http::StatusCode, response::Response};
use bus::messages::{SessionCommand, SessionReply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    asking::{self, AskError},
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, JsonFields},
    json,
    pairing::{self, Offer, StartError},
    routes::session::pair_code::{WAIT, digits},
    shares::{Share, ShareError, TokenPath},
    state::ApiState,
};

/// Whose phone it is.
#[derive(ToSchema)]
#[schema(example = json!({"phone_number": "+62 811-0000-001"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct LinkPairRequest {
    /// The phone number with its country code.
    phone_number: String,
}

/// What to type on the phone.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkPairing<'a> {
    #[schema(example = "shop")]
    session: &'a str,
    /// Eight characters; on the phone: linked devices, link a device, link with phone number.
    #[schema(example = "AB2C-D3EF")]
    code: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("'phone_number' is not a phone number with its country code")]
    InvalidPhone,
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidPhone => Self::new(StatusCode::BAD_REQUEST, "invalid_phone", error.to_string()),
            Error::Invalid(invalid) => invalid.into(),
            Error::Share(error) => error.into(),
            Error::Start(StartError::Removed | StartError::Foreign) => ShareError::Expired.into(),
            Error::Start(error) => error.into(),
            Error::Ask(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Links a number with a code that is typed on the phone, for whoever has the link; one code in 20 seconds.
#[utoipa::path(
    post, path = "/link/{token}/pair-code", tag = "link", operation_id = "pairLinkWithCode", security(()),
    params(("token" = String, Path, description = "The last part of the link")),
    request_body = LinkPairRequest,
    responses(
        (status = 200, description = "What to type on the phone, as `data`", body = LinkPairing,
            example = json!({"data": {"session": "shop", "code": "AB2C-D3EF"}})),
        (status = 400, description = "Not a phone number; or the session is connected already", body = ProblemBody,
            example = json!({"message": "'phone_number' is not a phone number with its country code",
                "code": "invalid_phone"})),
        (status = 404, description = "The link has expired or was revoked", body = ProblemBody, example = json!({
            "message": "This link has expired or was revoked: ask for a new one", "code": "link_expired"})),
        (status = 429, description = "A code was asked for a moment ago", body = ProblemBody,
            headers(("Retry-After" = String, description = "Seconds to wait"))),
        (status = 502, description = "WhatsApp gives no code, also to those who ask too often", body = ProblemBody),
        (status = 503, description = "It cannot be linked now", body = ProblemBody),
        (status = 504, description = "WhatsApp did not answer in time", body = ProblemBody),
        (status = 507, description = "The database has no room left", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    State(state): State<ApiState>,
    token: TokenPath,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let (_, session) = Share::open(&state, token).await?;
    let phone = digits(&fields.text("phone_number")?).ok_or(Error::InvalidPhone)?;
    if session.connected() {
        return Err(StartError::Exists.into());
    }
    state.guests.ask_for_code(session.id)?;
    let begun = pairing::begin(&state, session.user, &session.name).await?;
    if matches!(pairing::wait(&state, &begun).await?, Offer::Connected) {
        return Err(StartError::Exists.into());
    }
    match asking::ask(&state, &begun, &SessionCommand::PairWithCode { phone }, WAIT).await? {
        SessionReply::PairingCode { code } => {
            Ok(json::data(LinkPairing { session: &begun.name, code: &code }))
        }
        other => Err(asking::unexpected(&begun, &other).into()),
    }
}
