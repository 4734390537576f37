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

use std::{sync::Arc, time::Duration};

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
}

/// Free sessions that are taken in one go.
const CLAIM_BATCH: u32 = 256;

/// How long to wait before registering again after a lease was lost or the database did not answer.
const REGISTER_PAUSE: Duration = Duration::from_millis(500);

/// A runner of sessions.
pub struct SessionRunner {
    parts: Parts,
    settings: Settings,
}

impl SessionRunner {
    #[must_use]
    pub const fn new(parts: Parts, settings: Settings) -> Self {
        Self { parts, settings }
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
        while !stop.is_cancelled() {
            match self.register().await {
                Ok(lease) => self.live(lease, stop).await,
                Err(error) => tracing::warn!(%error, "the runner cannot register; trying again"),
            }
            let _ = tokio::time::timeout(REGISTER_PAUSE, stop.cancelled()).await;
        }
    }

    async fn register(&self) -> storage::Result<Arc<RunnerLease>> {
        let runner = RunnerRegistration {
            id: RunnerId::new(),
            name: self.settings.name.clone(),
            version: self.settings.version.clone(),
            capacity: self.settings.capacity,
        };
        let lease = RunnerLease::begin(runner.id, self.settings.fence);
        self.parts.database.register_runner(&runner, self.settings.lease).await?;
        tracing::info!(runner.id = %runner.id, runner.name = %runner.name, "runner registered");
        Ok(Arc::new(lease))
    }

    /// One life: from registration to the loss of the lease, or to `stop`.
    async fn live(&self, lease: Arc<RunnerLease>, stop: &CancellationToken) {
        let mut fleet = Fleet::new(self.parts.clone(), self.settings.capacity, Arc::clone(&lease));
        tokio::select! {
            () = lease.keep(&self.parts.database, self.settings.lease, self.settings.renew) => {
                tracing::warn!(
                    runner.id = %lease.runner(), sessions = fleet.len(),
                    "the lease is lost: cutting every session of this runner"
                );
            }
            () = fleet.claim_until(stop) => {}
        }
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
