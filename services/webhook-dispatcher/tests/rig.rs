//! A gateway's storage and bus, with everything that a dispatcher needs.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bus::{Bus, messages::Hint, subjects};
use domain::{
    Fence, ManualClock, RunnerId, SharedClock, SystemClock, Timestamp, UserId, event::InboundMessage,
};
use egress::EgressOptions;
use secrets::KeyRing;
use storage::{Database, DeliveryCounts, NewUser, Options, RunnerRegistration, Started};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webhook_dispatcher::{Dispatcher, Parts, Settings};

pub struct Rig {
    pub parts: Parts,
    /// The clock, when the test sets it.
    pub clock: Arc<ManualClock>,
    runner: RunnerId,
    #[expect(dead_code, reason = "held until the end")]
    folder: Option<TempDir>,
}

/// A dispatcher at work.
pub struct Running {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

pub const NOON: Timestamp = Timestamp(1_800_000_000_000);

impl Rig {
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOON));
        Self::on(clock.clone(), clock, true).await
    }

    /// With the machine's clock, for what is measured.
    pub async fn real_time() -> Self {
        Self::on(Arc::new(SystemClock), Arc::default(), true).await
    }

    /// Where users' webhooks cannot go to this machine.
    pub async fn strict() -> Self {
        let clock = Arc::new(ManualClock::at(NOON));
        Self::on(clock.clone(), clock, false).await
    }

    /// Two processes on one PostgreSQL, with the machine's clock.
    pub async fn pair() -> (Self, Self) {
        let url = scratch::postgres_url().unwrap();
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        let one = Self::open(&url, keys.clone(), Arc::new(SystemClock), Arc::default(), true).await;
        let other = Self::open(&url, keys, Arc::new(SystemClock), Arc::default(), true).await;
        (one, other)
    }

    async fn on(shared: SharedClock, clock: Arc<ManualClock>, loopback: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self { folder: Some(folder), ..Self::open(&url, keys, shared, clock, loopback).await }
    }

    async fn open(
        url: &str,
        keys: KeyRing,
        shared: SharedClock,
        clock: Arc<ManualClock>,
        loopback: bool,
    ) -> Self {
        let database =
            Database::open(&Options::new(url), Arc::new(keys.clone()), Arc::clone(&shared)).await.unwrap();
        database.put_admin("admin", "hash").await.unwrap();
        let runner = RunnerId::new();
        let registration = RunnerRegistration {
            id: runner,
            name: "runner".into(),
            version: "0".into(),
            capacity: 1000,
            place: storage::Placement::default(),
        };
        database.register_runner(&registration, Duration::from_mins(10)).await.unwrap();
        let allow = if loopback { vec!["127.0.0.0/8".parse().unwrap()] } else { Vec::new() };
        let egress = egress::Client::new(EgressOptions { allow, ..EgressOptions::default() }).unwrap();
        let parts = Parts { database, bus: Bus::local(), egress, keys, clock: shared };
        Self { parts, clock, runner, folder: None }
    }

    /// A session of the admin, whose webhooks go to `base`.
    pub async fn with_base(base: &str) -> (Self, Fence) {
        let rig = Self::new().await;
        rig.parts.database.set_base_endpoint(Some(base)).await.unwrap();
        let fence = rig.session(UserId::ADMIN, "shop").await;
        (rig, fence)
    }

    pub async fn user(&self, name: &str, callback: &str) -> UserId {
        let user = NewUser { username: name.into(), password_hash: "hash".into() };
        let id = self.parts.database.create_user(&user).await.unwrap().unwrap().id;
        self.parts.database.set_callback(id, Some(callback)).await.unwrap();
        id
    }

    /// A session without the webhooks about its start.
    pub async fn session(&self, user: UserId, name: &str) -> Fence {
        let database = &self.parts.database;
        assert!(matches!(database.start_session(user, name).await.unwrap(), Started::Session(_)));
        let claimed = database.claim_sessions(self.runner, 1).await.unwrap();
        self.forget_due().await;
        claimed[0].fence
    }

    async fn forget_due(&self) {
        let database = &self.parts.database;
        for delivery in database.claim_deliveries(100, Duration::from_mins(1), &[]).await.unwrap().deliveries
        {
            let settlement = storage::Settlement {
                delivery: delivery.id,
                endpoint: delivery.endpoint,
                attempts: 1,
                at: self.parts.clock.now(),
                duration: Duration::ZERO,
                status: Some(200),
                answer: None,
                next: domain::webhook::Next::Done,
            };
            assert!(database.settle_delivery(settlement).await.unwrap());
        }
    }

    /// Messages come in, in one commit, and dispatchers hear of it.
    pub async fn receive(&self, fence: Fence, messages: Vec<InboundMessage>) {
        let count = messages.len();
        let committed = self.parts.database.commit_inbound(fence, messages).await.unwrap();
        assert_eq!(committed.new, count);
        self.hint();
    }

    pub fn hint(&self) {
        self.parts.bus.publish(&subjects::deliveries_due(), &Hint::DeliveriesDue);
    }

    /// Lets time pass, and dispatchers look.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.hint();
    }

    pub fn dispatch(&self, settings: Settings) -> Running {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let dispatcher = Dispatcher::new(self.parts.clone(), settings).unwrap();
        tasks.spawn(dispatcher.run(stop.clone()));
        Running { stop, tasks }
    }

    pub async fn counts(&self) -> DeliveryCounts {
        self.parts.database.delivery_counts().await.unwrap()
    }

    /// Waits until deliveries are where they should be.
    pub async fn until(&self, pending: i64, claimed: i64, dead: i64) {
        let expected = DeliveryCounts { pending, claimed, dead };
        let reached = async {
            while self.counts().await != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(waited.is_ok(), "{:?} instead of {expected:?}", self.counts().await);
    }
}

impl Running {
    /// Stops in order.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.tasks.join_next()).await;
        ended.expect("it does not stop").unwrap().unwrap();
    }

    /// Dies.
    pub async fn kill(mut self) {
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
    }
}

pub fn settings() -> Settings {
    Settings { timeout: Duration::from_secs(3), hold: Duration::from_mins(1), ..Settings::default() }
}

pub fn limited(concurrency: u32, per_endpoint: u32) -> Settings {
    Settings {
        concurrency: NonZeroU32::new(concurrency).unwrap(),
        concurrency_per_endpoint: NonZeroU32::new(per_endpoint).unwrap(),
        ..settings()
    }
}

pub fn message(chat: &str, text: &str) -> InboundMessage {
    InboundMessage {
        message_id: format!("ID-{text}"),
        chat: format!("{chat}@s.whatsapp.net"),
        sender: format!("{chat}@s.whatsapp.net"),
        chat_alt: None,
        sender_alt: None,
        push_name: None,
        text: Some(text.to_owned()),
        kind: "text".into(),
        detail: None,
        sent_at: NOON,
        replayed: false,
        media: None,
    }
}
