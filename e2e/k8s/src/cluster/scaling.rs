//! Two real session runners with the runners' own token: one leads, the other takes over; the leader makes the
//! Deployment larger and smaller, and marks the emptiest pods before they go.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use domain::{RunnerId, SystemClock};
use e2e::{
    Storage, World,
    cluster::{Member, Role, Shared},
};
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api,
    api::{ListParams, WatchEvent, WatchParams},
};
use scratch::{nats_url, postgres_url, wait_for};
use sqlx::PgPool;
use storage::{Database, Options, Placement, RunnerRegistration};

use super::{Ground, PATIENCE};
use crate::suite::Suite;

const RUNNER: &str = "wa-wa-gateway-session-runner";
const COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SELECTOR: &str = "app.kubernetes.io/component=session-runner,app.kubernetes.io/instance=wa";

pub(super) async fn check(suite: &mut Suite, ground: &Ground) {
    let mut stage = Stage::set(ground).await;
    suite.check("one of two runners leads", stage.elects()).await;
    suite.check("sessions come: the Deployment grows at once", stage.grows()).await;
    suite.check("sessions go: it shrinks one by one, the emptiest pods first", stage.shrinks()).await;
    suite.check("helm upgrade leaves the size to it", stage.upgrade_keeps_size()).await;
    let mut took = Duration::ZERO;
    suite.check("the leader dies: the other leads", async { took = stage.fails_over().await }).await;
    suite.say(format_args!("                  … {:.1} s after the kill", took.as_secs_f64()));
    suite.check("the leader stops: the other leads", async { took = stage.hands_over().await }).await;
    suite.say(format_args!("                  … {:.1} s after the signal", took.as_secs_f64()));
    suite.check("pods and nodes are in /admin/runners", stage.seen_by_operators()).await;
}

/// What was seen of a pod: its cost when that was set, and its end.
type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

struct Stage<'a> {
    ground: &'a Ground,
    runners: [Member; 2],
    api: Member,
    world: World,
    database: Database,
    pool: PgPool,
    /// Stands for whoever holds sessions before their pods are known.
    nowhere: RunnerId,
    pods: BTreeMap<String, RunnerId>,
    sessions: u128,
}

impl<'a> Stage<'a> {
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    async fn set(ground: &'a Ground) -> Self {
        let world = World::new(Storage::Postgres).await;
        let shared = Shared {
            database: postgres_url().expect("PostgreSQL"),
            nats: nats_url().expect("NATS"),
            whatsapp: world.whatsapp.chat_url(),
            webhooks: world.webhooks.url(),
            settings: vec![("NATS_PREFIX".to_owned(), "k8s".to_owned())],
        };
        let keys = Arc::new(secrets::KeyRing::parse(&secrets::KeyRing::generate()).expect("keys"));
        let options = Options::new(&shared.database);
        let database = Database::open(&options, keys, Arc::new(SystemClock)).await.expect("the database");
        let pool = PgPool::connect(&shared.database).await.expect("the database");
        let (_, token) = ground.as_account(RUNNER).await;
        let settings = settings_of_pods(ground).await;
        let mut runners = [
            Member::prepare(&shared, Role::SessionRunner, "one").await,
            Member::prepare(&shared, Role::SessionRunner, "two").await,
        ];
        for (number, runner) in runners.iter_mut().enumerate() {
            lead_by(runner, &settings, &token);
            runner.set("POD_NAMESPACE", &ground.namespace);
            runner.set("POD_NAME", &format!("pod-{number}"));
            runner.set("NODE_NAME", &format!("node-{number}"));
            runner.set("AUTOSCALE_INTERVAL_SECONDS", "0.3");
        }
        let mut api = Member::prepare(&shared, Role::Api, "api").await;
        // It makes the admin, whose the sessions are.
        api.up().await;
        let nowhere = register(&database, None).await;
        Self { ground, runners, api, world, database, pool, nowhere, pods: BTreeMap::new(), sessions: 0 }
    }

    fn deployments(&self) -> Api<Deployment> {
        self.ground.api()
    }

    async fn size(&self) -> i32 {
        let deployment = self.deployments().get(RUNNER).await;
        deployment.ok().and_then(|deployment| deployment.spec).and_then(|spec| spec.replicas).unwrap_or(-1)
    }

