//! `POST /message/send-location`.

use axum::extract::State;
use domain::{Degrees, message::Content};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    sending::{self, IdempotencyHeader, Order, SendError, Sent, SentBody},
    state::ApiState,
};

/// Longest name or address, in characters.
const LONGEST: usize = 1024;

/// A place and where it goes.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "latitude": -6.1754, "longitude": 106.8272,
    "name": "Monas"}))]
pub(crate) struct SendLocation {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// Degrees north, -90 to 90.
    #[schema(value_type = f64, minimum = -90, maximum = 90)]
    latitude: Degrees,
    /// Degrees east, -180 to 180.
    #[schema(value_type = f64, minimum = -180, maximum = 180)]
    longitude: Degrees,
    /// What the place is called.
    name: Option<String>,
    /// Where it is, in words.
    address: Option<String>,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// Whether it may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

impl SendLocation {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            latitude: degrees(fields, "latitude", 90.0)?,
            longitude: degrees(fields, "longitude", 180.0)?,
            name: fields.optional_text_up_to("name", LONGEST)?,
            address: fields.optional_text_up_to("address", LONGEST)?,
            is_group: fields.optional_flag("is_group")?,
            queue: fields.optional_flag("queue")?,
        })
    }
}

/// Sends a place.
#[utoipa::path(
    post, path = "/message/send-location", tag = "message", operation_id = "sendLocation",
    request_body = SendLocation,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "Required field 'latitude' on json", "code": "invalid_field"})),
        (status = 403, description = "It is another user's session", body = ProblemBody,
            example = json!({"message": "You can only use your own sessions", "code": "not_your_session"})),
        (status = 409, description = "The idempotency key was used for another request", body = ProblemBody),
        (status = 429, description = "Too many messages wait for the session", body = ProblemBody),
        (status = 503, description = "The session is not connected and the message must not wait",
            body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    idempotency: IdempotencyHeader,
    JsonFields(fields): JsonFields,
) -> Result<Sent, SendError> {
    let request = SendLocation::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    let SendLocation { latitude, longitude, name, address, .. } = request;
    let content = Content::Location { latitude, longitude, name, address };
    let (queue, idempotency) = (request.queue.unwrap_or(true), idempotency.key()?);
    let order = Order { session, chat, content, idempotency, queue, typing: false };
    sending::send(&state, &caller, order).await
}

fn degrees(fields: &Fields, field: &'static str, most: f64) -> Result<Degrees, Invalid> {
    let degrees = fields.number(field, -most..=most)?;
    Degrees::new(degrees).ok_or_else(|| fields.unfit("Number must be finite".to_owned(), field))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Rig, with};

    const SEND: &str = "/message/send-location";

    #[tokio::test]
    async fn a_place_is_sent_as_it_is() {
        let rig = Rig::new().await;
        let _runner = rig.linked("shop").await;
        let place = json!({"session": "shop", "to": "62811", "latitude": -6.1754, "longitude": 106.8272,
            "name": "Monas", "address": ""});
        let answer = rig.post(SEND, &place).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            answer.json()["data"]["message"],
            json!({"locationMessage": {"degreesLatitude": -6.1754, "degreesLongitude": 106.8272, "name": "Monas",
                "address": null}})
        );
        assert!(answer.json()["data"]["key"]["id"].as_str().unwrap().starts_with("3EB0"));
    }

    #[tokio::test]
    async fn places_that_are_nowhere_are_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let table = [
            (json!({"longitude": 0}), "Required field 'latitude' on json"),
            (
                json!({"latitude": "1", "longitude": 0}),
                "Expected number, received string field 'latitude' on json",
            ),
            (
                json!({"latitude": 91, "longitude": 0}),
                "Number must be less than or equal to 90 field 'latitude' on json",
            ),
            (
                json!({"latitude": 0, "longitude": -180.5}),
                "Number must be greater than or equal to -180 field 'longitude' on json",
            ),
            (
                json!({"latitude": 0, "longitude": 0, "name": 5}),
                "Expected string, received number field 'name' on json",
            ),
        ];
        for (fields, words) in table {
            let body = with(&json!({"session": "shop", "to": "62811"}), &fields);
            rig.post(SEND, &body).send().await.fails(400, "invalid_field", words);
        }
    }
}
