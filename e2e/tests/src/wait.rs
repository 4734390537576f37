//! Waiting for a condition, with a deadline and words for what did not come.

use std::{
    panic::Location,
    time::{Duration, Instant},
};

/// How long anything may take that should take a moment: generous, for machines that are busy with other things.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Asks `probe` until it has an answer.
///
/// # Panics
/// When it has none within `deadline`; the message names the caller's line and what was waited for.
#[track_caller]
pub fn eventually<T, P: AsyncFnMut() -> Option<T>>(
    what: &str,
    deadline: Duration,
    mut probe: P,
) -> impl Future<Output = T> + use<T, P> {
    let (caller, what) = (Location::caller(), what.to_owned());
    async move {
        let end = Instant::now() + deadline;
        let mut pause = Duration::from_millis(2);
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            assert!(Instant::now() < end, "{caller}: {what} did not come within {deadline:?}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
