//! A database with a claimed session.

#![expect(dead_code, reason = "each test uses another part of it")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::{Fence, RunnerId, SessionId, SystemClock};
use scratch::Dir;
use secrets::KeyRing;
use std::time::Duration;
use storage::{Database, NewUser, Options, RunnerRegistration, Started};
use whatsapp::Lease;

/// A claim that is held until it is lost.
pub struct Claim(AtomicBool);

impl Claim {
    pub fn held() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }
}

impl Lease for Claim {
    fn held(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn lost(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// A database of its own, one user, one session, one runner that claimed it.
pub struct World {
    pub database: Database,
    keys: Arc<KeyRing>,
    url: String,
    pub session: SessionId,
    pub fence: Fence,
    pub runner: RunnerId,
    pub folder: Dir,
}

impl World {
    pub async fn sqlite() -> Self {
        let folder = Dir::new();
        let url = format!("sqlite:{}", folder.join("gateway.db").display());
        Self::new(folder, &url).await
    }

    pub async fn postgres() -> Self {
        let url = scratch::postgres_url().expect("a PostgreSQL server");
        Self::new(Dir::new(), &url).await
    }

    async fn new(folder: Dir, url: &str) -> Self {
        let keys = Arc::new(KeyRing::parse(&KeyRing::generate()).expect("a fresh key is a key"));
        let database = open(url, &keys).await;
        database.put_admin("admin", "hash").await.unwrap();
        let user = NewUser { username: "anna".to_owned(), password_hash: "hash".to_owned() };
        let user = database.create_user(&user).await.unwrap().unwrap();
        let Started::Session(session) = database.start_session(user.id, "anna_shop").await.unwrap() else {
            panic!("the name is free");
        };
        let runner = register(&database).await;
        let fence = claim(&database, runner).await;
        Self { database, keys, url: url.to_owned(), session: session.id, fence, runner, folder }
    }

    /// The database goes away.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// The same world after the database was away; everything that held the old one must be gone.
    pub async fn reopened(self) -> Self {
        drop(self.database);
        let database = open(&self.url, &self.keys).await;
        Self { database, ..self }
    }

    /// Another runner takes the session over.
    pub async fn taken_over(&self) -> Fence {
        self.database.release_session(self.fence).await.unwrap();
        claim(&self.database, register(&self.database).await).await
    }
}

async fn open(url: &str, keys: &Arc<KeyRing>) -> Database {
    Database::open(&Options::new(url), Arc::clone(keys), Arc::new(SystemClock)).await.unwrap()
}

async fn register(database: &Database) -> RunnerId {
    let id = RunnerId::new();
    let registration = RunnerRegistration {
        id,
        name: id.to_string(),
        version: "test".to_owned(),
        capacity: 10,
        place: storage::Placement::default(),
    };
    database.register_runner(&registration, Duration::from_hours(1)).await.unwrap();
    id
}

async fn claim(database: &Database, runner: RunnerId) -> Fence {
    let claimed = database.claim_sessions(runner, 1).await.unwrap();
    claimed.first().expect("a free session").fence
}
