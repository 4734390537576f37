//! The other party: takes sessions, moves them through their states, and answers commands.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bus::{
    Bus, Reply,
    messages::{Hint, NumberCheck, Profile, SessionCommand, SessionReply},
    subjects,
};
use domain::{
    Clock as _, Fence, ManualClock, RunnerId,
    message::Failure,
    session::{PairingCode, SessionState},
};
use storage::{Claimed, Database, Progress, RunnerRegistration, Transition};
use tokio::{task::JoinSet, time::timeout};

/// What a runner will do with the sessions that it takes.
pub(crate) struct RunnerPlan {
    database: Database,
    bus: Bus,
    clock: Arc<ManualClock>,
    state: SessionState,
    reason: Option<String>,
    qr: Option<String>,
}

impl RunnerPlan {
    pub(super) fn new(database: Database, bus: Bus, clock: Arc<ManualClock>) -> Self {
        Self { database, bus, clock, state: SessionState::Connected, reason: None, qr: None }
    }

    /// They are not linked: here is what to scan.
    pub(crate) fn offers(self, qr: &str) -> Self {
        Self { state: SessionState::Pairing, qr: Some(qr.to_owned()), ..self }
    }

    /// They are linked.
    pub(crate) fn connects(self) -> Self {
        Self { state: SessionState::Connected, ..self }
    }

    pub(crate) fn ends_as(self, state: SessionState, reason: &str) -> Self {
        Self { state, reason: Some(reason.to_owned()), ..self }
    }

    pub(crate) async fn start(self) -> Runner {
        let id = RunnerId::new();
        let registration = RunnerRegistration {
            id,
            name: "test".into(),
            version: "0".into(),
            capacity: 100,
            place: storage::Placement::default(),
        };
        self.database.register_runner(&registration, Duration::from_hours(1)).await.unwrap();
        let inner = Arc::new(Inner {
            plan: self,
            id,
            fences: Mutex::default(),
            heard: Mutex::default(),
            numbers: Mutex::default(),
            failure: Mutex::default(),
            profile: Mutex::default(),
            refusal: Mutex::default(),
            silent: AtomicBool::new(false),
            held: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&inner).claim());
        Runner { inner, tasks }
    }
}

pub(crate) struct Runner {
    inner: Arc<Inner>,
    tasks: JoinSet<()>,
}

struct Inner {
    plan: RunnerPlan,
    id: RunnerId,
    fences: Mutex<HashMap<String, Fence>>,
    heard: Mutex<Vec<SessionCommand>>,
    numbers: Mutex<Vec<NumberCheck>>,
    failure: Mutex<Option<Failure>>,
    profile: Mutex<Option<Profile>>,
    refusal: Mutex<Option<String>>,
    silent: AtomicBool,
    held: Mutex<Vec<Reply>>,
}

impl Runner {
    /// The commands that came in so far.
    pub(crate) fn heard(&self) -> Vec<SessionCommand> {
        self.inner.heard.lock().unwrap().clone()
    }

    pub(crate) fn fence(&self, session: &str) -> Fence {
        self.inner.fences.lock().unwrap()[session]
    }

    pub(crate) fn try_fence(&self, session: &str) -> Option<Fence> {
        self.inner.fences.lock().unwrap().get(session).copied()
    }

    pub(crate) async fn moves(&self, session: &str, state: SessionState) {
        self.inner.move_to(self.fence(session), state, Some("moved".into()), None).await;
    }

    /// Answers number checks with this.
    pub(crate) fn knows(&self, check: NumberCheck) {
        self.inner.numbers.lock().unwrap().push(check);
    }

    /// The next message fails.
    pub(crate) fn fails(&self, failure: Failure) {
        *self.inner.failure.lock().unwrap() = Some(failure);
    }

    /// Offers another code to scan.
    pub(crate) async fn shows(&self, session: &str, qr: &str) {
        let qr = self.inner.code(qr.to_owned());
        self.inner.move_to(self.fence(session), SessionState::Pairing, None, Some(qr)).await;
    }

    /// Answers questions about profiles with this.
    pub(crate) fn shows_profile(&self, profile: Option<Profile>) {
        *self.inner.profile.lock().unwrap() = profile;
    }

