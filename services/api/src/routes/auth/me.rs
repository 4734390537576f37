//! `GET /auth/me`: who one is.

use axum::response::Response;
use domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::{By, Caller},
    json,
};

/// Who calls.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me<'a> {
    #[schema(example = "anna")]
    username: &'a str,
    is_admin: bool,
    /// What the caller may do: with a key what the key is for, else everything that the user may.
    #[schema(example = json!(["messages:send", "messages:read", "sessions:read", "sessions:write", "webhooks:read",
        "webhooks:write"]))]
    scopes: Vec<&'static str>,
    /// `cookie`, `basic` or `api_key`.
    #[schema(example = "cookie")]
    by: &'static str,
    /// When the login or the key ends; null when it does not.
    #[schema(example = "2026-11-23T07:36:11.5Z")]
    expires_at: Option<String>,
    /// The gateway's.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// Who you are. A request that says `X-Requested-With: dashboard`, or one of a script for `application/json`, gets its
/// `401` without the header that has a browser ask for a name and a password.
#[utoipa::path(
    get, path = "/auth/me", tag = "auth", operation_id = "whoAmI",
    responses((status = 200, description = "You, as `data`", body = Me))
)]
pub(crate) async fn handler(caller: Caller) -> Response {
    json::data(Me {
        username: &caller.username,
        is_admin: caller.is_admin,
        scopes: caller.scopes().into_iter().map(domain::access::Scope::as_str).collect(),
        by: match caller.by() {
            By::Basic => "basic",
            By::Cookie => "cookie",
            By::ApiKey => "api_key",
        },
        expires_at: caller.ends_at().map(Timestamp::to_rfc3339),
        version: env!("CARGO_PKG_VERSION"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn it_says_who_one_is_and_how_one_said_so() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let me = rig.get("/auth/me").send().await.json()["data"].clone();
        assert_eq!(
            (&me["username"], &me["is_admin"], &me["by"]),
            (&json!("admin"), &json!(true), &json!("basic"))
        );
        assert_eq!((me["scopes"].as_array().unwrap().len(), &me["expires_at"]), (7, &json!(null)));
        let cookie = rig.log_in(&anna).await;
        let me = rig.get("/auth/me").cookie(&cookie).send().await.json()["data"].clone();
        let end = (rig.now() + Duration::from_hours(12)).to_rfc3339();
        assert_eq!(
            (&me["username"], &me["by"], &me["expires_at"]),
            (&json!("anna"), &json!("cookie"), &json!(end))
        );
        assert_eq!(me["scopes"].as_array().unwrap().len(), 6);
        let key = rig.key(&anna, &["messages:send"]).await;
        let me = rig.get("/auth/me").bearer(&key).send().await.json()["data"].clone();
        assert_eq!((&me["by"], &me["scopes"]), (&json!("api_key"), &json!(["messages:send"])));
    }

    #[tokio::test]
    async fn a_page_is_refused_without_a_challenge() {
        let rig = Rig::new().await;
        let table: [(&[(&'static str, &str)], bool); 4] = [
            (&[], true),
            (&[("x-requested-with", "dashboard")], false),
            (&[("accept", "application/json"), ("sec-fetch-mode", "cors")], false),
            (&[("accept", "application/json")], true),
        ];
        for (headers, challenged) in table {
            let call = rig.get("/auth/me").anonymous();
            let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
            let answer = call.send().await;
            answer.is(401, r#"{"message":"Unauthorized","code":"unauthorized"}"#);
            assert_eq!(!answer.header("www-authenticate").is_empty(), challenged, "{headers:?}");
        }
        // What the browser remembers for the old pages does not log anybody in to the new ones.
        let known = rig.get("/auth/me").header("x-requested-with", "dashboard").send().await;
        assert_eq!(known.status, 401);
    }
}
