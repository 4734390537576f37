//! Many callers, one transaction.
//!
//! A message costs several small writes, each of which must be durable before the next step. One transaction per
//! write would spend everything on commits, so hot writes queue here: whatever has gathered while the last
//! transaction was being committed goes into the next one, as few statements over many rows, and every caller is
//! answered after the commit. Nobody waits for a batch to fill up.
//!
//! The committing task has a thread of its own. A transaction is a dozen round trips to the database; on the threads that
//! all other tasks share, each answer would wait for its turn, and everybody waits for the transaction.
//!
//! When a batch fails, each of its writes is tried once more in a transaction of its own, so that one bad value
//! fails its own caller only.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Fence;
use telemetry::metrics;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Result, checkpoint,
    database::{Pools, Shared},
    deliveries::Settle,
    driver::Tx,
    error::Error,
    events::CommitInbound,
    fence::{self, Allowed},
    outbound::{Accept, Advance},
    receipts::NoteReceipts,
    session_state::StateWrite,
    sessions::Release,
    transitions::Transition,
};

/// Writes that wait for the transaction before theirs; more callers than this wait in line.
const QUEUE: usize = 4096;

/// The most writes in one transaction.
const BATCH: usize = 512;

/// How long a transaction may take. A server that was cut off would else keep everybody waiting for as long as the
/// network takes to notice.
const LONGEST: Duration = Duration::from_secs(20);

/// A write that shares its transaction with others of its kind and of other kinds.
pub(crate) trait Write: Send + Sync + Sized + 'static {
    type Output: Send + 'static;

    /// The claim that this write is made under, if it writes for a session's owner.
    fn fence(&self) -> Option<Fence>;

    /// Carries out all `writes`, in their order, in few statements; one output each. A write whose fence is not
    /// among the `allowed` must change nothing.
    fn apply(
        writes: &[&Self],
        allowed: &Allowed,
        shared: &Shared,
        tx: &mut Tx,
    ) -> impl Future<Output = Result<Vec<Self::Output>>> + Send;
}

pub(crate) struct Pending<W: Write> {
    write: W,
    /// Nobody waits for what is written behind.
    reply: Option<oneshot::Sender<Result<W::Output>>>,
}

impl<W: Write> Pending<W> {
    fn answer(self, outcome: Result<W::Output>) {
        match (self.reply, outcome) {
            // A caller that has gone away does not need its answer.
            (Some(reply), outcome) => drop(reply.send(outcome)),
            (None, Ok(_)) => {}
            (None, Err(error)) => tracing::warn!(%error, "a write that nobody waits for failed"),
        }
    }
}

macro_rules! lanes {
    ($($lane:ident: $write:ty),+ $(,)?) => {
        /// One queued write of any kind.
        #[expect(non_camel_case_types, reason = "each variant is the lane that it goes into")]
        pub(crate) enum Job { $($lane(Box<Pending<$write>>),)+ }

        $(impl From<Pending<$write>> for Job {
            fn from(pending: Pending<$write>) -> Self {
                Self::$lane(Box::new(pending))
            }
        })+

        /// The writes of one transaction, by kind, in the order in which the kinds are carried out.
        #[derive(Default)]
        struct Batch { $($lane: Vec<Pending<$write>>,)+ }

        impl Batch {
            fn push(&mut self, job: Job) {
                match job { $(Job::$lane(pending) => self.$lane.push(*pending),)+ }
            }

            fn len(&self) -> usize {
                0 $(+ self.$lane.len())+
            }

            fn fences(&self) -> impl Iterator<Item = Fence> {
                std::iter::empty() $(.chain(self.$lane.iter().filter_map(|pending| pending.write.fence())))+
            }

            /// Carries out everything in one transaction and answers everybody.
            async fn commit(self, shared: &Shared) {
                let several = self.len() > 1;
                match self.attempt(shared).await {
                    Ok(outputs) => { $(answer(self.$lane, outputs.$lane);)+ }
                    Err(error) if several && !matches!(error, Error::Unavailable(_) | Error::Full(_)) => {
                        $(for pending in self.$lane {
                            let mut alone = Batch::default();
                            alone.$lane.push(pending);
                            Box::pin(alone.commit(shared)).await;
                        })+
                    }
                    Err(error) => {
                        $(for pending in self.$lane {
                            pending.answer(Err(error.clone()));
                        })+
                    }
                }
            }

            async fn attempt(&self, shared: &Shared) -> Result<Outputs> {
                let began = Instant::now();
                let done = tokio::time::timeout(LONGEST, self.write(shared)).await.map_err(|_| {
                    Error::Unavailable(format!("the database did not answer within {} s", LONGEST.as_secs()))
                });
                let done = done.flatten();
                count(began.elapsed(), self.len(), done.is_ok());
                done
            }

            async fn write(&self, shared: &Shared) -> Result<Outputs> {
                let mut tx = shared.begin().await?;
                let allowed = fence::check(&mut tx, self.fences()).await?;
                let outputs = Outputs { $($lane: carry_out(&self.$lane, &allowed, shared, &mut tx).await?,)+ };
                tx.commit().await?;
                Ok(outputs)
            }
        }

        struct Outputs { $($lane: Vec<<$write as Write>::Output>,)+ }
    };
}