    /// The pod in the name of the one that leads.
    async fn leader(&self) -> String {
        let leases: Api<Lease> = self.ground.api();
        let holder = leases.get(RUNNER).await.ok().and_then(|lease| lease.spec?.holder_identity);
        holder.unwrap_or_default().split('_').next().unwrap_or_default().to_owned()
    }

    async fn pod_names(&self) -> Vec<String> {
        let pods: Api<Pod> = self.ground.api();
        let list = pods.list(&ListParams::default().labels(SELECTOR)).await;
        list.map(|list| list.items)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|pod| pod.metadata.name)
            .collect()
    }

    async fn elects(&mut self) {
        for runner in &mut self.runners {
            runner.up().await;
        }
        wait_for(PATIENCE, async || self.leader().await.starts_with("pod-")).await;
        let said: Vec<bool> =
            self.runners.iter().map(|runner| runner.log().contains("this runner now decides")).collect();
        assert!(said == [true, false] || said == [false, true], "{said:?}");
    }

    /// 35 sessions of ten a runner, and one to spare.
    async fn grows(&mut self) {
        self.hold(self.nowhere, 35).await;
        wait_for(PATIENCE, async || self.size().await == 5).await;
        wait_for(PATIENCE, async || self.pod_names().await.len() == 5).await;
    }

    /// 15 sessions are left on five pods: two of these are too many.
    async fn shrinks(&mut self) {
        for (pod, sessions) in self.pod_names().await.into_iter().zip([5, 1, 4, 5, 0]) {
            let runner = register(&self.database, Some(&pod)).await;
            self.hold(runner, sessions).await;
            self.pods.insert(pod, runner);
        }
        let expected: Vec<String> = {
            let names: Vec<_> = self.pod_names().await;
            vec![names[4].clone(), names[1].clone()]
        };
        let seen = Seen::default();
        let watching = watch(self.ground, Arc::clone(&seen));
        let shrinking = async {
            self.execute(&format!("DELETE FROM sessions WHERE runner_id = '{}'::uuid", self.nowhere.uuid()))
                .await;
            wait_for(PATIENCE, async || {
                // What a runner that ends does itself.
                let gone: Vec<String> = seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .iter()
                    .filter(|(_, cost)| cost.is_none())
                    .map(|(pod, _)| pod.clone())
                    .collect();
                for pod in gone {
                    if let Some(runner) = self.pods.get(&pod) {
                        self.database.remove_runner(*runner).await.unwrap_or_default();
                    }
                }
                self.size().await == 3 && self.pod_names().await.len() == 3
            })
            .await;
        };
        tokio::select! {
            () = watching => {}
            () = shrinking => {}
        }
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let marked: Vec<_> = seen.iter().filter(|(_, cost)| cost.is_some()).cloned().collect();
        let gone: Vec<_> =
            seen.iter().filter(|(_, cost)| cost.is_none()).map(|(pod, _)| pod.clone()).collect();
        assert_eq!(gone, expected, "the emptiest went first: {seen:?}");
        let costs: Vec<_> = expected.iter().map(|pod| (pod.clone(), Some("-1".to_owned()))).collect();
        assert_eq!(marked, costs, "each was marked before it went, and no other: {seen:?}");
        // One at a time.
        assert!(seen.windows(2).all(|pair| pair[0].1.is_some() != pair[1].1.is_some()), "{seen:?}");
    }

    async fn upgrade_keeps_size(&self) {
        super::release::upgrade_again(self.ground);
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            assert_eq!(self.size().await, 3);
            tokio::task::yield_now().await;
        }
    }

    /// The one that leads, and the other.
    async fn roles(&self) -> (usize, usize) {
        wait_for(PATIENCE, async || self.leader().await.starts_with("pod-")).await;
        if self.leader().await == "pod-0" { (0, 1) } else { (1, 0) }
    }

    async fn fails_over(&mut self) -> Duration {
        let (leader, other) = self.roles().await;
        let began = Instant::now();
        self.runners[leader].kill();
        let successor = format!("pod-{other}");
        wait_for(PATIENCE, async || self.leader().await == successor).await;
        let took = began.elapsed();
        // It leads indeed: sessions come, and the Deployment grows.
        let runner = self.pods.values().next().copied().unwrap_or(self.nowhere);
        self.hold(runner, 20).await;
        wait_for(PATIENCE, async || self.size().await == 5).await;
        self.runners[leader].up().await;
        took
    }

    async fn hands_over(&mut self) -> Duration {
        let (leader, other) = self.roles().await;
        let began = Instant::now();
        let (code, _) = self.runners[leader].terminate().await;
        assert_eq!(code, Some(0));
        let successor = format!("pod-{other}");
        wait_for(PATIENCE, async || self.leader().await == successor).await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "it was given, not waited for: {took:?}");
        self.runners[leader].up().await;
        took
    }

    async fn seen_by_operators(&self) {
        let list = self.api.rest().get("/admin/runners").await;
        for number in 0..2 {
            let (pod, node) = (format!("pod-{number}"), format!("node-{number}"));
            let found = list.json["data"].as_array().into_iter().flatten();
            let mut found =
                found.filter(|runner| runner["pod"] == pod.as_str() && runner["node"] == node.as_str());
            assert!(found.next().is_some(), "{}", list.text);
        }
        assert!(!self.world.whatsapp.chat_url().is_empty());
    }

    /// Gives a runner so many sessions that are connected.
    async fn hold(&mut self, runner: RunnerId, count: u32) {
        for _ in 0..count {
            self.sessions += 1;
            let id = format!("{:032x}", self.sessions);
            self.execute(&format!(
                "INSERT INTO sessions (id, user_id, name, wanted, state, since, created_at, runner_id, token)
                 VALUES ('{id}'::uuid, 1, 'session-{id}', TRUE, 'connected', 1, 1, '{}'::uuid, 1)",
                runner.uuid()
            ))
            .await;
        }
    }

    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    async fn execute(&self, sql: &str) {
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.expect("the statement");
    }
}

