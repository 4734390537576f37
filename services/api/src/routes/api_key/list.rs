//! `GET /api-keys`: the caller's keys.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::ApiKeyId;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiKeyBody;
use crate::{
    auth::Caller,
    error::ProblemBody,
    fields::QueryFields,
    json,
    listing::{self, ListError, PageSize},
    state::ApiState,
};

const PAGE: PageSize = PageSize { usual: 100, most: 100 };

/// A page of keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyPage {
    data: Vec<ApiKeyBody>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Your API keys, the newest first. Keys cannot see keys: log in, or use a name and a password.
#[utoipa::path(
    get, path = "/api-keys", tag = "auth", operation_id = "listApiKeys",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100; 100 when it is left out", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of them", body = KeyPage),
        (status = 400, description = "A limit or a cursor that is none", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    QueryFields(fields): QueryFields,
) -> Result<Response, ListError> {
    let limit = PAGE.read(&fields)?;
    let before = fields.optional_text("cursor")?.map(|cursor| cursor.parse::<ApiKeyId>()).transpose();
    let before = before.map_err(|_| fields.unfit("Invalid cursor".to_owned(), "cursor"))?;
    let keys = state.database.api_keys(caller.id, before, limit).await?;
    let next_cursor = listing::last_of_full(&keys, limit).map(|last| last.id.to_string());
    let data = keys.into_iter().map(Into::into).collect();
    Ok(json::answer(StatusCode::OK, &KeyPage { data, next_cursor }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn keys_come_in_pages_and_are_the_callers_own() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        for _ in 0..3 {
            rig.key(&anna, &["messages:send"]).await;
        }
        let (mut url, mut seen) = ("/api-keys?limit=2".to_owned(), Vec::new());
        loop {
            let answer = rig.get(&url).by(&anna).send().await;
            assert!(!answer.body.contains("\"key\""), "{}", answer.body);
            let page = answer.json();
            seen.extend(page["data"].as_array().unwrap().iter().map(|key| key["id"].clone()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            url = format!("/api-keys?limit=2&cursor={cursor}");
        }
        assert_eq!(seen.len(), 3);
        assert!(seen.is_sorted_by(|one, other| one.as_str() > other.as_str()), "the newest first: {seen:?}");
        assert_eq!(
            rig.get("/api-keys").by(&bob).send().await.json(),
            json!({"data": [], "next_cursor": null})
        );
        for (query, words) in [
            ("limit=0", "Number must be greater than or equal to 1 field 'limit' on query"),
            ("limit=101", "Number must be less than or equal to 100 field 'limit' on query"),
            ("cursor=x", "Invalid cursor field 'cursor' on query"),
        ] {
            let answer = rig.get(&format!("/api-keys?{query}")).by(&anna).send().await;
            answer.fails(400, "invalid_field", words);
        }
    }
}
