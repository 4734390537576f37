//! `PUT /admin/users/{id}/webhook-auth`: how a user's webhooks authenticate, set by an admin.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use domain::{UserId, access::AuditAction};
use storage::AuthChanged;

use super::{SetError, SetWebhookAuth, read};
use crate::{
    announce, audit,
    auth::{Actor, Admin},
    error::ProblemBody,
    fields::JsonFields,
    json::{self, Done},
    state::ApiState,
};

/// Sets how a user's webhooks authenticate. Drops the OAuth2 tokens held.
#[utoipa::path(
    put, path = "/admin/users/{id}/webhook-auth", tag = "webhook", operation_id = "setWebhookAuthOfUser",
    params(("id" = i64, Path, description = "The user's number", example = 2)),
    request_body = SetWebhookAuth,
    responses(
        (status = 200, description = "It is set", body = Done,
            example = json!({"data": {"message": "Webhook authentication configuration updated successfully"}})),
        (status = 400, description = "A field is wrong, something is missing, or it is the admin", body = ProblemBody,
            example = json!({"message": "Cannot update admin webhook authentication", "code": "user_is_admin"})),
        (status = 403, description = "You are not an admin", body = ProblemBody),
        (status = 404, description = "There is no such user", body = ProblemBody,
            example = json!({"message": "User not found", "code": "user_not_found"})),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Actor>,
    State(state): State<ApiState>,
    path: Result<Path<i64>, PathRejection>,
    JsonFields(fields): JsonFields,
) -> Result<Response, SetError> {
    let change = read(&state, &fields)?;
    let user = path.map(|Path(id)| UserId(id)).map_err(|_| SetError::NotFound)?;
    if user == UserId::ADMIN {
        return Err(SetError::IsAdmin);
    }
    match state.database.change_webhook_auth(user, change).await? {
        AuthChanged::Done => {}
        AuthChanged::Incomplete(missing) => return Err(missing.into()),
        AuthChanged::NoUser => return Err(SetError::NotFound),
    }
    announce::user_changed(&state.bus, user);
    let name = state.database.account(user).await?.map(|account| account.user.username);
    audit::note(&state, &caller, AuditAction::WebhookAuthChanged, name).await;
    Ok(json::done("Webhook authentication configuration updated successfully"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn an_admin_sets_it_for_others_only() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let body = json!({"auth_type": "bearer", "auth_bearer_token": "0123456789"});
        let url = |id: &dyn std::fmt::Display| format!("/admin/users/{id}/webhook-auth");
        let answer = rig.put(&url(&anna.id), &body).send().await;
        answer.is(200, r#"{"data":{"message":"Webhook authentication configuration updated successfully"}}"#);
        let of_anna = rig.get("/dashboard/webhook-auth").by(&anna).send().await.json();
        assert_eq!(of_anna["data"]["auth_bearer_token"], "***6789");

        let words = "Cannot update admin webhook authentication";
        rig.put(&url(&1), &body).send().await.fails(400, "user_is_admin", words);
        for id in ["77", "x", "-1", "99999999999999999999", "%00"] {
            rig.put(&url(&id), &body).send().await.fails(404, "user_not_found", "User not found");
        }
        let by_anna = rig.put(&url(&anna.id), &body).by(&anna).send().await;
        by_anna.fails(403, "admin_required", "Admin access required");
        rig.put(&url(&anna.id), &body).anonymous().send().await.fails(401, "unauthorized", "Unauthorized");
        let weird = rig.put(&url(&anna.id), &json!({"auth_type": "weird"})).send().await;
        assert_eq!((weird.status, weird.code()), (400, "invalid_field".into()));
    }
}
