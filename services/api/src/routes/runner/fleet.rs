//! `GET /admin/fleet`: how all of it is, in a few numbers.

use axum::{extract::State, response::Response};
use domain::{Timestamp, session::SessionState};
use serde::Serialize;
use storage::{Census, Queue};
use utoipa::ToSchema;

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
    /// Messages that wait to be sent.
    #[schema(example = 3)]
    queued: i64,
    /// When the oldest of them was accepted.
    oldest_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FleetDeliveries {
    /// Webhooks that are due to endpoints that take them.
    #[schema(example = 0)]
    due: i64,
    /// Webhooks that were given up.
    #[schema(example = 12)]
    dead: i64,
    /// When the one that has waited longest came due.
    oldest_due_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FleetRunners {
    /// Their leases hold.
    #[schema(example = 3)]
    alive: i64,
    /// Of these, those that give their sessions up.
    #[schema(example = 0)]
    draining: i64,
    /// How many sessions those that take any can hold.
    #[schema(example = 15000)]
    capacity: i64,
}

impl FleetBody {
    fn of(census: &Census, now: Timestamp) -> Self {
        let oldest = |queue: Queue| queue.oldest_at(now).map(Timestamp::to_rfc3339);
        let outbound = census.outbound();
        Self {
            sessions: FleetSessions {
                expected: census.expected,
                connected: census.sessions.get(&SessionState::Connected).copied().unwrap_or_default(),
                needs_person: census.in_need(),
                unowned: census.unclaimed,
            },
            outbound: FleetOutbound { queued: outbound.waiting, oldest_at: oldest(outbound) },
            deliveries: FleetDeliveries {
                due: census.deliveries_due.waiting,
                dead: census.deliveries_dead,
                oldest_due_at: oldest(census.deliveries_due),
            },
            runners: FleetRunners {
                alive: census.runners_accepting + census.runners_leaving,
                draining: census.runners_leaving,
                capacity: census.capacity,
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
    let census = state.database.census().await?;
    Ok(json::data(FleetBody::of(&census, state.clock.now())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::session::SessionState;
    use serde_json::json;

    use crate::{state::Settings, testing::Rig};

    #[tokio::test]
    async fn an_admin_sees_how_all_of_it_is() {
        let settings = Settings { send_wait: Duration::from_millis(50), ..Settings::default() };
        let rig = Rig::with(settings).await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().connects().start().await;
        for name in ["one", "two"] {
            rig.post("/session/start", &json!({"session": name})).send().await;
        }
        runner.moves("two", SessionState::LoggedOut).await;
        runner.falls_silent();
        let order = json!({"session": "one", "to": "62811", "text": "hi"});
        assert_eq!(rig.post("/message/send-text", &order).send().await.status, 202);
        let accepted = rig.now().to_rfc3339();
        rig.advance(Duration::from_mins(1));
        let drained = rig.idle_runner("drained").await;
        rig.database.stop_accepting(drained).await.unwrap();
        let fleet = rig.get("/admin/fleet").send().await.json()["data"].clone();
        assert_eq!(
            fleet["sessions"],
            json!({"expected": 2, "connected": 1, "needs_person": 1, "unowned": 0})
        );
        assert_eq!(fleet["outbound"], json!({"queued": 1, "oldest_at": accepted}));
        assert_eq!(fleet["deliveries"], json!({"due": 0, "dead": 0, "oldest_due_at": null}));
        assert_eq!(fleet["runners"], json!({"alive": 2, "draining": 1, "capacity": 100}));
        rig.get("/admin/fleet").by(&anna).send().await.fails(403, "admin_required", "Admin access required");
    }
}
