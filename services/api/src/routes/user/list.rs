//! `GET /admin/users`: every user.

use axum::{extract::State, response::Response};

use super::Row;
use crate::{
    auth::{Admin, Caller},
    error::{Problem, ProblemBody},
    json,
    state::ApiState,
};

/// Every user, by number; no secrets.
#[utoipa::path(
    get, path = "/admin/users", tag = "user", operation_id = "listUsers",
    responses(
        (status = 200, description = "The users, as `data`", body = Vec<Row>,
            example = json!({"data": [{"id": 1, "username": "admin", "is_admin": 1, "session_name": "admin",
                "callback_url": null, "webhook_auth_type": "none", "created_at": "2026-11-22 19:36:11"}]})),
        (status = 403, description = "You are not an admin", body = ProblemBody,
            example = json!({"message": "Admin access required", "code": "admin_required"})),
    )
)]
pub(crate) async fn handler(_: Admin<Caller>, State(state): State<ApiState>) -> Result<Response, Problem> {
    let accounts = state.database.accounts().await?;
    Ok(json::data(accounts.iter().map(Row::from).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn rows_are_the_contracts_and_hold_no_secret() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.database.set_callback(anna.id, Some("https://hooks.example/wa")).await.unwrap();
        let answer = rig.get("/admin/users").send().await;
        assert_eq!(answer.status, 200);
        let row = |id: i64, name: &str, admin: u8, callback: serde_json::Value| {
            json!({"id": id, "username": name, "is_admin": admin, "session_name": name, "callback_url": callback,
                "webhook_auth_type": "none", "created_at": "2026-11-22 19:36:11"})
        };
        let rows = json!([
            row(1, "admin", 1, json!(null)),
            row(anna.id.0, "anna", 0, json!("https://hooks.example/wa"))
        ]);
        assert_eq!(answer.json(), json!({"data": rows}));
        assert!(!answer.body.contains("$2b$"), "{}", answer.body);
        let fields = ["\"id\":", "\"username\":", "\"is_admin\":", "\"session_name\":", "\"callback_url\":"];
        let places: Vec<_> = fields.iter().map(|field| answer.body.find(field).unwrap()).collect();
        assert!(places.is_sorted(), "in the contract's order: {}", answer.body);
    }
}
