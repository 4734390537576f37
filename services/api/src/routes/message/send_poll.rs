//! `POST /message/send-poll`.

use axum::extract::State;
use domain::message::{Content, MAX_POLL_NAME_CHARS, MAX_POLL_OPTION_CHARS, POLL_OPTIONS, PollSecret};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    sending::{self, IdempotencyHeader, Order, SendError, Sent, SentBody},
    state::ApiState,
};

/// A question with answers to choose from, and where it goes.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "name": "When?", "options": ["Today", "Tomorrow"],
    "selectable": 1}))]
pub(crate) struct SendPoll {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// The question, at most 255 characters.
    #[schema(max_length = 255)]
    name: String,
    /// 2 to 12 different answers, each at most 100 characters.
    #[schema(min_items = 2, max_items = 12)]
    options: Vec<String>,
    /// How many may be chosen; 1 when it is left out.
    #[schema(value_type = Option<u32>, minimum = 1)]
    selectable: u32,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// Whether it may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

impl SendPoll {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        let options = options(fields)?;
        let most = i64::try_from(options.len()).unwrap_or(i64::MAX);
        let selectable = fields.optional_count("selectable", 1..=most)?.unwrap_or(1);
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            options,
            name: fields.filled_text("name", MAX_POLL_NAME_CHARS)?,
            selectable: u32::try_from(selectable).unwrap_or(1),
            is_group: fields.optional_flag("is_group")?,
            queue: fields.optional_flag("queue")?,
        })
    }
}

/// Sends a poll. Votes come as messages of the type `poll_vote`.
#[utoipa::path(
    post, path = "/message/send-poll", tag = "message", operation_id = "sendPoll",
    request_body = SendPoll,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "Array must contain at least 2 element(s) field 'options' on json", "code": "invalid_field"})),
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
    let request = SendPoll::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    let secret = PollSecret(secrets::random_bytes());
    let SendPoll { name, options, selectable, .. } = request;
    let content = Content::Poll { name, options, selectable, secret };
    let (queue, idempotency) = (request.queue.unwrap_or(true), idempotency.key()?);
    let order = Order { session, chat, content, idempotency, queue, typing: false };
    sending::send(&state, &caller, order).await
}

/// Votes name an option by a hash of its text: two that are alike could not be told apart.
fn options(fields: &Fields) -> Result<Vec<String>, Invalid> {
    let options = fields.texts("options", POLL_OPTIONS)?;
    let unfit = |rule: String| Err(fields.unfit(rule, "options"));
    for (place, option) in options.iter().enumerate() {
        if option.is_empty() {
            return unfit("String must contain at least 1 character(s)".to_owned());
        }
        if option.chars().count() > MAX_POLL_OPTION_CHARS {
            return unfit(format!("String must contain at most {MAX_POLL_OPTION_CHARS} character(s)"));
        }
        if options[..place].contains(option) {
            return unfit("Array must contain different elements".to_owned());
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Rig, with};

    const SEND: &str = "/message/send-poll";

    #[tokio::test]
    async fn a_poll_is_sent_and_its_secret_stays_here() {
        let rig = Rig::new().await;
        let _runner = rig.linked("shop").await;
        let poll = json!({"session": "shop", "to": "62811", "name": "When?", "options": ["now", "later"]});
        let answer = rig.post(SEND, &poll).header("idempotency-key", "k").send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            answer.json()["data"]["message"],
            json!({"pollCreationMessage": {"name": "When?", "selectableOptionsCount": 1,
                "options": [{"optionName": "now"}, {"optionName": "later"}]}})
        );
        let again = rig.post(SEND, &poll).header("idempotency-key", "k").send().await;
        assert_eq!(again.body, answer.body, "the same poll, though its secret is drawn anew");
    }

    #[tokio::test]
    async fn polls_that_are_none_are_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let many: Vec<_> = (0..13).map(|n| n.to_string()).collect();
        let table = [
            (
                json!({"name": "?", "options": ["a"]}),
                "Array must contain at least 2 element(s) field 'options' on json",
            ),
            (
                json!({"name": "?", "options": many}),
                "Array must contain at most 12 element(s) field 'options' on json",
            ),
            (
                json!({"name": "?", "options": ["a", "a"]}),
                "Array must contain different elements field 'options' on json",
            ),
            (
                json!({"name": "?", "options": ["a", ""]}),
                "String must contain at least 1 character(s) field 'options' on json",
            ),
            (
                json!({"name": "?", "options": ["a", "b".repeat(101)]}),
                "String must contain at most 100 character(s) field 'options' on json",
            ),
            (
                json!({"name": "?", "options": ["a", "b"], "selectable": 3}),
                "Number must be less than or equal to 2 field 'selectable' on json",
            ),
            (
                json!({"name": "", "options": ["a", "b"]}),
                "String must contain at least 1 character(s) field 'name' on json",
            ),
            (json!({"options": ["a", "b"]}), "Required field 'name' on json"),
        ];
        for (fields, words) in table {
            let body = with(&json!({"session": "shop", "to": "62811"}), &fields);
            rig.post(SEND, &body).send().await.fails(400, "invalid_field", words);
        }
    }
}
