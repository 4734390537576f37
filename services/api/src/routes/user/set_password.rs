//! `PUT /admin/users/{id}/password`.

use axum::{extract::State, response::Response};
use domain::access::AuditAction;
use utoipa::ToSchema;

use super::{EditError, MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, UserPath, edited, user_id};
use crate::{
    announce, audit,
    auth::{Actor, Admin},
    error::ProblemBody,
    fields::JsonFields,
    json::{self, Done},
    state::ApiState,
};

/// A password.
#[derive(ToSchema)]
#[schema(example = json!({"password": "battery staple"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct SetPassword {
    /// At most 72 bytes.
    #[schema(min_length = 4, max_length = 72)]
    password: String,
}

/// Gives a user another password. The one before is worth nothing from then on, in every process.
#[utoipa::path(
    put, path = "/admin/users/{id}/password", tag = "user", operation_id = "setUserPassword",
    params(("id" = i64, Path, description = "The user's number", example = 2)),
    request_body = SetPassword,
    responses(
        (status = 200, description = "It is the password now", body = Done,
            example = json!({"data": {"message": "Password updated successfully"}})),
        (status = 400, description = "Not a password, or the admin's", body = ProblemBody,
            example = json!({"message": "Cannot change admin password through this endpoint",
                "code": "user_is_admin"})),
        (status = 403, description = "You are not an admin", body = ProblemBody),
        (status = 404, description = "There is no such user", body = ProblemBody,
            example = json!({"message": "User not found", "code": "user_not_found"})),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Actor>,
    State(state): State<ApiState>,
    path: UserPath,
    JsonFields(fields): JsonFields,
) -> Result<Response, EditError> {
    let password = fields.text_within("password", MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS)?;
    let user = user_id(path)?;
    let hash = state.passwords.hash(&password.into()).await?;
    let change = state.database.set_password(user, &hash).await?;
    edited(change, "Cannot change admin password through this endpoint")?;
    state.credentials.forget(user).await;
    announce::user_changed(&state.bus, user);
    let name = state.database.account(user).await?.map(|account| account.user.username);
    audit::note(&state, &caller, AuditAction::PasswordChanged, name).await;
    Ok(json::done("Password updated successfully"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::task::JoinSet;

    use crate::testing::{Rig, soon};

    #[tokio::test]
    async fn the_old_password_dies_at_once_in_every_process() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        // Another process on the same database and bus.
        let other = rig.another();
        let mut tasks = JoinSet::new();
        let listening = other.state.clone();
        tasks.spawn(async move { listening.listen().await });
        for process in [&rig, &other] {
            assert_eq!(process.get("/session").by(&anna).send().await.status, 200, "remembered from now on");
        }
        let url = format!("/admin/users/{}/password", anna.id);
        let answer = rig.put(&url, &json!({"password": "new one"})).send().await;
        answer.is(200, r#"{"data":{"message":"Password updated successfully"}}"#);
        assert_eq!(rig.get("/session").by(&anna).send().await.status, 401, "not a moment later");
        soon("the other process forgets", async || {
            other.get("/session").by(&anna).send().await.status == 401
        })
        .await;
        for process in [&rig, &other] {
            assert_eq!(process.get("/session").basic("anna", "new one").send().await.status, 200);
        }
    }

    #[tokio::test]
    async fn fields_come_before_the_user_and_the_user_before_the_admin() {
        let rig = Rig::new().await;
        for id in ["1", "7", "x", "-1", "99999999999999999999", "%00", "%ff", "1.5"] {
            let url = format!("/admin/users/{id}/password");
            let short = rig.put(&url, &json!({"password": "abc"})).send().await;
            short.fails(
                400,
                "invalid_field",
                "String must contain at least 4 character(s) field 'password' on json",
            );
            let answer = rig.put(&url, &json!({"password": "abcd"})).send().await;
            if id == "1" {
                answer.fails(400, "user_is_admin", "Cannot change admin password through this endpoint");
            } else {
                answer.fails(404, "user_not_found", "User not found");
            }
        }
        assert_eq!(rig.get("/session").send().await.status, 200, "the admin's password is what it was");
    }
}
