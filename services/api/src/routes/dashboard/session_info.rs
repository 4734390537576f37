//! `GET /dashboard/session-info`: the caller's own session and where their webhooks go.

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{account, full_session_name};
use crate::{
    access::{self, Named},
    auth::{AuthError, Caller},
    json,
    state::ApiState,
};

/// A user's session and webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionInfo<'a> {
    /// What the session is called that starts without a name.
    #[schema(example = "anna")]
    session_name: &'a str,
    /// Where webhooks go; null: to `WEBHOOK_BASE_URL`.
    #[schema(example = "https://hooks.example/wa")]
    callback_url: Option<&'a str>,
    is_connected: bool,
    webhook_auth: WebhookAuth<'a>,
}

#[derive(Serialize, ToSchema)]
struct WebhookAuth<'a> {
    /// `none`, `basic`, `bearer` or `oauth2`.
    #[schema(example = "none")]
    auth_type: &'a str,
    has_credentials: bool,
}

/// Your session, whether it is connected, and where your webhooks go.
#[utoipa::path(
    get, path = "/dashboard/session-info", tag = "dashboard", operation_id = "sessionInfo",
    responses((status = 200, description = "It, as `data`", body = SessionInfo, example = json!({"data": {
        "session_name": "anna", "callback_url": null, "is_connected": true,
        "webhook_auth": {"auth_type": "none", "has_credentials": false}}})))
)]
pub(crate) async fn handler(caller: Caller, State(state): State<ApiState>) -> Result<Response, AuthError> {
    let account = account(&state, &caller).await?;
    let named = access::named(&state.database, &caller, &full_session_name(&account)).await?;
    Ok(json::data(SessionInfo {
        session_name: &account.session_name,
        callback_url: account.callback_url.as_deref(),
        is_connected: matches!(named, Named::Own(session) if session.connected()),
        webhook_auth: WebhookAuth {
            auth_type: &account.webhook_auth_type,
            // No other type can be set without them.
            has_credentials: account.webhook_auth_type != "none",
        },
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    const INFO: &str = "/dashboard/session-info";

    #[tokio::test]
    async fn everybody_sees_their_own() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let _runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "anna"})).by(&anna).send().await;
        let hook = "https://hooks.example/a";
        rig.put("/dashboard/callback", &json!({"callback_url": hook})).by(&anna).send().await;
        let info = |name: &str, callback, connected| {
            json!({"data": {"session_name": name, "callback_url": callback, "is_connected": connected,
                "webhook_auth": {"auth_type": "none", "has_credentials": false}}})
        };
        assert_eq!(rig.get(INFO).by(&anna).send().await.json(), info("anna", json!(hook), true));
        assert_eq!(rig.get(INFO).by(&bob).send().await.json(), info("bob", json!(null), false));
        assert_eq!(rig.get(INFO).send().await.json(), info("admin", json!(null), false));
    }

    #[tokio::test]
    async fn a_session_of_another_user_by_that_name_is_not_theirs() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let _runner = rig.runner().connects().start().await;
        // The admin may take any name.
        rig.post("/session/start", &json!({"session": "anna"})).send().await;
        assert_eq!(rig.get(INFO).by(&anna).send().await.json()["data"]["is_connected"], json!(false));
    }
}
