//! `GET /session/{name}/events`: the states that a session was in.

use axum::{extract::State, response::Response};
use domain::session::SessionState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, PathName},
    auth::Caller,
    error::ProblemBody,
    fields::QueryFields,
    json,
    listing::{self, ListError, PageSize},
    state::ApiState,
};

/// How many states are in one answer.
const PAGE: PageSize = PageSize { usual: 100, most: 1000 };

/// A page of a session's history.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    /// The latest first.
    events: Vec<PastState>,
    /// Ask with this as `before` for the next page; null on the last.
    next: Option<i64>,
}

/// A state that a session was in.
#[derive(Serialize, ToSchema)]
pub(crate) struct PastState {
    /// Grows with time.
    id: i64,
    #[schema(example = "2026-11-22T19:36:11.5Z")]
    at: String,
    #[schema(value_type = String, example = "reconnecting")]
    state: SessionState,
    /// Why it came to that.
    #[schema(example = "stream ended")]
    reason: Option<String>,
}

/// The states that a session was in, the latest first.
#[utoipa::path(
    get, path = "/session/{name}/events", tag = "session", operation_id = "sessionEvents",
    params(
        ("name" = String, Path, description = "The session", example = "shop"),
        ("limit" = Option<u32>, Query, description = "How many, 1 to 1000; 100 when it is left out", example = 100),
        ("before" = Option<i64>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page, as `data`", body = History, example = json!({"data": {"events": [
            {"id": 12, "at": "2026-11-22T19:36:11.5Z", "state": "connected", "reason": null},
            {"id": 11, "at": "2026-11-22T19:36:10Z", "state": "reconnecting", "reason": "stream ended"}],
            "next": null}})),
        (status = 400, description = "A limit that is none", body = ProblemBody),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: PathName,
    QueryFields(fields): QueryFields,
) -> Result<Response, ListError> {
    let limit = PAGE.read(&fields)?;
    let before = fields.optional_count("before", 0..)?;
    let session = access::visible(&state.database, &caller, name).await?;
    let states = state.database.past_states(session.id, before, limit).await?;
    let next = listing::last_of_full(&states, limit).map(|last| last.position);
    let events = states.into_iter().map(|past| PastState {
        id: past.position,
        at: past.at.to_rfc3339(),
        state: past.state,
        reason: past.reason,
    });
    Ok(json::data(History { events: events.collect(), next }))
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState as S;
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn the_history_comes_in_pages_the_latest_first() {
        let rig = Rig::new().await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        for state in [S::Reconnecting, S::Connected, S::LoggedOut] {
            runner.moves("shop", state).await;
        }
        let (mut url, mut states) = ("/session/shop/events?limit=2".to_owned(), Vec::new());
        loop {
            let page = rig.get(&url).send().await.json()["data"].clone();
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= 2);
            states.extend(events.iter().map(|event| event["state"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_i64() else { break };
            url = format!("/session/shop/events?limit=2&before={next}");
        }
        assert_eq!(states, ["logged_out", "connected", "reconnecting", "connected", "connecting"]);
        let first = rig.get("/session/shop/events").send().await.json()["data"]["events"][0].clone();
        assert_eq!((&first["reason"], &first["at"]), (&json!("moved"), &json!(rig.now().to_rfc3339())));
    }

    #[tokio::test]
    async fn bad_pages_and_strangers_see_nothing() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        for (query, words) in [
            ("limit=0", "Number must be greater than or equal to 1 field 'limit' on query"),
            ("limit=1001", "Number must be less than or equal to 1000 field 'limit' on query"),
            ("limit=x", "Expected a whole number field 'limit' on query"),
            ("before=-1", "Number must be greater than or equal to 0 field 'before' on query"),
        ] {
            let answer = rig.get(&format!("/session/shop/events?{query}")).send().await;
            answer.fails(400, "invalid_field", words);
        }
        let anna = rig.user("anna").await;
        let answer = rig.get("/session/shop/events").by(&anna).send().await;
        answer.fails(404, "session_not_found", "Session does not exist");
    }
}
