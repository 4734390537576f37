//! `GET /session`: the names of the caller's sessions.

use axum::{extract::State, response::Response};

use crate::{auth::Caller, error::Problem, json, state::ApiState};

/// The names of your sessions; an admin sees everybody's.
#[utoipa::path(
    get, path = "/session", tag = "session", operation_id = "listSessions",
    responses((status = 200, description = "Names, in order", body = Object,
        example = json!({"data": ["anna_shop", "anna_support"]})))
)]
pub(crate) async fn handler(caller: Caller, State(state): State<ApiState>) -> Result<Response, Problem> {
    let names = state.database.session_names(caller.scope()).await?;
    Ok(json::data(&*names))
}

#[cfg(test)]
mod tests {
    use crate::testing::Rig;

    #[tokio::test]
    async fn an_admin_sees_all_and_a_user_sees_their_own() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("shop").await;
        rig.session_of(&anna, "anna_b").await;
        rig.session_of(&anna, "anna_a").await;
        rig.get("/session").send().await.is(200, r#"{"data":["anna_a","anna_b","shop"]}"#);
        rig.get("/session").by(&anna).send().await.is(200, r#"{"data":["anna_a","anna_b"]}"#);
        let bob = rig.user("bob").await;
        rig.get("/session").by(&bob).send().await.is(200, r#"{"data":[]}"#);
    }

    #[tokio::test]
    async fn a_lost_database_is_said_without_its_details() {
        let rig = Rig::new().await;
        assert_eq!(rig.get("/session").send().await.status, 200);
        rig.database.close().await;
        let answer = rig.get("/session").send().await;
        answer.fails(503, "database_unavailable", "The database is not available, try again later");
        assert_eq!(answer.header("retry-after"), "1");
    }
}
