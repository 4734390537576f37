//! What the gateway does with Kubernetes, where it runs in a cluster and is told to: the session runners size their own
//! Deployment. Outside of a cluster nothing of this runs.
//!
//! - [`election`]: one of the runners decides, the one that holds a coordination Lease.
//! - [`scaling`]: how many runners there should be, from sessions and capacity. Pure.
//! - [`costs`]: which of them goes when there are too many: the emptiest. Pure.
//! - [`cluster`]: the few questions and orders for the API server, and no right for more is needed.
//!
//! A leader that has lost its Lease without noticing can do little harm: every order carries the version of what it
//! was decided from, and the API server refuses it when that has changed.

mod cluster;
mod costs;
mod election;
mod scaling;
#[cfg(test)]
mod testing;

use std::{collections::HashMap, time::Duration};

use domain::SharedClock;
use kube::Client;
use storage::Database;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub use crate::scaling::Limits;
use crate::{
    cluster::{Cluster, Refusal},
    election::{Election, Timing},
    scaling::{Decision, Scaler, Seen},
};

/// What the autoscaler works with.
#[derive(Clone)]
pub struct Parts {
    pub database: Database,
    pub clock: SharedClock,
}

/// What it scales, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who this process is among those that could lead; unlike any other, also after a restart.
    pub identity: String,
    /// The namespace of all that follows; else that of the service account.
    pub namespace: Option<String>,
    /// The Deployment of the session runners.
    pub deployment: String,
    /// The coordination Lease; it must be there.
    pub lease: String,
    pub limits: Limits,
    /// How often it looks.
    pub interval: Duration,
}

/// There is no way to the API server.
#[derive(Debug, thiserror::Error)]
#[error("there is no Kubernetes to ask: {0}")]
pub struct NoCluster(String);

/// Sizes the Deployment of the session runners, while it is elected.
#[derive(Clone)]
pub struct Autoscaler {
    parts: Parts,
    settings: Settings,
    cluster: Cluster,
}

impl Autoscaler {
    /// Prepares the way to the API server: from inside a pod as its service account, else as `KUBECONFIG` says. Asks
    /// nothing yet.
    pub async fn connect(parts: Parts, settings: Settings) -> Result<Self, NoCluster> {
        let client = Client::try_default().await.map_err(|error| NoCluster(error.to_string()))?;
        Ok(Self::with_client(parts, settings, client))
    }

    /// The same with a client that is there already.
    #[must_use]
    pub fn with_client(parts: Parts, settings: Settings, client: Client) -> Self {
        let cluster =
            Cluster::new(client, settings.namespace.as_deref(), &settings.deployment, &settings.lease);
        Self { parts, settings, cluster }
    }

    /// Stands by, leads when elected, and steps down at `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut election = Election::new(
            self.cluster.clone(),
            self.settings.identity.clone(),
            std::sync::Arc::clone(&self.parts.clock),
            Timing::default(),
        );
        while election.win(&stop).await {
            tracing::info!(lease = self.settings.lease, "this runner now decides how many runners there are");
            tokio::select! {
                () = election.keep() => {
                    tracing::warn!("another runner decides how many there are, or nobody could be asked");
                }
                () = self.lead() => {}
                () = stop.cancelled() => {}
            }
        }
        election.step_down().await;
    }

    /// Looks and acts, for as long as it leads.
    async fn lead(&self) {
        // Who led before may have seen more than we have: nothing shrinks before we have looked for as long ourselves.
        let mut scaler = Scaler::new(self.settings.limits, Instant::now());
        let mut ticks = tokio::time::interval(self.settings.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = Said::default();
        loop {
            ticks.tick().await;
            match self.look_and_act(&mut scaler, &mut said).await {
                Ok(()) => said.error.clear(),
                Err(problem) => {
                    let text = problem.to_string();
                    if text != said.error {
                        tracing::warn!(error = text, "the runners cannot be scaled; trying again");
                        said.error = text;
                    }
                }
            }
        }
    }

    async fn look_and_act(&self, scaler: &mut Scaler, said: &mut Said) -> Result<(), Problem> {
        let (sessions, _) = self.parts.database.session_counts().await?;
        let scale = self.cluster.scale().await?;
        let seen = Seen { sessions, replicas: scale.replicas, pods: scale.pods };
        let short = scaler.falls_short(sessions);
        if short && !said.short {
            tracing::warn!(
                sessions,
                max = self.settings.limits.max,
                "there are more sessions than the runners can hold: raise AUTOSCALE_MAX"
            );
        }
        said.short = short;
        match scaler.decide(seen, Instant::now()) {
            Decision::Stay => {}
            Decision::Grow { to } => {
                self.cluster.resize(&scale, to).await?;
                tracing::info!(from = scale.replicas, to, sessions, "more session runners");
            }
            Decision::Shrink { to } => {
                let pods = self.cluster.pods(&scale.selector).await?;
                if pods.iter().any(|pod| pod.leaving) {
                    // One at a time: what it gives must have found its place first.
                    return Ok(());
                }
                let held = self.held().await?;
                let go = pods.len().saturating_sub(usize::try_from(to).unwrap_or(usize::MAX));
                for change in costs::changes(&pods, &held, go) {
                    self.cluster.set_cost(&change).await?;
                }
                self.cluster.resize(&scale, to).await?;
                tracing::info!(from = scale.replicas, to, sessions, "fewer session runners");
            }
        }
        Ok(())
    }

    /// How many sessions the pods hold, by their names.
    async fn held(&self) -> Result<HashMap<String, u64>, Problem> {
        let mut held = HashMap::new();
        for runner in self.parts.database.runners().await? {
            if let Some(pod) = runner.place.pod {
                *held.entry(pod).or_default() += u64::try_from(runner.sessions).unwrap_or(0);
            }
        }
        Ok(held)
    }
}

