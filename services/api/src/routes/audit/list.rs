//! `GET /admin/audit`: what was done, by whom, from where.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::access::AuditAction;
use serde::Serialize;
use storage::{AuditEntry, AuditFilter};
use utoipa::ToSchema;

use crate::{
    auth::{Admin, Caller},
    error::ProblemBody,
    fields::QueryFields,
    json,
    listing::{self, ListError, PageSize},
    state::ApiState,
};

const PAGE: PageSize = PageSize { usual: 50, most: 200 };

/// The most characters of a name that is looked for.
const MAX_NAME_CHARS: usize = 256;

/// Something that was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditBody {
    /// Grows with time.
    #[schema(example = 4711)]
    id: i64,
    #[schema(example = "2026-11-22T19:36:11.5Z")]
    at: String,
    /// The name of whoever did it; of a login that was refused, the name that was given.
    #[schema(example = "anna")]
    actor: String,
    #[schema(example = "key_created")]
    action: String,
    /// What it was done to.
    #[schema(example = "shop backend (wag_Q7bXr2Lp)")]
    target: Option<String>,
    /// Where the request came from.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    /// More about it.
    #[schema(example = "messages:send")]
    detail: Option<String>,
}

impl From<AuditEntry> for AuditBody {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { position, at, actor, action, target, address, detail } = entry;
        Self { id: position, at: at.to_rfc3339(), actor, action, target, address, detail }
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    data: Vec<AuditBody>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

/// What was done, the latest first. Kept for `AUDIT_RETENTION_DAYS`. Admins only.
#[utoipa::path(
    get, path = "/admin/audit", tag = "user", operation_id = "listAudit",
    params(
        ("user" = Option<String>, Query, description = "The name of whoever did it", example = "anna"),
        ("action" = Option<String>, Query, description = "One of `log_in`, `log_in_refused`, `log_out`, \
            `password_changed`, `user_created`, `user_deleted`, `user_configured`, `key_created`, `key_revoked`, \
            `session_created`, `session_stopped`, `session_logged_out`, `session_shared`, `session_share_revoked`, \
            `session_moved`, `webhook_endpoint_created`, `webhook_endpoint_changed`, `webhook_endpoint_removed`, \
            `webhook_auth_changed`, `webhook_secret_rotated`, `runner_drained`, `webhooks_replayed`",
            example = "log_in_refused"),
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when it is left out", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of it", body = AuditPage),
        (status = 400, description = "A filter that is none", body = ProblemBody),
        (status = 403, description = "You are not an admin", body = ProblemBody,
            example = json!({"message": "Admin access required", "code": "admin_required"})),
    )
)]
pub(crate) async fn handler(
    _: Admin<Caller>,
    State(state): State<ApiState>,
    QueryFields(fields): QueryFields,
) -> Result<Response, ListError> {
    let filter = AuditFilter {
        actor: fields.optional_text_up_to("user", MAX_NAME_CHARS)?,
        action: fields.word_if_any("action", AuditAction::ALL, AuditAction::as_str)?,
        before: fields.position("cursor")?,
    };
    let limit = PAGE.read(&fields)?;
    let entries = state.database.audit(&filter, limit).await?;
    let next_cursor = listing::last_of_full(&entries, limit).map(|last| last.position.to_string());
    let data = entries.into_iter().map(Into::into).collect();
    Ok(json::answer(StatusCode::OK, &AuditPage { data, next_cursor }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{auth::Peer, testing::Rig};

    async fn lines(rig: &Rig, query: &str) -> Vec<String> {
        let page = rig.get(&format!("/admin/audit?{query}")).send().await.json();
        let line = |entry: &Value| {
            let text = |field: &str| entry[field].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text("actor"), text("action"), text("target"))
        };
        page["data"].as_array().unwrap().iter().map(line).collect()
    }

    #[tokio::test]
    async fn what_was_done_is_listed_with_who_and_where() {
        let rig = Rig::new().await;
        let made = rig.post("/admin/users", &json!({"username": "anna", "password": "anna:pass"}));
        let id = made.send().await.json()["data"]["id"].as_i64().unwrap();
        let peer = Peer("192.0.2.7".parse().unwrap());
        let wrong = json!({"username": "<b>anna</b>", "password": "x"});
        rig.post("/auth/login", &wrong).anonymous().extension(peer).send().await;
        let right = json!({"username": "anna", "password": "anna:pass"});
        rig.post("/auth/login", &right).anonymous().extension(peer).send().await;
        rig.request("DELETE", &format!("/admin/users/{id}")).send().await;
        assert_eq!(
            lines(&rig, "").await,
            [
                "admin user_deleted anna",
                "anna log_in -",
                "<b>anna</b> log_in_refused -",
                "admin user_created anna",
            ]
        );
        assert_eq!(lines(&rig, "user=anna").await, ["anna log_in -"]);
        assert_eq!(lines(&rig, "action=user_created&user=admin").await, ["admin user_created anna"]);
        let first = rig.get("/admin/audit?limit=1").send().await.json();
        let cursor = first["next_cursor"].as_str().unwrap();
        assert_eq!(lines(&rig, &format!("limit=1&cursor={cursor}")).await, ["anna log_in -"]);
        let login = rig.get("/admin/audit?action=log_in").send().await.json()["data"][0].clone();
        assert_eq!((&login["address"], &login["at"]), (&json!("192.0.2.7"), &json!(rig.now().to_rfc3339())));
    }

    #[tokio::test]
    async fn bad_filters_and_others_see_nothing() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.get("/admin/audit").by(&anna).send().await.fails(403, "admin_required", "Admin access required");
        for (query, words) in [
            ("cursor=x", "Invalid cursor field 'cursor' on query"),
            ("limit=201", "Number must be less than or equal to 200 field 'limit' on query"),
        ] {
            rig.get(&format!("/admin/audit?{query}")).send().await.fails(400, "invalid_field", words);
        }
        let weird = rig.get("/admin/audit?action=everything").send().await;
        assert!(weird.message().starts_with("Invalid enum value. Expected 'log_in'"), "{weird:?}");
    }
}
