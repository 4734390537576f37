//! `GET /admin/runners`: who holds how many sessions.

use axum::{extract::State, response::Response};
use domain::RunnerId;
use serde::Serialize;
use storage::Runner;
use utoipa::ToSchema;

use crate::{
    auth::{Admin, Caller},
    error::{Problem, ProblemBody},
    json,
    state::ApiState,
};

/// A process that holds sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunnerBody {
    #[schema(value_type = String, example = "run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: RunnerId,
    /// `RUNNER_NAME`, or its host.
    #[schema(example = "session-runner-7d9f")]
    name: String,
    #[schema(example = "0.1.0")]
    version: String,
    /// How many it holds.
    #[schema(example = 812)]
    sessions: i64,
    /// How many it can hold.
    #[schema(example = 5000)]
    capacity: i64,
    /// It gives its sessions up and takes no more.
    draining: bool,
    started_at: String,
    /// What is left of its lease. One that has run out is noticed within seconds; then others take its sessions.
    #[schema(example = 5.4)]
    lease_seconds_left: f64,
    /// The pod that it is, in a cluster.
    #[schema(example = "wa-gateway-session-runner-7d9f-x2x")]
    pod: Option<String>,
    /// The node that the pod is on.
    #[schema(example = "node-3")]
    node: Option<String>,
}

impl From<Runner> for RunnerBody {
    fn from(runner: Runner) -> Self {
        Self {
            id: runner.id,
            name: runner.name,
            version: runner.version,
            sessions: runner.sessions,
            capacity: runner.capacity,
            draining: !runner.accepting,
            started_at: runner.started_at.to_rfc3339(),
            lease_seconds_left: runner.lease_left.as_secs_f64(),
            pod: runner.place.pod,
            node: runner.place.node,
        }
    }
}

/// The runners, oldest first. Admins only.
#[utoipa::path(
    get, path = "/admin/runners", tag = "runner", operation_id = "listRunners",
    responses(
        (status = 200, description = "The runners", body = Object,
            example = json!({"data": [{
                "id": "run_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "name": "session-runner-7d9f", "version": "0.1.0",
                "sessions": 812, "capacity": 5000, "draining": false, "started_at": "2026-11-22T19:36:11.5Z",
                "lease_seconds_left": 5.4, "pod": "wa-gateway-session-runner-7d9f-x2x", "node": "node-3"
            }]})),
        (status = 403, description = "You are not an admin", body = ProblemBody,
            example = json!({"message": "Admin access required", "code": "admin_required"})),
    )
)]
pub(crate) async fn handler(_: Admin<Caller>, State(state): State<ApiState>) -> Result<Response, Problem> {
    let runners = state.database.runners().await?;
    Ok(json::data(runners.into_iter().map(RunnerBody::from).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn an_admin_sees_who_holds_what() {
        let rig = Rig::new().await;
        rig.get("/admin/runners").send().await.is(200, r#"{"data":[]}"#);
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let list = rig.get("/admin/runners").send().await.json();
        let seen = &list["data"][0];
        assert_eq!((&seen["name"], &seen["version"]), (&json!("test"), &json!("0")));
        assert_eq!((&seen["sessions"], &seen["capacity"]), (&json!(1), &json!(100)));
        assert_eq!(seen["draining"], json!(false));
        assert_eq!((&seen["pod"], &seen["node"]), (&json!(null), &json!(null)), "it is in no cluster");
        let left = seen["lease_seconds_left"].as_f64().unwrap();
        assert!(left > 3500.0 && left <= 3600.0, "{left}");
        assert!(seen["id"].as_str().unwrap().starts_with("run_"), "{seen}");
        runner.stop().await;
    }

    #[tokio::test]
    async fn nobody_else_does() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let answer = rig.get("/admin/runners").by(&anna).send().await;
        answer.fails(403, "admin_required", "Admin access required");
        assert_eq!(rig.get("/admin/runners").anonymous().send().await.status, 401);
    }
}
