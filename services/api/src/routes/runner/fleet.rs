//! `GET /admin/fleet`: how all of it is, in a few numbers.

use axum::{extract::State, response::Response};
use domain::Timestamp;
use serde::Serialize;
use storage::{FleetCounts, Runner};
use utoipa::ToSchema;

use super::takes_sessions;
use crate::{
    auth::{Admin, Caller},
    error::{Problem, ProblemBody},
    json,
    state::ApiState,
};

/// How all of it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct FleetBody {
    sessions: FleetSessions,
    outbound: FleetOutbound,
    deliveries: FleetDeliveries,
    runners: FleetRunners,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FleetSessions {
    /// They are linked and wanted, so they should be connected.
    #[schema(example = 1000)]
    expected: i64,
    #[schema(example = 998)]
    connected: i64,
    /// Waiting does not help them.
    #[schema(example = 2)]
    needs_person: i64,
    /// They should run, and no runner holds them.
    #[schema(example = 0)]
    unowned: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FleetOutbound {
    /// Messages that wait to be sent, counted up to 100,000.
    #[schema(example = 3)]
    queued: i64,
    /// When the oldest of them was accepted.
    oldest_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FleetDeliveries {
    /// Webhooks that are due, counted up to 100,000.
    #[schema(example = 0)]
    due: i64,
    /// Webhooks that were given up, counted up to 100,000.
    #[schema(example = 12)]
    dead: i64,
    /// When the one that has waited longest came due.
    oldest_due_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FleetRunners {
    /// Their leases hold.
    #[schema(example = 3)]
    alive: usize,
    /// Of these, those that give their sessions up.
    #[schema(example = 0)]
    draining: usize,
    /// How many sessions those that take any can hold.
    #[schema(example = 15000)]
    capacity: i64,
}

impl FleetBody {
    fn of(counts: &FleetCounts, runners: &[Runner]) -> Self {
        let alive = || runners.iter().filter(|runner| !runner.lease_left.is_zero());
        let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        Self {
            sessions: FleetSessions {
                expected: counts.expected,
                connected: counts.connected,
                needs_person: counts.needs_person,
                unowned: counts.unowned,
            },
            outbound: FleetOutbound { queued: counts.queued, oldest_at: time(counts.oldest_queued_at) },
            deliveries: FleetDeliveries {
                due: counts.due,
                dead: counts.dead,
                oldest_due_at: time(counts.oldest_due_at),
            },
            runners: FleetRunners {
                alive: alive().count(),
                draining: alive().filter(|runner| !runner.accepting).count(),
                capacity: runners.iter().filter(|runner| takes_sessions(runner)).map(|r| r.capacity).sum(),
            },
        }
    }
}

/// How all of it is: sessions, queues, webhooks, runners. Admins only.
#[utoipa::path(
    get, path = "/admin/fleet", tag = "runner", operation_id = "fleet",
    responses(
        (status = 200, description = "The numbers, as `data`", body = FleetBody),
        (status = 403, description = "You are not an admin", body = ProblemBody,
            example = json!({"message": "Admin access required", "code": "admin_required"})),
    )
)]
pub(crate) async fn handler(_: Admin<Caller>, State(state): State<ApiState>) -> Result<Response, Problem> {
    let counts = state.database.fleet_counts().await?;
    let runners = state.database.runners().await?;
    Ok(json::data(FleetBody::of(&counts, &runners)))
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn an_admin_sees_how_all_of_it_is() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().connects().start().await;
        for name in ["one", "two"] {
            rig.post("/session/start", &json!({"session": name})).send().await;
        }
        runner.moves("two", SessionState::LoggedOut).await;
        let drained = rig.idle_runner("drained").await;
        rig.database.stop_accepting(drained).await.unwrap();
        let fleet = rig.get("/admin/fleet").send().await.json()["data"].clone();
        assert_eq!(
            fleet["sessions"],
            json!({"expected": 2, "connected": 1, "needs_person": 1, "unowned": 0})
        );
        assert_eq!(fleet["outbound"], json!({"queued": 0, "oldest_at": null}));
        assert_eq!(fleet["deliveries"], json!({"due": 0, "dead": 0, "oldest_due_at": null}));
        assert_eq!(fleet["runners"], json!({"alive": 2, "draining": 1, "capacity": 100}));
        rig.get("/admin/fleet").by(&anna).send().await.fails(403, "admin_required", "Admin access required");
    }
}
