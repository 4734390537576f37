//! A database for one test, and a look behind its back.

use std::{path::Path, sync::Arc, time::Duration};

use domain::{
    Clock as _, Fence, ManualClock, RunnerId, SessionId, Timestamp, UserId,
    event::InboundMessage,
    session::{Session, SessionState},
    webhook::{ClaimedDelivery, Next},
};
use scratch::Dir;
use secrets::KeyRing;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use storage::{
    Claimed, Database, NewUser, Options, RunnerRegistration, Settlement, Started, Synchronous, Transition,
};

/// Runs one test on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($stand:ident) $body:block)+) => {$(
        $(#[$meta])*
        async fn $name($stand: $crate::stand::Stand) $body

        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::stand::Stand::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name($crate::stand::Stand::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use on_both;

pub const START: Timestamp = Timestamp(1_800_000_000_000);
pub const MINUTE: Duration = Duration::from_mins(1);

/// The database, without the crate that is tested.
pub enum Raw {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

pub struct Stand {
    pub database: Database,
    pub clock: Arc<ManualClock>,
    pub raw: Raw,
    _folder: Dir,
}

pub fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::parse(&KeyRing::generate()).unwrap())
}

impl Stand {
    pub async fn sqlite() -> Self {
        let folder = Dir::new();
        let stand = Self::sqlite_at(&folder.join("test.db")).await;
        Self { _folder: folder, ..stand }
    }

    /// In a file of the test's own.
    pub async fn sqlite_at(path: &Path) -> Self {
        let url = format!("sqlite:{}", path.display());
        let (database, clock) = open(&url).await;
        let raw = Raw::Sqlite(SqlitePool::connect(&url).await.unwrap());
        Self { database, clock, raw, _folder: Dir::new() }
    }

    pub async fn postgres() -> Self {
        let url = scratch::postgres_url().unwrap();
        let (database, clock) = open(&url).await;
        let raw = Raw::Postgres(PgPool::connect(&url).await.unwrap());
        Self { database, clock, raw, _folder: Dir::new() }
    }

    /// A number that a statement finds.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Raw::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    /// The texts that a statement finds.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
            Raw::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }

    /// The bytes that a statement finds.
    pub async fn bytes(&self, sql: &str) -> Vec<u8> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Raw::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.raw {
            Raw::Sqlite(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
            Raw::Postgres(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
        }
    }

    pub async fn admin(&self) -> UserId {
        self.database.put_admin("admin", "hash").await.unwrap();
        UserId::ADMIN
    }

    pub async fn user(&self, name: &str) -> UserId {
        let user = NewUser { username: name.into(), password_hash: "hash".into() };
        self.database.create_user(&user).await.unwrap().unwrap().id
    }

    pub async fn runner(&self) -> RunnerId {
        let id = RunnerId::new();
        let runner = RunnerRegistration {
            id,
            name: "r".into(),
            version: "1".into(),
            capacity: 100,
            place: storage::Placement::default(),
        };
        self.database.register_runner(&runner, 10 * MINUTE).await.unwrap();
        id
    }

    pub async fn start(&self, user: UserId, name: &str) -> Session {
        match self.database.start_session(user, name).await.unwrap() {
            Started::Session(session) => *session,
            Started::Taken | Started::NoUser => panic!("{name} is taken"),
        }
    }

    /// A started session, held by a new runner.
    pub async fn held(&self, user: UserId, name: &str) -> Fence {
        let session = self.start(user, name).await.id;
        let runner = self.runner().await;
        self.claim(runner, session).await
    }

    /// Lets a runner take a session that is free.
    pub async fn claim(&self, runner: RunnerId, session: SessionId) -> Fence {
        let mut fence = None;
        // A claim passes over what another transaction still holds, if only because it is being rolled back.
        scratch::wait_for(MINUTE / 6, async || {
            let claimed: Vec<Claimed> = self.database.claim_sessions(runner, 100).await.unwrap();
            fence = claimed.iter().find(|claimed| claimed.session.id == session).map(|claimed| claimed.fence);
            fence.is_some()
        })
        .await;
        fence.unwrap()
    }

    /// Lets another runner take a held session: the fence given here is worth nothing from now on.
    pub async fn take_over(&self, lost: Fence) -> Fence {
        self.database.release_session(lost).await.unwrap();
        let runner = self.runner().await;
        self.claim(runner, lost.session).await
    }

    pub async fn session(&self, fence: Fence) -> Session {
        self.database.session(fence.session).await.unwrap().unwrap()
    }

    /// Takes everything that is due.
    pub async fn due(&self) -> Vec<ClaimedDelivery> {
        self.database.claim_deliveries(100, MINUTE, &[]).await.unwrap().deliveries
    }

    pub async fn settle(&self, delivery: &ClaimedDelivery, next: Next) -> bool {
        let settlement = Settlement {
            delivery: delivery.id,
            endpoint: delivery.endpoint,
            attempts: delivery.attempts + 1,
            at: self.clock.now(),
            duration: Duration::ZERO,
            status: Some(if next == Next::Done { 200 } else { 500 }),
            answer: Some("the answer".into()),
            next,
        };
        self.database.settle_delivery(settlement).await.unwrap()
    }

    /// Delivers what is due, so that what comes next stands alone.
    pub async fn deliver_all(&self) {
        for delivery in self.due().await {
            assert!(self.settle(&delivery, Next::Done).await);
        }
    }
}

async fn open(url: &str) -> (Database, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(START));
    let options = Options { synchronous: Synchronous::Normal, ..Options::new(url) };
    (Database::open(&options, keys(), clock.clone()).await.unwrap(), clock)
}

pub fn to(fence: Fence, state: SessionState) -> Transition {
    Transition {
        fence,
        to: state,
        reason: None,
        phone: None,
        credentials_present: None,
        qr: None,
        at: START + MINUTE,
    }
}

pub fn message(chat: &str, id: &str) -> InboundMessage {
    InboundMessage {
        message_id: id.to_owned(),
        chat: chat.to_owned(),
        sender: chat.to_owned(),
        chat_alt: None,
        sender_alt: None,
        push_name: None,
        text: Some("halo".into()),
        kind: "text".into(),
        detail: None,
        sent_at: START,
        replayed: false,
        media: None,
    }
}
