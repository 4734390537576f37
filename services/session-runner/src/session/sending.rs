//! Brings stored messages to WhatsApp and notes what became of them.
//!
//! Storage is the queue; what is in memory is the part of it that was read. A command says "look now", may bring what
//! would be read, and waits for the outcome: whoever does hears that WhatsApp has the message at once, storage a moment
//! later. A message leaves the queue when WhatsApp's server has acknowledged it; if that is not certain, it
//! goes again under the same id, which its recipient knows to be the same message.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bus::{Reply, messages::SessionReply};
use domain::{
    Fence, MessageId, SharedClock, Timestamp,
    message::{Content, Failure, FailureCode, Message, MessageState},
};
use futures::FutureExt as _;
use storage::{Database, Progress};
use telemetry::{metrics, trace};
use tokio::{task::JoinSet, time::Instant};
use tracing::{Instrument as _, Span};
use whatsapp::Client;

use super::{
    outbox::Outbox,
    reading::{From, Reading, Run},
    undone::{Undone, Verdict},
};
use crate::media::Media;

/// Messages of one session on their way at the same time.
const MOST_ON_THEIR_WAY: usize = 64;

/// Messages that are read in one go.
const PAGE: u32 = 256;

/// Messages held in memory; more stay in storage until these are sent.
const MOST_HELD: usize = 1024;

/// How long an upload is good for: WhatsApp's media host keeps files for about twice as long.
const UPLOAD_LIFETIME: Duration = Duration::from_hours(7 * 24);

/// How long to wait before trying to store an outcome again.
const NOTE_AGAIN: Duration = Duration::from_millis(500);

pub(crate) struct Sending {
    database: Database,
    clock: SharedClock,
    media: Arc<Media>,
    fence: Fence,
    client: Option<Client>,
    connected: bool,
    outbox: Outbox,
    reading: Reading,
    on_their_way: usize,
    work: JoinSet<Done>,
    /// Who waits for the outcome of which message.
    waiting: HashMap<MessageId, Waiting>,
}

struct Waiting {
    replies: Vec<Reply>,
    /// The first run that must find the message, if it is still to be sent.
    run: u64,
}

enum Done {
    Read { run: Run, messages: storage::Result<Vec<Message>> },
    Sent { message: Arc<Message>, outcome: Result<(), Undone>, took: Duration, span: Span },
    Noted { id: MessageId, reply: Option<SessionReply> },
    LookedUp { id: MessageId, message: storage::Result<Option<Box<Message>>> },
}

impl Sending {
    pub(crate) fn new(database: Database, clock: SharedClock, media: Arc<Media>, fence: Fence) -> Self {
        Self {
            database,
            clock,
            media,
            fence,
            client: None,
            connected: false,
            outbox: Outbox::default(),
            reading: Reading::default(),
            on_their_way: 0,
            work: JoinSet::new(),
            waiting: HashMap::new(),
        }
    }

    /// Sends through `client` from now on.
    pub(crate) fn use_client(&mut self, client: Option<Client>) {
        self.client = client;
        self.connected = false;
    }

