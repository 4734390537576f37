//! The tasks of one client: all of them have an owner, and end with it.

use std::{future::Future, pin::Pin, time::Duration};

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wacore::runtime::{AbortHandle, Runtime};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// Spawns the library's tasks so that they can be ended together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    end: CancellationToken,
}

impl Tasks {
    /// Runs until it is done or all tasks are ended.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(self.end.clone().run_until_cancelled_owned(future))
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
