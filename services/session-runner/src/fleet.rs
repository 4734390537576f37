//! The sessions that this runner holds.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bus::{Received, messages::Hint, subjects};
use domain::{Fence, SessionId, ownership};
use futures::FutureExt as _;
use rand::RngExt as _;
use storage::Claimed;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    CLAIM_BATCH, Parts,
    lease::RunnerLease,
    session::{self, Ending, Nudge},
};

/// How often to look for free sessions when no hint says so.
const TICK: Duration = Duration::from_secs(1);

/// Sessions that are handed over at the same time.
const HAND_OVER_AT_ONCE: usize = 20;

/// The longest that a planned stop waits for its sessions.
const HAND_OVER_DEADLINE: Duration = Duration::from_secs(20);

struct Held {
    /// The claim that its task acts under.
    token: i64,
    /// Ends the session's task in order.
    give: CancellationToken,
    /// Makes the session look for stored messages.
    nudge: Nudge,
}

pub(crate) struct Fleet {
    parts: Parts,
    capacity: u32,
    lease: Arc<RunnerLease>,
    held: HashMap<SessionId, Held>,
    tasks: JoinSet<(Fence, std::thread::Result<Ending>)>,
    /// Ends every task at once, without another write.
    cut: CancellationToken,
    /// Bounds how many sessions end in order at the same time.
    leaving: Arc<Semaphore>,
}

impl Fleet {
    pub(crate) fn new(parts: Parts, capacity: u32, lease: Arc<RunnerLease>) -> Self {
        Self {
            parts,
            capacity,
            lease,
            held: HashMap::new(),
            tasks: JoinSet::new(),
            cut: CancellationToken::new(),
            leaving: Arc::new(Semaphore::new(HAND_OVER_AT_ONCE)),
        }
    }

    /// How many sessions it holds.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Takes free sessions and lets go of unwanted ones, until `stop`.
    pub(crate) async fn claim_until(&mut self, stop: &CancellationToken) {
        let Ok(mut available) = self.parts.bus.subscribe::<Hint>(subjects::sessions_available(), 16).await
        else {
            return;
        };
        loop {
            let more = match self.look().await {
                Ok(more) => more,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for sessions; trying again");
                    false
                }
            };
            let pause = if more { Duration::ZERO } else { TICK.mul_f64(rand::rng().random_range(0.8..1.2)) };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                Some(ended) = self.tasks.join_next() => self.ended(ended).await,
                hint = available.next() => if !matches!(hint, Some(Received::Hint(_) | Received::Lagged)) { return },
            }
            while let Some(ended) = self.tasks.try_join_next() {
                self.ended(ended).await;
            }
        }
    }

    /// One look at the database. Returns whether there is more to take at once.
    async fn look(&mut self) -> storage::Result<bool> {
        let database = &self.parts.database;
        database.reap_runners(false).await?;
        for fence in database.unwanted_sessions(self.lease.runner()).await? {
            if let Some(held) = self.held.get(&fence.session) {
                held.give.cancel();
            }
        }
        for session in database.sessions_with_queued_messages(self.lease.runner()).await? {
            if let Some(held) = self.held.get(&session) {
                held.nudge.look();
            }
        }
        let (running, free) = database.session_counts().await?;
        if free == 0 {
            return Ok(false);
        }
        let accepting = database.runners().await?.iter().filter(|runner| runner.accepting).count();
        let share = ownership::fair_share(running, to_u64(accepting), u64::from(self.capacity));
        let wanted = ownership::claim_size(to_u64(self.held.len()), share, free, u64::from(CLAIM_BATCH));
        let Ok(wanted @ 1..) = u32::try_from(wanted) else { return Ok(false) };
        let claimed = database.claim_sessions(self.lease.runner(), wanted).await?;
        let more = claimed.len() == wanted as usize;
        for claimed in claimed {
            self.hold(claimed);
        }
        Ok(more)
    }

    fn hold(&mut self, claimed: Claimed) {
        let fence = claimed.fence;
        let (give, nudge) = (CancellationToken::new(), Nudge::default());
        let held = Held { token: fence.token, give: give.clone(), nudge: nudge.clone() };
        self.held.insert(fence.session, held);
        let ends = session::Ends { give, cut: self.cut.clone(), leaving: Arc::clone(&self.leaving) };
        let task = session::run(self.parts.clone(), claimed, Arc::clone(&self.lease), nudge, ends);
        self.tasks.spawn(AssertUnwindSafe(task).catch_unwind().map(move |ended| (fence, ended)));
    }

    async fn ended(&mut self, ended: Result<(Fence, std::thread::Result<Ending>), tokio::task::JoinError>) {
        let Ok((fence, ending)) = ended else { return };
        // A session that was given back may have been claimed again before its first task was seen to have ended.
        if self.held.get(&fence.session).is_some_and(|held| held.token == fence.token) {
            self.held.remove(&fence.session);
        }
        if let Ok(ending) = ending {
            tracing::debug!(session.id = %fence.session, ?ending, "session task ended");
            return;
        }
        tracing::error!(session.id = %fence.session, "a session's task failed; giving the session back");
        if let Err(error) = self.parts.database.release_session(fence).await {
            tracing::warn!(session.id = %fence.session, %error, "the session could not be given back");
        }
    }

    /// Gives every session back, in order, so that others go on within a second.
    pub(crate) async fn hand_over(&mut self) {
        if let Err(error) = self.parts.database.stop_accepting(self.lease.runner()).await {
            tracing::warn!(%error, "other runners do not know that this one stops");
        }
        for held in self.held.values() {
            held.give.cancel();
        }
        let everybody = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(HAND_OVER_DEADLINE, everybody).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "not every session could be handed over in time");
        }
        self.held.clear();
    }

    /// Cuts what is still running, without another write.
    pub(crate) async fn cut(&mut self) {
        self.cut.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.held.clear();
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