/// What was said last, so that nothing is said at every look.
#[derive(Default)]
struct Said {
    error: String,
    short: bool,
}

/// Why a look did not end in an act.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Cluster(#[from] Refusal),
    #[error("the database: {0}")]
    Database(#[from] storage::Error),
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{RunnerId, SystemClock};
    use http::Method;
    use serde_json::{Value, json};
    use storage::{Options, Placement, RunnerRegistration};

    use super::*;
    use crate::testing::ApiServer;

    const SCALE: &str = "/apis/apps/v1/namespaces/ns/deployments/runners/scale";

    fn pod(name: &str) -> String {
        format!("/api/v1/namespaces/ns/pods/{name}")
    }

    fn size(replicas: u32) -> Value {
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "runners"},
               "spec": {"replicas": replicas}, "status": {"replicas": replicas, "selector": "app=runner"}})
    }

    struct Rig {
        autoscaler: Autoscaler,
        server: ApiServer,
        scaler: Scaler,
        said: Said,
        _folder: scratch::Dir,
    }

    impl Rig {
        async fn new(limits: Limits) -> Self {
            let folder = scratch::Dir::new();
            let options = Options::new(format!("sqlite:{}", folder.join("test.db").display()));
            let keys = Arc::new(secrets::KeyRing::parse(&secrets::KeyRing::generate()).unwrap());
            let clock: SharedClock = Arc::new(SystemClock);
            let database = Database::open(&options, keys, Arc::clone(&clock)).await.unwrap();
            let settings = Settings {
                identity: "me".to_owned(),
                namespace: None,
                deployment: "runners".to_owned(),
                lease: "runners".to_owned(),
                limits,
                interval: Duration::from_secs(1),
            };
            let server = ApiServer::default();
            let autoscaler = Autoscaler::with_client(Parts { database, clock }, settings, server.client());
            let scaler = Scaler::new(limits, Instant::now());
            Self { autoscaler, server, scaler, said: Said::default(), _folder: folder }
        }

        async fn register(&self, pod: &str) {
            let place = Placement { pod: Some(pod.to_owned()), node: None };
            let runner = RunnerRegistration {
                id: RunnerId::new(),
                name: "r".into(),
                version: "1".into(),
                capacity: 10,
                place,
            };
            let lease = Duration::from_mins(1);
            self.autoscaler.parts.database.register_runner(&runner, lease).await.unwrap();
        }

        async fn look(&mut self) -> Result<(), Problem> {
            self.autoscaler.look_and_act(&mut self.scaler, &mut self.said).await
        }

        fn orders(&self) -> Vec<(Method, String, Value)> {
            let written = self.server.written().into_iter();
            let told = |body: &Value| {
                let cost = &body["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"];
                if body["spec"].is_object() { body["spec"]["replicas"].clone() } else { cost.clone() }
            };
            written.map(|(method, path, body)| (method, path, told(&body))).collect()
        }
    }

    const LIMITS: Limits = Limits { min: 1, max: 5, spare: 0, capacity: 10, stabilisation: Duration::ZERO };

    #[tokio::test]
    async fn too_few_become_more_at_once() {
        let mut rig = Rig::new(Limits { min: 3, ..LIMITS }).await;
        rig.server.put(SCALE, size(1));
        rig.look().await.unwrap();
        assert_eq!(rig.orders(), [(Method::PUT, SCALE.to_owned(), json!(3))]);
        rig.server.put(SCALE, size(3));
        rig.look().await.unwrap();
        assert_eq!(rig.orders().len(), 1, "that is enough");
    }

    #[tokio::test]
    async fn the_emptiest_is_marked_before_one_goes() {
        let mut rig = Rig::new(Limits { min: 2, ..LIMITS }).await;
        rig.server.put(SCALE, size(3));
        for name in ["a", "b", "c"] {
            rig.server.put(&pod(name), json!({"metadata": {"name": name, "annotations": {}}}));
        }
        for name in ["a", "b", "c"] {
            rig.register(name).await;
        }
        // Somebody is still on its way out.
        rig.server
            .put(&pod("z"), json!({"metadata": {"name": "z", "deletionTimestamp": "2026-11-23T00:00:00Z"}}));
        rig.look().await.unwrap();
        assert_eq!(rig.orders(), []);
        rig.server.remove(&pod("z"));
        rig.look().await.unwrap();
        let (patch, put) =
            ((Method::PATCH, pod("a"), json!("-1")), (Method::PUT, SCALE.to_owned(), json!(2)));
        assert_eq!(rig.orders(), [patch, put]);
    }

    #[tokio::test]
    async fn what_is_not_there_is_said() {
        let mut rig = Rig::new(LIMITS).await;
        let said = rig.look().await.unwrap_err().to_string();
        assert_eq!(said, "scale of Deployment runners is not there");
    }
}
