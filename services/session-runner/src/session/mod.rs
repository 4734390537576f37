//! One session, from claim to release.
//!
//! The task is the only one that acts for the session: it opens the client, follows what happens to it
//! ([`lifecycle`]), answers commands, and drives the queue of messages ([`outbox`]). What comes in goes from the
//! client straight into storage ([`inbox`]); its files follow ([`fetching`]).

mod announce;
mod commands;
mod fetching;
mod inbox;
mod lifecycle;
mod outbox;
mod reading;
mod receipts;
mod sending;
mod undone;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bus::{
    Server,
    messages::{Hint, SessionCommand},
    subjects,
};
use domain::{
    Fence, RunnerId, Timestamp,
    session::{Session, SessionState},
};
use storage::{Claimed, Transition};
use telemetry::metrics;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use whatsapp::{Client, Events, Happened, Lease as _};

use crate::{
    Parts,
    lease::{RunnerLease, SessionLease},
};
use fetching::{Fetching, Workshop};
use inbox::SessionInbox;
use lifecycle::{Course, Lifecycle, Step};
use receipts::Receipts;
use sending::Sending;

/// Commands that may wait for a session.
const COMMANDS: usize = 1024;

/// How long messages under way may take when the session is given back.
const FINISH_SENDING: Duration = Duration::from_millis(500);

/// How long a session that was taken over may say that it is connected before it is: a hand-over takes less.
const TAKEN_OVER: Duration = Duration::from_secs(5);

/// How long to wait before opening the client again after the database could not be read.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Makes a session look for stored messages.
#[derive(Clone, Default)]
pub(crate) struct Nudge(Arc<Notify>);

impl Nudge {
    pub(crate) fn look(&self) {
        self.0.notify_one();
    }
}

/// How a session's task is ended.
pub(crate) struct Ends {
    /// In order: what is under way is finished, the session given back.
    pub give: CancellationToken,
    /// Who gets it then; anybody when it is empty.
    pub to: Arc<OnceLock<RunnerId>>,
    /// At once, without another write.
    pub cut: CancellationToken,
    /// Taken while ending in order.
    pub leaving: Arc<Semaphore>,
}

/// Why a session's task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Given back: another runner may take it, if it is still wanted.
    Given,
    /// It needs a person, or is stopped: nobody takes it.
    Over,
    /// Lost to another runner, or cut off.
    Lost,
}

/// Runs a session that was just claimed.
pub(crate) async fn run(
    parts: Parts,
    claimed: Claimed,
    runner: Arc<RunnerLease>,
    nudge: Nudge,
    ends: Ends,
) -> Ending {
    let lease = Arc::new(SessionLease::new(runner, &ends.cut));
    let subject = subjects::session_command(claimed.fence.session);
    let Ok(mut commands) = parts.bus.serve(&subject, COMMANDS).await else { return Ending::Lost };
    let mut task = Task {
        fence: claimed.fence,
        lifecycle: Lifecycle::new(claimed.session.credentials_present, claimed.session.state),
        overdue: (claimed.session.state == SessionState::Connected).then(|| Instant::now() + TAKEN_OVER),
        session: claimed.session,
        sending: Sending::new(
            parts.database.clone(),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.media),
            claimed.fence,
        ),
        receipts: Receipts::new(parts.database.clone(), parts.bus.clone(), claimed.fence),
        fetching: Fetching::new(Workshop {
            media: Arc::clone(&parts.media),
            database: parts.database.clone(),
            bus: parts.bus.clone(),
            clock: Arc::clone(&parts.clock),
            fence: claimed.fence,
        }),
        answering: JoinSet::new(),
        leaving: ends.leaving,
        to: ends.to,
        lease,
        nudge,
        parts,
    };
    let ending = task.supervise(&mut commands, &ends.give).await;
    drop(commands);
    task.end(ending).await
}

struct Task {
    parts: Parts,
    session: Session,
    fence: Fence,
    lease: Arc<SessionLease>,
    nudge: Nudge,
    lifecycle: Lifecycle,
    /// When a session that was taken over must be on line, or be told not to be.
    overdue: Option<Instant>,
    sending: Sending,
    receipts: Receipts,
    fetching: Fetching,
    /// Commands that take a while.
    answering: JoinSet<()>,
    /// Bounds how many sessions of this runner leave at the same time.
    leaving: Arc<Semaphore>,
    /// Who gets the session when it is given.
    to: Arc<OnceLock<RunnerId>>,
}

impl Task {
    /// Opens a client, follows it, and opens another one when that is the course.
    async fn supervise(&mut self, commands: &mut Server<SessionCommand>, give: &CancellationToken) -> Ending {
        let lost = self.lease.lost_signal();
        loop {
            let fresh = !self.lifecycle.linked();
            let files = self.fetching.news();
            let inbox = SessionInbox::new(&self.parts, self.fence, self.session.user, files);
            let lease = Arc::clone(&self.lease) as _;
            let opened = tokio::select! {
                opened = self.parts.whatsapp.open(self.fence, lease, Arc::new(inbox), fresh) => opened,
                () = lost.cancelled() => return Ending::Lost,
            };
            let course = match opened {
                Ok((client, events)) => {
                    self.sending.use_client(Some(client.clone()));
                    let course = tokio::select! {
                        // Also in the middle of a write that hangs: the socket must be cut in time.
                        () = lost.cancelled() => Course::End(Ending::Lost),
                        course = self.follow(&client, events, commands, give) => course,
                    };
                    self.leave(&client, course).await;
                    course
                }
                Err(error) => {
                    tracing::error!(session.id = %self.fence.session, %error, "the session could not be opened");
                    let reason = Some(error.to_string());
                    let told = self.record(Step { reason, ..Step::stay(self.session.state) }).await;
                    // A reason that could not be stored is no reason to let go of a claim that still holds.
                    if matches!(told, Err(storage::Error::LeaseLost)) {
                        return Ending::Lost;
                    }
                    Course::Reopen { after: OPEN_AGAIN }
                }
            };
            match course {
                Course::Stay => {}
                Course::Reopen { after } => tokio::select! {
                    () = tokio::time::sleep(after) => {}
                    () = give.cancelled() => return Ending::Given,
                    () = lost.cancelled() => return Ending::Lost,
                },
                Course::End(ending) => return ending,
            }
        }
    }

