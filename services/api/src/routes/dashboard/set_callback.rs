//! `PUT /dashboard/callback`: where the caller's webhooks go.

use axum::{extract::State, response::Response};
use domain::access::AuditAction;
use utoipa::ToSchema;

use crate::{
    announce, audit,
    auth::Actor,
    error::{Problem, ProblemBody},
    fields::JsonFields,
    json::{self, Done},
    state::ApiState,
};

/// Where webhooks go.
#[derive(ToSchema)]
#[schema(example = json!({"callback_url": "https://hooks.example/wa"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct SetCallback {
    /// `http` or `https`; null: to `WEBHOOK_BASE_URL`. Must be sent.
    #[schema(required)]
    callback_url: Option<String>,
}

/// Sets where your webhooks go.
#[utoipa::path(
    put, path = "/dashboard/callback", tag = "dashboard", operation_id = "setCallback",
    request_body = SetCallback,
    responses(
        (status = 200, description = "It is set", body = Done,
            example = json!({"data": {"message": "Callback URL updated successfully"}})),
        (status = 400, description = "Not an address", body = ProblemBody,
            example = json!({"message": "Invalid url field 'callback_url' on json", "code": "invalid_field"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, Problem> {
    let url = fields.url_or_null("callback_url")?;
    state.database.set_callback(caller.id, url.as_deref()).await?;
    announce::user_changed(&state.bus, caller.id);
    audit::note(&state, &caller, AuditAction::WebhookEndpointChanged, url).await;
    Ok(json::done("Callback URL updated successfully"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    const CALLBACK: &str = "/dashboard/callback";

    #[tokio::test]
    async fn it_is_set_and_taken_away_for_the_caller_alone() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let hook = "https://hooks.example/a";
        for (url, expected) in [(json!(hook), Some(hook)), (json!(null), None), (json!(hook), Some(hook))] {
            let answer = rig.put(CALLBACK, &json!({"callback_url": url})).by(&anna).send().await;
            answer.is(200, r#"{"data":{"message":"Callback URL updated successfully"}}"#);
            let stored = rig.database.account(anna.id).await.unwrap().unwrap();
            assert_eq!(stored.callback_url.as_deref(), expected);
        }
        assert_eq!(rig.database.account(bob.id).await.unwrap().unwrap().callback_url, None);
    }

    #[tokio::test]
    async fn what_is_no_web_address_is_refused() {
        let rig = Rig::new().await;
        let table = [
            (json!({}), "Required field 'callback_url' on json"),
            (json!({"callback_url": ""}), "Invalid url field 'callback_url' on json"),
            (json!({"callback_url": "hooks.example"}), "Invalid url field 'callback_url' on json"),
            (json!({"callback_url": "file:///etc/passwd"}), "Invalid url field 'callback_url' on json"),
            (json!({"callback_url": true}), "Expected string, received boolean field 'callback_url' on json"),
        ];
        for (body, words) in table {
            rig.put(CALLBACK, &body).send().await.fails(400, "invalid_field", words);
        }
        let form = rig.request("PUT", CALLBACK).header("content-type", "text/plain").body("{}");
        form.send().await.fails(400, "invalid_field", "Required field 'callback_url' on json");
    }
}
