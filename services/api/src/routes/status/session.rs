//! `GET /status/{session}`: how one session is, for a monitor that compares fields.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::{
    Timestamp,
    session::{Session, SessionState},
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    access::{self, LookupError, PathName},
    auth::Watcher,
    error::ProblemBody,
    json,
    state::ApiState,
};

/// How a session is.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionStatus<'a> {
    #[schema(example = "shop")]
    name: &'a str,
    /// It is linked and wanted, so it should be connected.
    monitored: bool,
    #[schema(value_type = String, example = "connected")]
    state: SessionState,
    connected: bool,
    credentials_present: bool,
    /// Since the last message came in or went out; since the session was made when there was none.
    #[schema(value_type = f64, example = 0.25)]
    hours_without_message: Hours,
    /// 0 while it is connected.
    #[schema(value_type = f64, example = 0)]
    hours_disconnected: Hours,
    disconnected_since: Option<String>,
    last_message_at: Option<String>,
    #[schema(example = "2026-11-22T19:36:11.5Z")]
    last_state_change_at: String,
    last_state_reason: Option<&'a str>,
}

/// Hours, counted in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hours(u32);

impl Hours {
    fn of(span: Duration) -> Self {
        const HUNDREDTH: u128 = 36_000;
        Self(u32::try_from(span.as_millis() / HUNDREDTH).unwrap_or(u32::MAX))
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Monitors that compare texts want `0`, not `0.0`.
        if self.0.is_multiple_of(100) {
            serializer.serialize_u32(self.0 / 100)
        } else {
            serializer.serialize_f64(f64::from(self.0) / 100.0)
        }
    }
}

impl<'a> SessionStatus<'a> {
    pub(super) fn of(session: &'a Session, now: Timestamp) -> Self {
        let down_since = session.disconnected_since.unwrap_or(session.since);
        let hours_disconnected = if session.connected() {
            Hours(0)
        } else {
            // Nothing that is down says 0.
            Hours::of(now.since(down_since)).at_least_one_hundredth()
        };
        Self {
            name: &session.name,
            monitored: session.expected(),
            state: session.state,
            connected: session.connected(),
            credentials_present: session.credentials_present,
            hours_without_message: Hours::of(
                now.since(session.last_message_at.unwrap_or(session.created_at)),
            ),
            hours_disconnected,
            disconnected_since: (!session.connected()).then(|| down_since.to_rfc3339()),
            last_message_at: session.last_message_at.map(Timestamp::to_rfc3339),
            last_state_change_at: session.since.to_rfc3339(),
            last_state_reason: session.reason.as_deref(),
        }
    }
}

impl Hours {
    fn at_least_one_hundredth(self) -> Self {
        Self(self.0.max(1))
    }
}

/// How one session is.
#[utoipa::path(
    get, path = "/status/{session}", tag = "status", operation_id = "sessionStatus",
    security(("basic" = []), ("api_key" = []), ("cookie" = []), ("status_token" = [])),
    params(("session" = String, Path, description = "Its name", example = "shop")),
    responses(
        (status = 200, description = "How it is", body = SessionStatus),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    watcher: Watcher,
    State(state): State<ApiState>,
    name: PathName,
) -> Result<Response, LookupError> {
    let session = match watcher {
        Watcher::Monitoring => {
            let Path(name) = name.map_err(|_| LookupError::NoSession)?;
            let session = state.database.session_by_name(&name).await?;
            session.map(Box::new).ok_or(LookupError::NoSession)?
        }
        Watcher::User(caller) => access::visible(&state.database, &caller, name).await?,
    };
    Ok(json::answer(StatusCode::OK, &SessionStatus::of(&session, state.clock.now())))
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::json;

    use super::*;
    use crate::testing::Rig;

    #[tokio::test]
    async fn one_session_is_one_object() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).by(&anna).send().await;
        runner.moves("anna_shop", SessionState::Reconnecting).await;
        let now = rig.now().to_rfc3339();
        rig.advance(Duration::from_mins(90));
        let down = json!({
            "name": "anna_shop", "monitored": true, "state": "reconnecting", "connected": false,
            "credentials_present": true, "hours_without_message": 1.5, "hours_disconnected": 1.5,
            "disconnected_since": now, "last_message_at": null, "last_state_change_at": now,
            "last_state_reason": "moved"
        });
        for name in ["anna_shop", "shop"] {
            assert_eq!(rig.get(&format!("/status/{name}")).by(&anna).send().await.json(), down);
        }
        runner.moves("anna_shop", SessionState::Connected).await;
        let up = rig.get("/status/anna_shop").send().await;
        assert!(up.body.contains(r#""hours_disconnected":0,"disconnected_since":null"#), "{}", up.body);
    }

    #[tokio::test]
    async fn what_is_not_yours_is_not_there() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("shop").await;
        for name in ["shop", "nothing", "a%2Fb", "%00", "%ff", "%E5%BA%97"] {
            let answer = rig.get(&format!("/status/{name}")).by(&anna).send().await;
            answer.fails(404, "session_not_found", "Session does not exist");
        }
    }

    #[test]
    fn hours_are_numbers_that_compare() {
        let table = [(0, "0"), (35, "0"), (36, "0.01"), (3600, "1"), (5400, "1.5"), (360_000, "100")];
        for (seconds, text) in table {
            let hours = Hours::of(Duration::from_secs(seconds));
            assert_eq!(serde_json::to_string(&hours).unwrap(), text, "{seconds} s");
        }
    }
}
