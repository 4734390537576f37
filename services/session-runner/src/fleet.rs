//! The sessions that this runner holds.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bus::{
    Received, Request,
    messages::{Hint, RunnerCommand, RunnerReply},
    subjects,
};
use domain::{
    Fence, RunnerId, SessionId,
    ownership::{self, Holder},
};
use futures::FutureExt as _;
use rand::RngExt as _;
use storage::{Claimed, Runner};
use telemetry::metrics;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    CLAIM_BATCH, Parts, Settings,
    lease::RunnerLease,
    session::{self, Ending, Nudge},
};

/// How often to look for free sessions when no hint says so.
const TICK: Duration = Duration::from_secs(1);

/// How long a runner waits after a hint before it looks: what a stopping runner gives comes in bunches, and others
/// look as well.
const AFTER_HINT: std::ops::Range<u64> = 10..60;

/// How long free sessions are left to runners of a newer version that have room for them.
const FOR_NEWER: Duration = Duration::from_secs(3);

/// Commands that may wait.
const COMMANDS: usize = 64;

struct Held {
    /// The claim that its task acts under.
    token: i64,
    /// Ends the session's task in order.
    give: CancellationToken,
    /// Who should get it then; nobody in particular when it is empty.
    to: Arc<OnceLock<RunnerId>>,
    /// Makes the session look for stored messages.
    nudge: Nudge,
}

pub(crate) struct Fleet {
    parts: Parts,
    settings: Settings,
    lease: Arc<RunnerLease>,
    held: HashMap<SessionId, Held>,
    tasks: JoinSet<(Fence, std::thread::Result<Ending>)>,
    /// Ends every task at once, without another write.
    cut: CancellationToken,
    /// Bounds how many sessions end in order at the same time.
    leaving: Arc<Semaphore>,
    /// It takes no sessions any more.
    draining: bool,
    next_rebalance: Instant,
    /// Since when it has left free sessions to newer versions.
    left_to_newer: Option<Instant>,
}

impl Fleet {
    pub(crate) fn new(parts: Parts, settings: Settings, lease: Arc<RunnerLease>, draining: bool) -> Self {
        Self {
            leaving: Arc::new(Semaphore::new(settings.hand_over_at_once)),
            parts,
            settings,
            lease,
            held: HashMap::new(),
            tasks: JoinSet::new(),
            cut: CancellationToken::new(),
            draining,
            next_rebalance: Instant::now() + TICK,
            left_to_newer: None,
        }
    }

    /// How many sessions it holds.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether an operator has told it to take no more sessions.
    pub(crate) const fn draining(&self) -> bool {
        self.draining
    }

