//! `PUT /dashboard/webhook-auth`: how the caller's webhooks authenticate.

use axum::{extract::State, response::Response};
use domain::access::AuditAction;
use storage::AuthChanged;

use super::{SetError, SetWebhookAuth, read};
use crate::{
    announce, audit,
    auth::Actor,
    error::ProblemBody,
    fields::JsonFields,
    json::{self, Done},
    state::ApiState,
};

/// Sets how your webhooks authenticate. Drops the OAuth2 tokens held.
#[utoipa::path(
    put, path = "/dashboard/webhook-auth", tag = "webhook", operation_id = "setWebhookAuth",
    request_body = SetWebhookAuth,
    responses(
        (status = 200, description = "It is set", body = Done,
            example = json!({"data": {"message": "Webhook authentication configuration updated successfully"}})),
        (status = 400, description = "A field is wrong, or something is missing", body = ProblemBody,
            example = json!({"message": "Bearer token is required for bearer authentication",
                "code": "incomplete_webhook_auth"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, SetError> {
    let change = read(&state, &fields)?;
    match state.database.change_webhook_auth(caller.id, change).await? {
        AuthChanged::Done => {}
        AuthChanged::Incomplete(missing) => return Err(missing.into()),
        AuthChanged::NoUser => return Err(SetError::NotFound),
    }
    announce::user_changed(&state.bus, caller.id);
    audit::note(&state, &caller, AuditAction::WebhookAuthChanged, caller.username.clone()).await;
    Ok(json::done("Webhook authentication configuration updated successfully"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::Rig;

    const AUTH: &str = "/dashboard/webhook-auth";
    const DONE: &str = r#"{"data":{"message":"Webhook authentication configuration updated successfully"}}"#;

    #[tokio::test]
    async fn settings_are_the_callers_own_and_come_back_without_secrets() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let none = r#"{"data":{"auth_type":"none","auth_username":null,"auth_bearer_token":null,"oauth2_client_id":null,"oauth2_token_url":null,"oauth2_scope":null,"oauth2_has_token":false,"oauth2_token_expiry":null}}"#;
        rig.get(AUTH).by(&anna).send().await.is(200, none);
        let table: [(Value, Value); 4] = [
            (
                json!({"auth_type": "basic", "auth_username": "a:b", "auth_password": "p"}),
                json!({"auth_type": "basic", "auth_username": "a:b"}),
            ),
            (
                json!({"auth_type": "bearer", "auth_bearer_token": "0123456789abcdef"}),
                json!({"auth_type": "bearer", "auth_bearer_token": "***cdef", "auth_username": "a:b"}),
            ),
            (
                json!({"auth_type": "oauth2", "oauth2_client_id": "id", "oauth2_client_secret": "s3cret",
                    "oauth2_token_url": "https://a.example/token", "oauth2_scope": "x y"}),
                json!({"auth_type": "oauth2", "oauth2_client_id": "id", "oauth2_scope": "x y",
                    "oauth2_token_url": "https://a.example/token", "oauth2_has_token": false}),
            ),
            // What is absent stays, empty secrets erase nothing.
            (
                json!({"auth_type": "oauth2", "oauth2_client_secret": "", "auth_bearer_token": "", "oauth2_scope": ""}),
                json!({"auth_type": "oauth2", "oauth2_client_id": "id", "oauth2_scope": null,
                    "auth_bearer_token": "***cdef"}),
            ),
        ];
        for (body, expected) in table {
            rig.put(AUTH, &body).by(&anna).send().await.is(200, DONE);
            let answer = rig.get(AUTH).by(&anna).send().await;
            let data = answer.json()["data"].clone();
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(&data[field], value, "{field} after {body}");
            }
            assert!(!answer.body.contains("s3cret") && !answer.body.contains("0123"), "{}", answer.body);
        }
        rig.get(AUTH).send().await.is(200, none);
    }

    #[tokio::test]
    async fn the_first_wrong_field_is_named_and_nothing_is_stored() {
        let rig = Rig::new().await;
        let long = "x".repeat(8193);
        let table = [
            (
                json!({"auth_type": "weird", "auth_username": 1}),
                "Invalid enum value. Expected 'none' | 'basic' | 'bearer' | 'oauth2', received 'weird' field 'auth_type' on json",
            ),
            (json!({"auth_type": 1}), "Expected string, received number field 'auth_type' on json"),
            (json!({"auth_username": 1}), "Expected string, received number field 'auth_username' on json"),
            (json!({"auth_password": null}), "Expected string, received null field 'auth_password' on json"),
            (
                json!({"auth_password": long}),
                "String must contain at most 8192 character(s) field 'auth_password' on json",
            ),
            (
                json!({"auth_bearer_token": "a\nb"}),
                "String must be visible ASCII field 'auth_bearer_token' on json",
            ),
            (json!({"oauth2_token_url": "auth.example"}), "Invalid url field 'oauth2_token_url' on json"),
            (
                json!({"oauth2_token_url": "file:///etc/passwd"}),
                "Invalid url field 'oauth2_token_url' on json",
            ),
        ];
        for (body, words) in table {
            rig.put(AUTH, &body).send().await.fails(400, "invalid_field", words);
        }
        let missing = [
            ("basic", "Username and password are required for basic authentication"),
            ("bearer", "Bearer token is required for bearer authentication"),
            ("oauth2", "Client ID, client secret, and token URL are required for OAuth2 authentication"),
        ];
        for (kind, words) in missing {
            let answer = rig.put(AUTH, &json!({"auth_type": kind})).send().await;
            answer.fails(400, "incomplete_webhook_auth", words);
        }
        for url in ["http://10.0.0.1/token", "http://[::1]/token", "http://169.254.169.254/"] {
            let answer = rig.put(AUTH, &json!({"oauth2_token_url": url})).send().await;
            assert_eq!((answer.status, answer.code()), (400, "url_not_allowed".into()), "{url}");
        }
        let stored = rig.database.webhook_auth(domain::UserId::ADMIN).await.unwrap();
        assert_eq!((stored.version, stored.settings.token_url.as_deref()), (0, None));
    }
}