    /// Refuses what it is asked next, apart from messages.
    pub(crate) fn refuses(&self, reason: &str) {
        *self.inner.refusal.lock().unwrap() = Some(reason.to_owned());
    }

    /// Takes commands and does not answer.
    pub(crate) fn falls_silent(&self) {
        self.inner.silent.store(true, Ordering::SeqCst);
    }

    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Inner {
    async fn claim(self: Arc<Self>) {
        let mut hints = self.plan.bus.subscribe::<Hint>(subjects::sessions_available(), 16).await.unwrap();
        let mut sessions = JoinSet::new();
        loop {
            for claimed in self.plan.database.claim_sessions(self.id, 100).await.unwrap_or_default() {
                let Claimed { fence, session } = claimed;
                self.fences.lock().unwrap().insert(session.name.clone(), fence);
                let subject = subjects::session_command(fence.session);
                let mut server = self.plan.bus.serve::<SessionCommand>(&subject, 16).await.unwrap();
                let inner = Arc::clone(&self);
                sessions.spawn(async move {
                    while let Some(request) = server.next().await {
                        inner.answer(fence, request.command, request.reply).await;
                    }
                });
                let qr = self.plan.qr.clone().map(|text| self.code(text));
                self.move_to(fence, self.plan.state, self.plan.reason.clone(), qr).await;
            }
            let _ = timeout(Duration::from_millis(100), hints.next()).await;
        }
    }

    fn code(&self, text: String) -> PairingCode {
        PairingCode { text, expires_at: self.plan.clock.now() + Duration::from_secs(20) }
    }

    async fn move_to(&self, fence: Fence, to: SessionState, reason: Option<String>, qr: Option<PairingCode>) {
        let linked = to == SessionState::Connected;
        let transition = Transition {
            fence,
            to,
            reason,
            phone: linked.then(|| "49170".to_owned()),
            credentials_present: linked.then_some(true),
            qr,
            at: self.plan.clock.now(),
        };
        match self.plan.database.transition(transition).await {
            // It was stopped or removed since it was claimed.
            Err(storage::Error::LeaseLost) => return,
            moved => moved.unwrap(),
        }
        let hint = Hint::SessionChanged { session: fence.session };
        self.plan.bus.publish(&subjects::session_changed(fence.session), &hint);
    }

    async fn answer(&self, fence: Fence, command: SessionCommand, reply: Reply) {
        self.heard.lock().unwrap().push(command.clone());
        if self.silent.load(Ordering::SeqCst) {
            self.held.lock().unwrap().push(reply);
            return;
        }
        if let (Some(reason), false) =
            (self.refusal.lock().unwrap().take(), matches!(command, SessionCommand::Send { .. }))
        {
            reply.send(&SessionReply::Refused { reason });
            return;
        }
        reply.send(&match command {
            SessionCommand::Send { message, .. } => {
                let failure = self.failure.lock().unwrap().take();
                let progress = failure.clone().map_or(Progress::Sent, Progress::Failed);
                self.plan.database.advance_message(fence, message, progress).await.unwrap();
                let sent = SessionReply::Sent { sent_at: self.plan.clock.now() };
                failure.map_or(sent, |failure| SessionReply::Failed { failure })
            }
            SessionCommand::CheckNumbers { numbers } => {
                let known = self.numbers.lock().unwrap().clone();
                let check = |number: String| {
                    let jid = Some(format!("{number}@s.whatsapp.net"));
                    known.iter().find(|k| k.number == number).cloned().unwrap_or(NumberCheck { number, jid })
                };
                SessionReply::Numbers { numbers: numbers.into_iter().map(check).collect() }
            }
            SessionCommand::PairWithCode { .. } => SessionReply::PairingCode { code: "AAAA-BBBB".to_owned() },
            SessionCommand::Profile { .. } => {
                SessionReply::Profile { profile: self.profile.lock().unwrap().clone() }
            }
            SessionCommand::Stop => {
                self.move_to(fence, SessionState::Stopped, None, None).await;
                self.plan.database.release_session(fence).await.unwrap();
                SessionReply::Done
            }
            SessionCommand::Logout | SessionCommand::MarkRead { .. } | SessionCommand::Typing { .. } => {
                SessionReply::Done
            }
        });
    }
}
