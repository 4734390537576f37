//! The tasks of one client: all of them have an owner, and end with it.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wacore::runtime::{AbortHandle, Runtime};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// How often to look whether tasks still do something, and for how many looks they must not.
const LOOK: Duration = Duration::from_millis(10);
const QUIET_LOOKS: u32 = 3;

/// Spawns the library's tasks so that they can be ended together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    end: CancellationToken,
    /// Counts the steps of all tasks.
    steps: Arc<AtomicU64>,
}

impl Tasks {
    /// Runs until it is done or all tasks are ended.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (steps, mut future) = (Arc::clone(&self.steps), Box::pin(future));
        let counted = poll_fn(move |context| {
            steps.fetch_add(1, Ordering::Relaxed);
            future.as_mut().poll(context)
        });
        self.tracker.spawn(self.end.clone().run_until_cancelled_owned(counted))
    }

    /// Waits until no task has done anything for a moment, at most until `deadline`: what is under way comes to its
    /// end, what only waits does not count.
    pub(crate) async fn quiet(&self, deadline: Duration) -> bool {
        let quiet = async {
            let (mut before, mut looks) = (self.steps.load(Ordering::Relaxed), 0);
            while looks < QUIET_LOOKS && !self.tracker.is_empty() {
                tokio::time::sleep(LOOK).await;
                let now = self.steps.load(Ordering::Relaxed);
                looks = if now == before { looks + 1 } else { 0 };
                before = now;
            }
        };
        tokio::time::timeout(deadline, quiet).await.is_ok()
    }

    /// Runs on a thread that may block. It is not ended with the others, so it has to look at [`Tasks::ending`].
    pub(crate) fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn_blocking(work)
    }

    /// Cancelled when the tasks are to end.
    pub(crate) fn ending(&self) -> CancellationToken {
        self.end.clone()
    }

    /// Ends every task at its next pause, without waiting.
    pub(crate) fn end(&self) {
        self.end.cancel();
        self.tracker.close();
    }

    /// Ends every task and waits until they are gone; `false` when some are still there after `deadline`.
    pub(crate) async fn ended(&self, deadline: Duration) -> bool {
        self.end();
        tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok()
    }
}

#[async_trait]
impl Runtime for Tasks {
    fn spawn(&self, future: BoxFuture) -> AbortHandle {
        let task = Self::spawn(self, future).abort_handle();
        AbortHandle::new(move || task.abort())
    }

    fn spawn_detached(&self, future: BoxFuture) {
        Self::spawn(self, future);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn_blocking(
        &self,
        work: Box<dyn FnOnce() + Send + 'static>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let task = self.tracker.spawn_blocking(work);
        Box::pin(async move {
            let _ = task.await;
        })
    }

    fn yield_now(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_waited_for_and_what_only_waits_is_not() {
        let tasks = Tasks::default();
        assert!(tasks.quiet(Duration::ZERO).await, "there is nothing");
        tasks.spawn(std::future::pending::<()>());
        assert!(tasks.quiet(Duration::from_secs(1)).await);
        let done = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&done);
        tasks.spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                counting.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(tasks.quiet(Duration::from_secs(1)).await);
        assert_eq!(done.load(Ordering::Relaxed), 20);
        tasks.spawn(async {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(!tasks.quiet(Duration::from_millis(200)).await);
        assert!(tasks.ended(Duration::from_secs(1)).await);
    }
}
