//! Removes files that need not be kept: received ones that are too old or too many, files that came with requests whose
//! messages are done with, and what killed processes left. Every process does it; done twice it does no harm.

use std::{sync::Arc, time::Duration};

use ::media::ObjectKey;
use domain::{SharedClock, Timestamp, message::MessageState};
use futures::TryStreamExt as _;
use rand::RngExt as _;
use storage::{Database, DisposableMedia};
use tokio_util::sync::CancellationToken;

use super::Media;

/// How often to look.
const EVERY: Duration = Duration::from_mins(10);
/// How soon after the start.
const FIRST: Duration = Duration::from_secs(30);
/// Files that are removed in one go.
const BATCH: u32 = 256;
/// A file without a message may belong to a request that is still going on.
const UNCLAIMED_FOR: Duration = Duration::from_hours(2);
/// Nobody writes to a file for a day.
const REMAINS_AFTER: Duration = Duration::from_hours(24);

/// What a look removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub received: usize,
    pub uploaded: usize,
}

/// Looks from time to time.
pub(crate) struct Retention {
    pub media: Arc<Media>,
    pub database: Database,
    pub clock: SharedClock,
}

/// Why a look was cut short; the next one goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    #[error(transparent)]
    Database(#[from] storage::Error),
    #[error(transparent)]
    Store(#[from] ::media::Error),
}

impl Retention {
    pub(crate) async fn run(self, stop: &CancellationToken) {
        let mut pause = FIRST;
        loop {
            // Not at the same moment as the other processes.
            let pause_now = pause.mul_f64(rand::rng().random_range(0.8..1.2));
            if stop.run_until_cancelled(tokio::time::sleep(pause_now)).await.is_none() {
                return;
            }
            match stop.run_until_cancelled(self.sweep()).await {
                Some(Ok(Swept { received: 0, uploaded: 0 })) | None => {}
                Some(Ok(swept)) => {
                    tracing::info!(received = swept.received, uploaded = swept.uploaded, "removed files");
                }
                Some(Err(error)) => tracing::warn!(%error, "files could not be removed; trying again later"),
            }
            pause = EVERY;
        }
    }

    /// One look.
    pub(crate) async fn sweep(&self) -> Result<Swept, SweepError> {
        let now = self.clock.now();
        let mut received = 0;
        let settings = &self.media.settings;
        // Without an age nothing is too old, but users who are gone leave files.
        let before = settings.keep_for.map_or(Timestamp(0), |age| now - age);
        loop {
            let old = self.database.disposable_media(before, BATCH).await?;
            self.remove(&old).await?;
            received += old.len();
            if old.len() < BATCH as usize {
                break;
            }
        }
        if let Some(most) = settings.keep_bytes {
            received += self.shrink(most).await?;
        }
        let uploaded = self.sweep_uploads(now).await?;
        self.database.forget_done_uploads().await?;
        self.database.forget_media_of_nobody().await?;
        self.media.store.remove_remains(REMAINS_AFTER).await?;
        Ok(Swept { received, uploaded })
    }

    /// Removes from the oldest on until no more than `most` bytes are left.
    async fn shrink(&self, most: u64) -> Result<usize, SweepError> {
        let everything = self.clock.now() + EVERY;
        let mut removed = 0;
        let mut bytes = self.database.media_bytes().await?;
        while bytes > most {
            let oldest = self.database.disposable_media(everything, BATCH).await?;
            let mut going = Vec::new();
            for file in oldest {
                if bytes <= most {
                    break;
                }
                bytes = bytes.saturating_sub(file.size);
                going.push(file);
            }
            if going.is_empty() {
                tracing::warn!(
                    bytes,
                    "received files take up more than MEDIA_MAX_BYTES, and webhooks need all of them"
                );
                break;
            }
            self.remove(&going).await?;
            removed += going.len();
        }
        Ok(removed)
    }

    /// From the store first: a row that says too much is looked at again.
    async fn remove(&self, files: &[DisposableMedia]) -> Result<(), SweepError> {
        for file in files {
            self.media.store.delete(&ObjectKey::received(file.session, file.id)).await?;
        }
        let ids: Vec<_> = files.iter().map(|file| file.id).collect();
        Ok(self.database.forget_media(&ids).await?)
    }

    async fn sweep_uploads(&self, now: Timestamp) -> Result<usize, SweepError> {
        let grace = UNCLAIMED_FOR.max(self.media.settings.timeout * 2);
        let mut listed = std::pin::pin!(self.media.store.list(ObjectKey::all_uploaded()));
        let mut removed = 0;
        while let Some(file) = listed.try_next().await? {
            let Some(message) = file.key.message() else { continue };
            if now.since(file.written_at) < grace {
                continue;
            }
            let waiting = self.database.message(message).await?;
            if waiting.is_none_or(|message| message.state != MessageState::Queued) {
                self.media.store.delete(&file.key).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