/// A runner that does nothing but hold sessions.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
async fn register(database: &Database, pod: Option<&str>) -> RunnerId {
    let id = RunnerId::new();
    let place = Placement { pod: pod.map(str::to_owned), node: None };
    let runner =
        RunnerRegistration { id, name: "stands for a pod".into(), version: "0".into(), capacity: 100, place };
    database.register_runner(&runner, Duration::from_hours(1)).await.expect("the database");
    id
}

/// What the chart sets in the runners' pods, but for what is different here.
async fn settings_of_pods(ground: &Ground) -> Vec<(String, String)> {
    let deployments: Api<Deployment> = ground.api();
    let pod = deployments.get(RUNNER).await.ok().and_then(|deployment| deployment.spec?.template.spec);
    let variables =
        pod.into_iter().flat_map(|pod| pod.containers).filter_map(|container| container.env).flatten();
    variables.filter_map(|variable| Some((variable.name, variable.value?))).collect()
}

fn lead_by(runner: &mut Member, settings: &[(String, String)], token: &Path) {
    let mut scales = false;
    for (name, value) in settings {
        if name.starts_with("AUTOSCALE_") || name == "RUNNER_CAPACITY" {
            runner.set(name, value);
            scales |= name == "AUTOSCALE_DEPLOYMENT";
        }
    }
    assert!(scales, "the chart turns it on: {settings:?}");
    runner.set("KUBECONFIG", &token.display().to_string());
}

/// Notes the costs that pods are given, and which end, in their order.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
async fn watch(ground: &Ground, seen: Seen) {
    let pods: Api<Pod> = ground.api();
    let list = pods.list(&ListParams::default().labels(SELECTOR)).await.expect("the pods");
    let since = list.metadata.resource_version.unwrap_or_default();
    let events = pods.watch(&WatchParams::default().labels(SELECTOR), &since).await.expect("a watch");
    pin_mut!(events);
    let mut costs: BTreeMap<String, Option<String>> = BTreeMap::new();
    while let Some(event) = events.next().await {
        let (pod, ended) = match event.expect("an event") {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => (pod, false),
            WatchEvent::Deleted(pod) => (pod, true),
            WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
        };
        let name = pod.metadata.name.unwrap_or_default();
        let cost = pod.metadata.annotations.and_then(|mut all| all.remove(COST));
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if ended {
            seen.push((name, None));
        } else if cost.is_some() && costs.get(&name) != Some(&cost) {
            seen.push((name.clone(), cost.clone()));
            costs.insert(name, cost);
        }
    }
}