lanes! {
    state: StateWrite,
    transitions: Transition,
    accept: Accept,
    advance: Advance,
    receipts: NoteReceipts,
    inbound: CommitInbound,
    settle: Settle,
    release: Release,
}

fn count(took: Duration, writes: usize, committed: bool) {
    let metrics = metrics();
    metrics.commit_duration.note(took.as_secs_f64());
    // At most as many as fit into a batch.
    metrics.commit_writes.note(u32::try_from(writes).map_or(f64::INFINITY, f64::from));
    if !committed {
        metrics.commit_failures.one();
    }
}

async fn carry_out<W: Write>(
    pending: &[Pending<W>],
    allowed: &Allowed,
    shared: &Shared,
    tx: &mut Tx,
) -> Result<Vec<W::Output>> {
    if pending.is_empty() {
        return Ok(Vec::new());
    }
    let writes: Vec<&W> = pending.iter().map(|pending| &pending.write).collect();
    W::apply(&writes, allowed, shared, tx).await
}

fn answer<W: Write>(pending: Vec<Pending<W>>, outputs: Vec<W::Output>) {
    debug_assert_eq!(pending.len(), outputs.len(), "a write without an answer");
    for (pending, output) in pending.into_iter().zip(outputs) {
        pending.answer(Ok(output));
    }
}

/// The way in: queues writes for the task that commits them.
#[derive(Clone)]
pub(crate) struct GroupCommit {
    queue: mpsc::Sender<Job>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Ends the task that keeps the log short with the last one who writes.
    _folding: Arc<DropGuard>,
}

impl GroupCommit {
    /// Starts the committing task, and the one that keeps SQLite's log short.
    pub(crate) fn start(shared: Arc<Shared>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let stop = CancellationToken::new();
        let folding = stop.child_token();
        let tasks = TaskTracker::new();
        tasks.spawn(checkpoint::run(Arc::clone(&shared), folding.clone()));
        let writer = Self { queue, stop, tasks, _folding: Arc::new(folding.drop_guard()) };
        let (runtime, committing) = (Handle::current(), run(shared, jobs, writer.stop.clone()));
        writer.tasks.spawn_blocking(move || runtime.block_on(committing));
        writer.tasks.close();
        writer
    }

    /// Queues a write and waits until it is committed.
    pub(crate) async fn write<W: Write>(&self, write: W) -> Result<W::Output>
    where
        Job: From<Pending<W>>,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Pending { write, reply: Some(reply) }).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Queues a write and waits no further: it is committed before, or with, any that is queued later.
    pub(crate) async fn write_behind<W: Write>(&self, write: W) -> Result<()>
    where
        Job: From<Pending<W>>,
    {
        self.queue(Pending { write, reply: None }).await
    }

    async fn queue<W: Write>(&self, pending: Pending<W>) -> Result<()>
    where
        Job: From<Pending<W>>,
    {
        self.queue.send(pending.into()).await.map_err(|_| closed())
    }

    /// Commits what is queued, then refuses more.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

fn closed() -> Error {
    Error::Unavailable("the database is being closed".to_owned())
}

async fn run(shared: Arc<Shared>, mut jobs: mpsc::Receiver<Job>, stop: CancellationToken) {
    let mut gathered = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            received = jobs.recv_many(&mut gathered, BATCH) => if received == 0 { return },
            () = stop.cancelled(), if !jobs.is_closed() => { jobs.close(); continue }
        }
        let mut batch = Batch::default();
        for job in gathered.drain(..) {
            batch.push(job);
        }
        let writes = batch.len();
        batch.commit(&shared).await;
        metrics().commit_queue.is(u32::try_from(jobs.len()).map_or(f64::INFINITY, f64::from));
        if let Pools::Sqlite { log, .. } = &shared.pools {
            log.grew(writes);
        }
    }
}