    /// Takes free sessions and lets go of unwanted ones, until `stop`.
    pub(crate) async fn claim_until(&mut self, stop: &CancellationToken) {
        let bus = self.parts.bus.clone();
        let Ok(mut available) = bus.subscribe::<Hint>(subjects::sessions_available(), 16).await else {
            return;
        };
        let subject = subjects::runner(self.lease.runner());
        let Ok(mut commands) = bus.serve::<RunnerCommand>(&subject, COMMANDS).await else { return };
        let mut next_look = Instant::now();
        loop {
            self.count();
            if Instant::now() >= next_look {
                let more = self.look().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "cannot look for sessions; trying again");
                    false
                });
                let tick = TICK.mul_f64(rand::rng().random_range(0.8..1.2));
                next_look = Instant::now() + if more { Duration::ZERO } else { tick };
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next_look) => {}
                Some(ended) = self.tasks.join_next() => self.ended(ended).await,
                hint = available.next() => match hint {
                    Some(Received::Hint(_) | Received::Lagged) => {
                        let pause = Duration::from_millis(rand::rng().random_range(AFTER_HINT));
                        next_look = next_look.min(Instant::now() + pause);
                    }
                    None => return,
                },
                request = commands.next() => match request {
                    Some(request) => self.command(request),
                    None => return,
                },
            }
        }
    }

    /// Tells how many sessions it holds.
    fn count(&self) {
        metrics().runner_sessions.is(u32::try_from(self.held.len()).map_or(f64::INFINITY, f64::from));
    }

    fn command(&mut self, Request { command, reply, .. }: Request<RunnerCommand>) {
        match command {
            RunnerCommand::Give { sessions, to } => {
                for session in sessions {
                    self.give(session, to);
                }
            }
            RunnerCommand::Drain => self.drain(),
        }
        reply.send(&RunnerReply::Begun);
    }

    /// Lets a session's task end in order.
    fn give(&self, session: SessionId, to: Option<RunnerId>) {
        let Some(held) = self.held.get(&session) else { return };
        if let Some(to) = to.filter(|to| *to != self.lease.runner()) {
            // Whoever asked first is heard.
            let _ = held.to.set(to);
        }
        held.give.cancel();
    }

    /// Gives everything up, some at a time, and takes nothing more.
    fn drain(&mut self) {
        if !self.draining {
            tracing::info!(sessions = self.held.len(), "draining: this runner takes no more sessions");
        }
        self.draining = true;
        for held in self.held.values() {
            held.give.cancel();
        }
    }

    /// One look at the database. Returns whether there is more to take at once.
    async fn look(&mut self) -> storage::Result<bool> {
        let database = self.parts.database.clone();
        let reaped = database.reap_runners(false).await?;
        if reaped > 0 {
            tracing::info!(runners = reaped, "runners were dead: their sessions are free");
        }
        let runners = database.runners().await?;
        let Some(us) = runners.iter().find(|runner| runner.id == self.lease.runner()) else {
            // Declared dead; the next renewal says so.
            return Ok(false);
        };
        for fence in database.unwanted_sessions(us.id).await? {
            self.give(fence.session, None);
        }
        for session in database.sessions_with_queued_messages(us.id).await? {
            if let Some(held) = self.held.get(&session) {
                held.nudge.look();
            }
        }
        if !us.accepting {
            self.drain();
        }
        if us.sessions != i64::try_from(self.held.len()).unwrap_or(i64::MAX) {
            self.take_care_of_orphans().await?;
        }
        if self.draining {
            return Ok(false);
        }
        let (running, free) = database.session_counts().await?;
        self.rebalance(running, &runners);
        self.claim(running, free, &runners).await
    }

    /// Claims in this runner's name that nothing here stands for: given to it by another runner, or not given back
    /// because the database was away just then.
    async fn take_care_of_orphans(&mut self) -> storage::Result<()> {
        let database = self.parts.database.clone();
        for fence in database.claims_of(self.lease.runner()).await? {
            if self.held.contains_key(&fence.session) {
                continue;
            }
            let adopted =
                if self.draining { None } else { database.adopt_session(self.lease.runner(), fence).await? };
            match adopted {
                Some(claimed) => self.hold(claimed),
                None => database.release_session(fence).await?,
            }
        }
        Ok(())
    }

    /// Gives what is above its share while others have room. Nobody takes from the living.
    fn rebalance(&mut self, running: u64, runners: &[Runner]) {
        let now = Instant::now();
        if now < self.next_rebalance || self.settings.rebalance_per_second == 0 {
            return;
        }
        self.next_rebalance = now + TICK;
        let holders = accepting(runners);
        let share = ownership::fair_share(running, &holders, u64::from(self.settings.capacity));
        let room = ownership::room(running, &holders, |_| true);
        let staying = self.held.iter().filter(|(_, held)| !held.give.is_cancelled());
        let staying: Vec<SessionId> = staying.map(|(session, _)| *session).collect();
        let excess = to_u64(staying.len()).saturating_sub(share).min(room);
        let most = usize::try_from(excess.min(u64::from(self.settings.rebalance_per_second)));
        for session in staying.into_iter().take(most.unwrap_or(0)) {
            self.give(session, None);
        }
    }

    async fn claim(&mut self, running: u64, free: u64, runners: &[Runner]) -> storage::Result<bool> {
        let holders = accepting(runners);
        let share = ownership::fair_share(running, &holders, u64::from(self.settings.capacity));
        let free = self.not_left_to_newer(running, free, &holders);
        let wanted = ownership::claim_size(to_u64(self.held.len()), share, free, u64::from(CLAIM_BATCH));
        let Ok(wanted @ 1..) = u32::try_from(wanted) else { return Ok(false) };
        let claimed = self.parts.database.claim_sessions(self.lease.runner(), wanted).await?;
        let more = claimed.len() == wanted as usize;
        for claimed in claimed {
            self.hold(claimed);
        }
        Ok(more)
    }

    /// Leaves free sessions to runners of a newer version, as far as these have room, for a while: so a rollout moves
    /// a session about once.
    fn not_left_to_newer(&mut self, running: u64, free: u64, holders: &[Holder<'_>]) -> u64 {
        let newer = |holder: &Holder<'_>| ownership::newer(holder.version, &self.settings.version);
        let theirs = ownership::room(running, holders, newer);
        if free == 0 || theirs == 0 {
            self.left_to_newer = None;
            return free;
        }
        let since = *self.left_to_newer.get_or_insert_with(Instant::now);
        if since.elapsed() < FOR_NEWER { free.saturating_sub(theirs) } else { free }
    }

    fn hold(&mut self, claimed: Claimed) {
        let fence = claimed.fence;
        let (give, nudge, to) = (CancellationToken::new(), Nudge::default(), Arc::default());
        let held = Held { token: fence.token, give: give.clone(), to: Arc::clone(&to), nudge: nudge.clone() };
        self.held.insert(fence.session, held);
        let ends = session::Ends { give, to, cut: self.cut.clone(), leaving: Arc::clone(&self.leaving) };
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
        self.drain();
        let everybody = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.drain, everybody).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "not every session could be handed over in time");
        }
        self.held.clear();
    }

    /// Cuts what is still running, without another write.
    pub(crate) async fn cut(&mut self) {
        self.cut.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.held.clear();
        self.count();
    }
}

/// The runners that take sessions.
fn accepting(runners: &[Runner]) -> Vec<Holder<'_>> {
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    runners
        .iter()
        .filter(|runner| runner.accepting)
        .map(|runner| Holder {
            version: &runner.version,
            capacity: number(runner.capacity),
            sessions: number(runner.sessions),
        })
        .collect()
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
