//! Holds WhatsApp sessions: one lease for the process, one supervised client for each session it has claimed.
//!
//! - [`lease`]: whether this process may still act at all, by a clock that cannot be set back.
//! - [`fleet`]: claims free sessions up to a fair share, gives them back, starts and ends their tasks.
//! - [`session`]: one session from claim to release: its client, its states, its messages both ways.
//! - [`media`]: the files of those messages.
//!
//! The rule behind all of it: whoever holds the claim writes, and nobody else. A runner that cannot renew its
//! lease cuts its sockets *before* the lease runs out for others; a refused write cuts that one session.

mod fleet;
mod lease;
mod media;
mod pace;
mod session;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bus::Bus;
use domain::{RunnerId, SharedClock};
use storage::{Database, RunnerRegistration};
use tokio_util::sync::CancellationToken;
use whatsapp::WhatsApp;

use crate::{fleet::Fleet, lease::RunnerLease, media::retention::Retention};
pub use media::{Media, MediaSettings};
pub use pace::Pace;

/// What a runner works with.
#[derive(Clone)]
pub struct Parts {
    pub database: Database,
    pub bus: Bus,
    pub whatsapp: Arc<WhatsApp>,
    pub media: Arc<Media>,
    pub clock: SharedClock,
}

/// How a runner behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What operators see, such as the name of the pod.
    pub name: String,
    /// Where in a cluster it runs.
    pub place: storage::Placement,
    /// The version of the software.
    pub version: String,
    /// The most sessions it holds.
    pub capacity: u32,
    /// How long others leave its sessions alone after it last renewed.
    pub lease: Duration,
    /// How long it goes on itself; shorter than the lease, so that it stops before others start.
    pub fence: Duration,
    /// How often it renews.
    pub renew: Duration,
    /// The longest that a planned stop waits for its sessions.
    pub drain: Duration,
    /// Sessions that are handed over at the same time.
    pub hand_over_at_once: usize,
    /// Sessions above its share that it gives to others in a second; 0: none.
    pub rebalance_per_second: u32,
}

/// Free sessions that are taken in one go. Small, so that several runners that look at the same time all get some.
const CLAIM_BATCH: u32 = 64;

/// How long to wait before registering again after a lease was lost or the database did not answer.
const REGISTER_PAUSE: Duration = Duration::from_millis(500);

/// How long a registration may take.
const REGISTER_DEADLINE: Duration = Duration::from_secs(5);

/// A runner of sessions.
pub struct SessionRunner {
    parts: Parts,
    settings: Settings,
    alive: Alive,
}

/// Whether a runner has a lease, for those who ask whether it is ready.
#[derive(Debug, Clone, Default)]
pub struct Alive(Arc<AtomicBool>);

impl Alive {
    /// It holds sessions, or could.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, alive: bool) {
        self.0.store(alive, Ordering::Relaxed);
    }
}

impl SessionRunner {
    #[must_use]
    pub fn new(parts: Parts, settings: Settings) -> Self {
        Self { parts, settings, alive: Alive::default() }
    }

    /// Tells whether it has a lease.
    #[must_use]
    pub fn alive(&self) -> Alive {
        self.alive.clone()
    }

    /// Holds sessions until `stop`, then gives them all back. A lost lease ends one life and begins another,
    /// under a new id.
    pub async fn run(self, stop: CancellationToken) {
        if self.parts.database.is_embedded()
            && let Err(error) = self.parts.database.reap_runners(true).await
        {
            tracing::error!(%error, "the runners of the process before could not be removed");
        }
        let retention = Retention {
            media: Arc::clone(&self.parts.media),
            database: self.parts.database.clone(),
            clock: Arc::clone(&self.parts.clock),
        };
        tokio::join!(self.lives(&stop), retention.run(&stop));
    }

    async fn lives(&self, stop: &CancellationToken) {
        // What an operator said outlives a lost lease.
        let mut draining = false;
        while !stop.is_cancelled() {
            match self.register(draining).await {
                Ok(lease) => {
                    self.alive.set(true);
                    self.live(lease, &mut draining, stop).await;
                    self.alive.set(false);
                }
                Err(error) => tracing::warn!(%error, "the runner cannot register; trying again"),
            }
            let _ = tokio::time::timeout(REGISTER_PAUSE, stop.cancelled()).await;
        }
    }

    async fn register(&self, draining: bool) -> storage::Result<Arc<RunnerLease>> {
        let runner = RunnerRegistration {
            id: RunnerId::new(),
            name: self.settings.name.clone(),
            version: self.settings.version.clone(),
            capacity: self.settings.capacity,
            place: self.settings.place.clone(),
        };
        let lease = RunnerLease::begin(runner.id, self.settings.fence);
        let register = async {
            self.parts.database.register_runner(&runner, self.settings.lease).await?;
            if draining { self.parts.database.stop_accepting(runner.id).await } else { Ok(()) }
        };
        tokio::time::timeout(REGISTER_DEADLINE, register)
            .await
            .map_err(|_| storage::Error::Unavailable("it did not answer in time".to_owned()))??;
        tracing::info!(runner.id = %runner.id, runner.name = %runner.name, "runner registered");
        Ok(Arc::new(lease))
    }

    /// One life: from registration to the loss of the lease, or to `stop`.
    async fn live(&self, lease: Arc<RunnerLease>, draining: &mut bool, stop: &CancellationToken) {
        let mut fleet = Fleet::new(self.parts.clone(), self.settings.clone(), Arc::clone(&lease), *draining);
        tokio::select! {
            () = lease.keep(&self.parts.database, self.settings.lease, self.settings.renew) => {
                tracing::warn!(
                    runner.id = %lease.runner(), sessions = fleet.len(),
                    "the lease is lost: cutting every session of this runner"
                );
            }
            () = fleet.claim_until(stop) => {}
        }
        *draining = fleet.draining();
        self.alive.set(false);
        if lease.held() {
            // The lease is kept while the sessions are handed over one after the other.
            tokio::select! {
                () = lease.keep(&self.parts.database, self.settings.lease, self.settings.renew) => {}
                () = fleet.hand_over() => {}
            }
        }
        fleet.cut().await;
        if lease.held()
            && let Err(error) = self.parts.database.remove_runner(lease.runner()).await
        {
            tracing::warn!(%error, "the runner could not be removed; its lease will run out");
        }
    }
}
