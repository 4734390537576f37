//! `GET /status`: how all of the caller's sessions are. Compare `sessions_connected` with `sessions_expected`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::Watcher,
    json,
    routes::{status::session::SessionStatus, system::ready::in_words},
    state::ApiState,
};

/// How the sessions are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Fleet<'a> {
    /// How many should be connected; null when that cannot be read, which is not green.
    #[schema(example = 2)]
    sessions_expected: Option<usize>,
    #[schema(example = 2)]
    sessions_connected: Option<usize>,
    /// The names of those that should be connected and are not.
    sessions_down: Vec<&'a str>,
    sessions: Vec<SessionStatus<'a>>,
    /// `ok`, or why the numbers are missing.
    #[schema(example = "ok")]
    ready: String,
}

/// How your sessions are: expected against connected, and which are down. An admin sees the fleet.
#[utoipa::path(
    get, path = "/status", tag = "status", operation_id = "status",
    security(("basic" = []), ("api_key" = []), ("cookie" = []), ("status_token" = [])),
    responses(
        (status = 200, description = "How they are", body = Fleet),
        (status = 503, description = "The table of sessions cannot be read; `ready` says why", body = Fleet,
            example = json!({"sessions_expected": null, "sessions_connected": null, "sessions_down": [],
                "sessions": [], "ready": "the database: it cannot be reached, or it is overloaded"})),
    )
)]
pub(crate) async fn handler(watcher: Watcher, State(state): State<ApiState>) -> Response {
    let scope = match &watcher {
        Watcher::Monitoring => None,
        Watcher::User(caller) => caller.scope(),
    };
    let sessions = match state.database.sessions(scope).await {
        Ok(sessions) => sessions,
        Err(error) => {
            tracing::error!(%error, "the table of sessions cannot be read");
            let ready = format!("the database: {}", in_words(&error));
            let unknown = Fleet {
                sessions_expected: None,
                sessions_connected: None,
                sessions_down: Vec::new(),
                sessions: Vec::new(),
                ready,
            };
            return json::answer(StatusCode::SERVICE_UNAVAILABLE, &unknown);
        }
    };
    let now = state.clock.now();
    let expected = || sessions.iter().filter(|session| session.expected());
    let down: Vec<_> =
        expected().filter(|session| !session.connected()).map(|session| &*session.name).collect();
    let fleet = Fleet {
        sessions_expected: Some(expected().count()),
        sessions_connected: Some(expected().count() - down.len()),
        sessions_down: down,
        sessions: sessions.iter().map(|session| SessionStatus::of(session, now)).collect(),
        ready: "ok".to_owned(),
    };
    json::answer(StatusCode::OK, &fleet)
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::{Value, json};

    use crate::{state::Settings, testing::Rig};

    fn numbers(fleet: &Value) -> (&Value, &Value, &Value) {
        (&fleet["sessions_expected"], &fleet["sessions_connected"], &fleet["sessions_down"])
    }

    #[tokio::test]
    async fn expected_is_compared_with_connected() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().connects().start().await;
        for name in ["one", "two"] {
            rig.post("/session/start", &json!({"session": name})).by(&anna).send().await;
        }
        rig.post("/session/start", &json!({"session": "three"})).send().await;
        runner.moves("anna_two", SessionState::LoggedOut).await;
        let all = rig.get("/status").send().await.json();
        assert_eq!(numbers(&all), (&json!(3), &json!(2), &json!(["anna_two"])));
        assert_eq!((all["sessions"].as_array().unwrap().len(), &all["ready"]), (3, &json!("ok")));
        let hers = rig.get("/status").by(&anna).send().await.json();
        assert_eq!(numbers(&hers), (&json!(2), &json!(1), &json!(["anna_two"])));
    }

    #[tokio::test]
    async fn a_token_opens_it_for_monitoring_and_nothing_else() {
        let token = "t".repeat(24);
        let rig =
            Rig::with(Settings { status_token: Some(token.clone().into()), ..Settings::default() }).await;
        rig.session("shop").await;
        let by = |url: &str, token: &str| {
            rig.get(url).anonymous().header("authorization", &format!("Bearer {token}")).send()
        };
        assert_eq!(by("/status", &token).await.json()["sessions"][0]["name"], "shop");
        assert_eq!(by("/status/shop", &token).await.json()["name"], "shop");
        by("/status", "wrong").await.fails(401, "invalid_credentials", "Invalid credentials");
        by("/session", &token).await.fails(401, "unauthorized", "Unauthorized");
        rig.get("/status").anonymous().send().await.fails(401, "unauthorized", "Unauthorized");

        let short = Rig::with(Settings { status_token: Some("short".into()), ..Settings::default() }).await;
        let answer = short.get("/status").anonymous().header("authorization", "Bearer short").send().await;
        assert_eq!(answer.status, 401);
    }

    #[tokio::test]
    async fn a_lost_database_is_not_green() {
        let token = "t".repeat(24);
        let rig =
            Rig::with(Settings { status_token: Some(token.clone().into()), ..Settings::default() }).await;
        rig.database.close().await;
        let bearer = format!("Bearer {token}");
        let answer = rig.get("/status").anonymous().header("authorization", &bearer).send().await;
        assert_eq!(answer.status, 503);
        assert_eq!(numbers(&answer.json()), (&json!(null), &json!(null), &json!([])));
        assert_eq!(answer.json()["ready"], "the database: it cannot be reached, or it is overloaded");
    }
}
