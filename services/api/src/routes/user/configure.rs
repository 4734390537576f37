//! `PUT /admin/users/{id}/session-config`.

use axum::{extract::State, response::Response};
use domain::{access::AuditAction, session::full_name};
use storage::SessionConfig;
use utoipa::ToSchema;

use super::{EditError, UserPath, edited, user_id};
use crate::{
    announce, audit,
    auth::{Actor, Admin},
    error::ProblemBody,
    fields::{Fields, JsonFields},
    json::{self, Done},
    state::ApiState,
};

/// What is set about a user's session. What is left out stays as it is.
#[derive(ToSchema)]
#[schema(example = json!({"session_name": "shop", "callback_url": "https://hooks.example/wa"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct ConfigureUser {
    /// What the session is called that the user starts without a name; kept as `username_name`.
    session_name: Option<String>,
    /// Where the user's webhooks go; null takes it away.
    callback_url: Option<String>,
}

/// Sets the name of a user's session and where their webhooks go.
#[utoipa::path(
    put, path = "/admin/users/{id}/session-config", tag = "user", operation_id = "configureUser",
    params(("id" = i64, Path, description = "The user's number", example = 2)),
    request_body = ConfigureUser,
    responses(
        (status = 200, description = "It is set", body = Done,
            example = json!({"data": {"message": "Session configuration updated successfully"}})),
        (status = 400, description = "Not a name or an address, or the admin's", body = ProblemBody,
            example = json!({"message": "Cannot update admin session configuration", "code": "user_is_admin"})),
        (status = 403, description = "You are not an admin", body = ProblemBody),
        (status = 404, description = "There is no such user", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Actor>,
    State(state): State<ApiState>,
    path: UserPath,
    JsonFields(fields): JsonFields,
) -> Result<Response, EditError> {
    let config = read(&fields)?;
    let user = user_id(path)?;
    if let Some(name) = &config.session_name {
        let account = state.database.account(user).await?.ok_or(EditError::NotFound)?;
        full_name(&account.user.username, false, name)?;
    }
    let change = state.database.configure_session(user, &config).await?;
    edited(change, "Cannot update admin session configuration")?;
    announce::user_changed(&state.bus, user);
    let name = state.database.account(user).await?.map(|account| account.user.username);
    audit::note(&state, &caller, AuditAction::UserConfigured, name).await;
    Ok(json::done("Session configuration updated successfully"))
}

fn read(fields: &Fields) -> Result<SessionConfig, EditError> {
    let session_name = fields.optional_text("session_name")?;
    let callback_url =
        if fields.has("callback_url") { Some(fields.url_or_null("callback_url")?) } else { None };
    Ok(SessionConfig { session_name, callback_url })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Rig, TestUser};

    async fn row(rig: &Rig, user: &TestUser) -> (Value, Value) {
        let users = rig.get("/admin/users").send().await.json();
        let row = users["data"].as_array().unwrap().iter().find(|row| row["id"] == user.id.0).unwrap();
        (row["session_name"].clone(), row["callback_url"].clone())
    }

    #[tokio::test]
    async fn what_is_left_out_stays_and_null_takes_the_callback_away() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let url = format!("/admin/users/{}/session-config", anna.id);
        let hook = "https://hooks.example/wa?a=b";
        let table = [
            (json!({}), json!("anna"), json!(null)),
            (json!({"session_name": "shop"}), json!("shop"), json!(null)),
            (json!({"callback_url": hook}), json!("shop"), json!(hook)),
            (json!({"session_name": "店"}), json!("店"), json!(hook)),
            (json!({"callback_url": null}), json!("店"), json!(null)),
            (json!({"session_name": "anna", "callback_url": hook}), json!("anna"), json!(hook)),
        ];
        for (body, name, callback) in table {
            let answer = rig.put(&url, &body).send().await;
            answer.is(200, r#"{"data":{"message":"Session configuration updated successfully"}}"#);
            assert_eq!(row(&rig, &anna).await, (name, callback), "{body}");
        }
    }

    #[tokio::test]
    async fn bad_input_changes_nothing() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let url = format!("/admin/users/{}/session-config", anna.id);
        let table = [
            (json!({"callback_url": "x"}), "Invalid url field 'callback_url' on json"),
            (json!({"callback_url": "ftp://a.example/"}), "Invalid url field 'callback_url' on json"),
            (json!({"callback_url": 1}), "Expected string, received number field 'callback_url' on json"),
            (json!({"session_name": null}), "Expected string, received null field 'session_name' on json"),
            (json!({"session_name": "ok", "callback_url": ""}), "Invalid url field 'callback_url' on json"),
        ];
        for (body, words) in table {
            rig.put(&url, &body).send().await.fails(400, "invalid_field", words);
        }
        for name in ["", "a/b", "..", "a\u{0}b"] {
            let answer = rig.put(&url, &json!({"session_name": name})).send().await;
            assert_eq!((answer.status, answer.code()), (400, "invalid_session_name".to_owned()), "{name:?}");
        }
        assert_eq!(row(&rig, &anna).await, (json!("anna"), json!(null)));
        for (id, code, words) in [
            ("1", "user_is_admin", "Cannot update admin session configuration"),
            ("77", "user_not_found", "User not found"),
        ] {
            let answer = rig
                .put(&format!("/admin/users/{id}/session-config"), &json!({"session_name": "x"}))
                .send()
                .await;
            answer.fails(if id == "1" { 400 } else { 404 }, code, words);
        }
    }
}
