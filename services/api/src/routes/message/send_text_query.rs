//! `GET /message/send-text`: the same with a query string; deprecated, and kept.

use axum::extract::State;

use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::QueryFields,
    routes::message::send_text::SendText,
    sending::{IdempotencyHeader, SendError, Sent, SentBody},
    state::ApiState,
};

/// Sends a text. Use POST: what stands in an address ends up in logs.
#[utoipa::path(
    get, path = "/message/send-text", tag = "message", operation_id = "sendTextQuery",
    params(SendText),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody),
        (status = 403, description = "It is another user's session", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    idempotency: IdempotencyHeader,
    QueryFields(fields): QueryFields,
) -> Result<Sent, SendError> {
    SendText::read(&fields)?.send(&state, &caller, idempotency).await
}

#[cfg(test)]
mod tests {
    use crate::testing::Rig;

    #[tokio::test]
    async fn the_query_string_does_as_a_body_does() {
        let rig = Rig::new().await;
        let _runner = rig.runner().connects().start().await;
        rig.get("/session/start?session=shop").send().await;
        let url = "/message/send-text?session=shop&to=%2B62%20811-1&text=Hal%C3%B6&is_group=false";
        let data = rig.get(url).send().await.json()["data"].clone();
        assert_eq!(data["key"]["remoteJid"], "628111@s.whatsapp.net");
        assert_eq!(data["message"]["extendedTextMessage"]["text"], "Halö");
        let missing = rig.get("/message/send-text?session=shop&to=62811").send().await;
        missing.fails(400, "invalid_field", "Required field 'text' on query");
        let flag = rig.get("/message/send-text?session=shop&to=1&text=x&is_group=maybe").send().await;
        flag.fails(400, "invalid_field", "Expected boolean, received string field 'is_group' on query");
    }

    #[tokio::test]
    async fn other_sites_and_prefetches_send_nothing() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let url = "/message/send-text?session=shop&to=62811&text=x";
        for mode in ["navigate", "no-cors", "cors"] {
            let forged = rig.get(url).header("sec-fetch-site", "cross-site").header("sec-fetch-mode", mode);
            forged.send().await.fails(403, "cross_site", "A browser sent this request from another site");
        }
        assert_eq!(rig.request("HEAD", url).send().await.status, 404);
        let session = rig.database.session_by_name("shop").await.unwrap().unwrap();
        assert_eq!(rig.database.count_queued(session.id, 9).await.unwrap(), 0);
    }
}
