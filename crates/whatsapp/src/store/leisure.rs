//! Work on the store that nobody waits for, such as the library's look at all one-time keys after each connect: that is
//! half of what a connect costs. When a thousand sessions connect at once, it comes after them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

/// The pause before each piece of work, which takes about as long.
const PAUSE: Duration = Duration::from_millis(5);

/// How long a piece of work waits for its turn; then it is done at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// One line for all sessions of a process.
#[derive(Debug, Clone)]
pub(crate) struct Leisure(Arc<Semaphore>);

impl Default for Leisure {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Leisure {
    /// Waits in line; the next one's turn comes when the answer is dropped.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = async {
            let turn = Arc::clone(&self.0).acquire_owned().await.ok();
            sleep(PAUSE).await;
            turn
        };
        timeout(PATIENCE, turn).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other_with_a_pause_and_nobody_waits_for_ever() {
        let leisure = Leisure::default();
        let began = tokio::time::Instant::now();
        let first = leisure.turn().await;
        assert!(first.is_some());
        assert_eq!(began.elapsed(), PAUSE);
        let second = leisure.turn().await;
        assert!(second.is_none(), "the first has not ended");
        assert_eq!(began.elapsed(), PAUSE + PATIENCE);
        drop(first);
        assert!(leisure.turn().await.is_some());
    }
}