    /// Connects a client and follows it until it is done with.
    async fn follow(
        &mut self,
        client: &Client,
        mut events: Events,
        commands: &mut Server<SessionCommand>,
        give: &CancellationToken,
    ) -> Course {
        client.start();
        loop {
            let (next_look, overdue) = (self.sending.next_look(), self.overdue);
            let course = tokio::select! {
                biased;
                () = give.cancelled() => Course::End(Ending::Given),
                happened = events.next() => match happened {
                    Some(happened) => self.happened(happened, client).await,
                    None => Course::Reopen { after: OPEN_AGAIN },
                },
                request = commands.next() => match request {
                    Some(request) => self.command(request, client).await,
                    None => Course::End(Ending::Given),
                },
                () = self.nudge.0.notified() => { self.sending.look_again(); Course::Stay }
                Some(()) = self.sending.progress() => Course::Stay,
                Some(()) = self.receipts.progress() => Course::Stay,
                () = self.fetching.progress() => Course::Stay,
                Some(_) = self.answering.join_next() => Course::Stay,
                () = tokio::time::sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {
                    self.overdue = None;
                    self.step(self.lifecycle.overdue(), client).await.unwrap_or(Course::Stay)
                }
                () = tokio::time::sleep_until(next_look.unwrap_or_else(Instant::now)), if next_look.is_some() => {
                    self.sending.look_again();
                    Course::Stay
                }
            };
            if course != Course::Stay {
                return course;
            }
        }
    }

    /// Follows one event of the client.
    async fn happened(&mut self, happened: Happened, client: &Client) -> Course {
        if let Happened::Receipt { message_ids, kind, at, .. } = happened {
            self.receipts.add(message_ids, kind, at);
            return Course::Stay;
        }
        match &happened {
            Happened::Connected => metrics().session_connects.add(1, ["connected"]),
            Happened::ConnectFailed { .. } => metrics().session_connects.add(1, ["failed"]),
            Happened::Disconnected { .. } => metrics().session_reconnects.one(),
            _ => {}
        }
        let now = self.parts.clock.now();
        let (step, course) = self.lifecycle.follow(happened, now);
        let Some(step) = step else { return course };
        self.step(step, client).await.unwrap_or(course)
    }

    /// Takes a step; returns where to go when it could not be stored.
    async fn step(&mut self, step: Step, client: &Client) -> Option<Course> {
        self.overdue = None;
        let connected = step.connected;
        match self.record(step).await {
            Ok(()) => {
                let online = connected && client.is_connected();
                self.sending.set_connected(online);
                self.fetching.set_online(online.then_some(client));
                None
            }
            Err(storage::Error::LeaseLost) => Some(Course::End(Ending::Lost)),
            Err(error) => {
                tracing::error!(session.id = %self.fence.session, %error, "a state could not be stored");
                // What is not stored did not happen: start over, so that the row tells the truth again.
                Some(Course::Reopen { after: OPEN_AGAIN })
            }
        }
    }

    /// Stores a step, then tells those who watch.
    async fn record(&mut self, step: Step) -> storage::Result<()> {
        let at: Timestamp = self.parts.clock.now();
        let changed = self.session.state != step.to;
        self.session.state = step.to;
        self.parts
            .database
            .transition(Transition {
                fence: self.fence,
                to: step.to,
                reason: step.reason,
                phone: step.phone,
                credentials_present: step.linked,
                qr: step.qr,
                at,
            })
            .await
            .inspect_err(|error| {
                if matches!(error, storage::Error::LeaseLost) {
                    self.lease.lost();
                }
            })?;
        if changed {
            metrics().session_transitions.add(1, [self.session.state.as_str()]);
        }
        announce::session_changed(&self.parts.bus, self.fence.session, self.session.user);
        Ok(())
    }

    /// Takes leave of a client: what is under way is finished, unless the session is lost.
    async fn leave(&mut self, client: &Client, course: Course) {
        self.fetching.stop().await;
        if course == Course::End(Ending::Lost) {
            client.cut().await;
        } else {
            let _turn = self.leaving.acquire().await;
            self.sending.finish(FINISH_SENDING).await;
            client.disconnect().await;
            self.receipts.finish(FINISH_SENDING).await;
        }
        self.sending.use_client(None);
    }

    /// Gives the session back, unless it is lost.
    async fn end(mut self, ending: Ending) -> Ending {
        self.answering.abort_all();
        self.sending.abandon().await;
        self.receipts.abandon().await;
        if ending == Ending::Lost {
            return ending;
        }
        let released = match self.to.get().filter(|_| ending == Ending::Given) {
            Some(to) => self.parts.database.hand_session_to(self.fence, *to).await,
            None => self.parts.database.release_session(self.fence).await,
        };
        if let Err(error) = released {
            tracing::warn!(session.id = %self.fence.session, %error, "the session could not be given back");
        }
        // Also when it is over: its owner may have started it again by now.
        self.parts.bus.publish(&subjects::sessions_available(), &Hint::SessionsAvailable);
        ending
    }
}