    /// Whether messages can be sent now.
    pub(crate) fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
        if connected {
            self.read(From::Start);
            self.wake();
        } else {
            self.answer_everybody(&SessionReply::NotConnected);
        }
    }

    /// Somebody asks for a stored message to be sent, and waits. With its row it need not be read.
    pub(crate) fn ask(&mut self, id: MessageId, row: Option<Box<Message>>, reply: Reply) {
        if !self.connected {
            reply.send(&SessionReply::NotConnected);
            return;
        }
        let run = self.reading.next_number();
        self.waiting.entry(id).or_insert(Waiting { replies: Vec::new(), run }).replies.push(reply);
        if self.outbox.knows(id) {
            return;
        }
        let row = row
            .filter(|row| row.id == id && row.session == self.fence.session && self.outbox.len() < MOST_HELD);
        if row.is_some_and(|row| self.outbox.add_unread(*row)) {
            self.pump();
        } else {
            self.read(From::Here);
        }
    }

    /// Looks at storage from the beginning.
    pub(crate) fn look_again(&mut self) {
        if let Some(client) = &self.client {
            self.connected = client.is_connected();
        }
        self.read(From::Start);
        self.wake();
    }

    /// When [`Sending::look_again`] should be called without any other reason.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.outbox.next_wake()
    }

    /// Carries on with what has come to an end; `None` while nothing is under way. Safe to cancel.
    pub(crate) async fn progress(&mut self) -> Option<()> {
        match self.work.join_next().await? {
            Ok(done) => self.done(done),
            Err(error) => tracing::error!(session.id = %self.fence.session, %error, "sending failed"),
        }
        // Whatever else has ended in the meantime is taken along.
        while let Some(Ok(done)) = self.work.try_join_next() {
            self.done(done);
        }
        Some(())
    }

    /// Starts nothing new, and waits up to `deadline` for what is under way.
    pub(crate) async fn finish(&mut self, deadline: Duration) {
        self.connected = false;
        let under_way = async { while self.progress().await.is_some() {} };
        if tokio::time::timeout(deadline, under_way).await.is_err() {
            tracing::debug!(session.id = %self.fence.session, "messages under way will go again");
        }
        self.answer_everybody(&SessionReply::NotConnected);
    }

    /// Drops everything: the session is somebody else's.
    pub(crate) async fn abandon(&mut self) {
        self.connected = false;
        self.waiting.clear();
        self.work.shutdown().await;
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Read { run, messages } => self.was_read(run, messages),
            Done::Sent { message, outcome, took, span } => {
                if let Err(error) = &outcome {
                    // Not the error's own words: they may name the recipient.
                    trace::failed(&span, || error.verdict().word().to_owned());
                }
                span.in_scope(|| self.was_sent(&message, outcome, took));
            }
            Done::Noted { id, reply } => {
                if !self.reading.keeps(id) {
                    self.outbox.forget(id);
                }
                if let Some(reply) = reply {
                    self.answer(id, &reply);
                }
                if self.outbox.len() < MOST_HELD / 4 && self.reading.is_wanted() {
                    self.start_reading();
                }
            }
            Done::LookedUp { id, message } => self.was_looked_up(id, message),
        }
        self.pump();
    }

    fn read(&mut self, from: From) {
        self.reading.want(from);
        self.start_reading();
    }

    fn start_reading(&mut self) {
        if self.outbox.len() >= MOST_HELD {
            return;
        }
        let Some(run) = self.reading.next(self.outbox.read_to()) else { return };
        let (database, session) = (self.database.clone(), self.fence.session);
        self.work.spawn(async move {
            Done::Read { run, messages: database.queued_messages(session, run.position, PAGE).await }
        });
    }

    fn was_read(&mut self, run: Run, messages: storage::Result<Vec<Message>>) {
        let noted = match messages {
            Ok(messages) => {
                let last = messages.last().filter(|_| messages.len() >= PAGE as usize);
                let more = last.map(|last| last.position);
                self.outbox.add(messages);
                if more.is_none() {
                    self.seek(run);
                }
                self.reading.was_read(run, more)
            }
            Err(error) => {
                tracing::warn!(session.id = %self.fence.session, %error, "stored messages could not be read");
                self.answer_everybody(&SessionReply::NotConnected);
                self.reading.was_read(run, None)
            }
        };
        for id in noted {
            self.outbox.forget(id);
        }
        self.start_reading();
    }

    /// Looks further for messages that somebody waits for, and that this run should have found.
    fn seek(&mut self, run: Run) {
        let missing = self
            .waiting
            .iter_mut()
            .filter(|(id, waiting)| waiting.run <= run.number && !self.outbox.knows(**id));
        for (id, waiting) in missing {
            match run.from {
                From::Here => {
                    waiting.run = self.reading.next_number();
                    self.reading.want(From::Start);
                }
                From::Start => {
                    waiting.run = u64::MAX;
                    let (database, id) = (self.database.clone(), *id);
                    self.work.spawn(async move {
                        let message = database.message(id).await;
                        Done::LookedUp { id, message: message.map(|found| found.map(Box::new)) }
                    });
                }
            }
        }
    }

    fn was_looked_up(&mut self, id: MessageId, message: storage::Result<Option<Box<Message>>>) {
        if self.outbox.knows(id) {
            return;
        }
        let reply = match message.map(|found| found.map(|found| *found)) {
            Ok(Some(Message { failure: Some(failure), .. })) => SessionReply::Failed { failure },
            Ok(Some(Message { state, sent_at: Some(sent_at), .. })) if state != MessageState::Queued => {
                SessionReply::Sent { sent_at }
            }
            _ => SessionReply::NotConnected,
        };
        self.answer(id, &reply);
    }

    fn wake(&mut self) {
        self.outbox.wake(Instant::now());
        for message in self.outbox.take_expired(self.clock.now()) {
            self.note_failure(&message, FailureCode::Expired, "it waited longer than its time to live");
        }
        self.pump();
    }

    /// Sends as much as may be on its way at once.
    fn pump(&mut self) {
        let Some(client) = self.client.clone().filter(|_| self.connected) else { return };
        while self.on_their_way < MOST_ON_THEIR_WAY
            && let Some(message) = self.outbox.next()
        {
            if message.expires_at <= self.clock.now() {
                self.outbox.done(&message);
                self.note_failure(&message, FailureCode::Expired, "it waited longer than its time to live");
                continue;
            }
            self.on_their_way += 1;
            let client = client.clone();
            let sent = Arc::clone(&message);
            let Content::Media(_) = &message.content else {
                self.start_sending(message, async move { client.send(&sent).await.map_err(Undone::Send) });
                continue;
            };
            let files =
                Files { media: Arc::clone(&self.media), database: self.database.clone(), fence: self.fence };
            let uploaded_since = self.clock.now() - UPLOAD_LIFETIME;
            self.start_sending(message, async move { files.send(&client, &sent, uploaded_since).await });
        }
    }

    /// Whatever happens to `sending`, its message does not stay on its way for ever.
    fn start_sending(
        &mut self,
        message: Arc<Message>,
        sending: impl Future<Output = Result<(), Undone>> + Send + 'static,
    ) {
        let (began, span) = (Instant::now(), span(&message));
        let work = span.clone();
        let sending = async move {
            let outcome = AssertUnwindSafe(sending).catch_unwind().await.unwrap_or(Err(Undone::Panicked));
            Done::Sent { message, outcome, took: began.elapsed(), span }
        };
        self.work.spawn(sending.instrument(work));
    }

    fn was_sent(&mut self, message: &Arc<Message>, outcome: Result<(), Undone>, took: Duration) {
        self.on_their_way -= 1;
        let tried = |outcome| metrics().send_duration.record(took.as_secs_f64(), [outcome]);
        match outcome {
            Ok(()) => {
                self.outbox.done(message);
                let sent_at = self.clock.now();
                tried("sent");
                metrics().messages_sent.add(1, [message.content.kind()]);
                metrics().outbound_lag.note(sent_at.since(message.accepted_at).as_secs_f64());
                let reply = SessionReply::Sent { sent_at };
                self.answer(message.id, &reply);
                self.note(message, Progress::Sent, reply);
            }
            Err(error) => match error.verdict() {
                Verdict::Again(pause) => {
                    tracing::info!(session.id = %self.fence.session, message.id = %message.id, %error, "will be sent again");
                    tried("again");
                    self.outbox.again(message, Instant::now(), pause);
                    self.answer(message.id, &SessionReply::NotConnected);
                }
                Verdict::Fail(code) => {
                    tried("failed");
                    self.outbox.done(message);
                    self.note_failure(message, code, &error.to_string());
                }
            },
        }
    }

    fn note_failure(&mut self, message: &Message, code: FailureCode, reason: &str) {
        let failure = Failure { code, reason: reason.to_owned() };
        metrics().messages_failed.add(1, [code.as_str()]);
        tracing::info!(
            session.id = %self.fence.session, message.id = %message.id, code = %code, reason, "a message was not sent"
        );
        self.note(message, Progress::Failed(failure.clone()), SessionReply::Failed { failure });
    }

    /// Stores what became of a message, however long that takes, then tells who still waits.
    fn note(&mut self, message: &Message, progress: Progress, reply: SessionReply) {
        let (database, fence, id) = (self.database.clone(), self.fence, message.id);
        let file = matches!(message.content, Content::Media(_))
            .then(|| (Arc::clone(&self.media), message.content.clone()));
        self.work.spawn(async move {
            loop {
                match database.advance_message(fence, id, progress.clone()).await {
                    Ok(()) => {
                        if let Some((media, content)) = &file {
                            media.done_with(&database, id, content).await;
                        }
                        return Done::Noted { id, reply: Some(reply) };
                    }
                    Err(storage::Error::LeaseLost) => return Done::Noted { id, reply: None },
                    Err(error) => {
                        tracing::warn!(session.id = %fence.session, message.id = %id, %error, "an outcome could not be stored; trying again");
                        tokio::time::sleep(NOTE_AGAIN).await;
                    }
                }
            }
        });
    }

    fn answer(&mut self, id: MessageId, reply: &SessionReply) {
        for waiting in self.waiting.remove(&id).map(|waiting| waiting.replies).unwrap_or_default() {
            waiting.send(reply);
        }
    }

    fn answer_everybody(&mut self, reply: &SessionReply) {
        for waiting in self.waiting.drain().flat_map(|(_, waiting)| waiting.replies) {
            waiting.send(reply);
        }
    }
}

/// One try to send, in the trace that the message was accepted in, however long ago that was.
fn span(message: &Message) -> Span {
    let span = telemetry::span!(
        "producer", "send message", messaging.system = "whatsapp", message.id = %message.id,
        message.kind = message.content.kind(), session.id = %message.session
    );
    trace::follow(&span, message.traceparent.as_deref());
    span
}

/// What a message with a file needs besides the client.
struct Files {
    media: Arc<Media>,
    database: Database,
    fence: Fence,
}

impl Files {
    /// Sends a message with a file, which is uploaded unless it was before.
    async fn send(
        &self,
        client: &Client,
        message: &Message,
        uploaded_since: Timestamp,
    ) -> Result<(), Undone> {
        let Content::Media(outgoing) = &message.content else {
            return client.send(message).await.map_err(Undone::Send);
        };
        let earlier = self.database.upload(self.fence.session, message.id, uploaded_since).await?;
        let upload = if let Some(upload) = earlier {
            upload
        } else {
            let upload = self.media.upload(client, outgoing).await?;
            self.database.put_upload(self.fence, message.id, &upload).await?;
            upload
        };
        client.send_media(message, &upload).await.map_err(Undone::Send)
    }
}
