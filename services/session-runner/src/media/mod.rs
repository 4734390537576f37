//! Files of messages, both ways. Everything here works in pieces: how large a file is makes no difference to memory.
//!
//! - [`origin`]: where a file that is to be sent comes from, and what may be wrong with it.
//! - [`outgoing`]: from there, encrypted, to WhatsApp's media host.
//! - [`incoming`]: from the media host, decrypted, into the media store.
//! - [`retention`]: what is too old is removed.

pub(crate) mod incoming;
pub(crate) mod origin;
pub(crate) mod outgoing;
pub(crate) mod retention;

use std::{path::PathBuf, time::Duration};

use ::media::{Links, MediaStore, ObjectKey};
use domain::{MessageId, media::MediaLimits, message::Content};
use storage::Database;
use tokio::sync::Semaphore;

/// Files on their way out at the same time, in one process.
const UPLOADS_AT_ONCE: usize = 8;
/// Files on their way in.
const DOWNLOADS_AT_ONCE: usize = 16;

/// How files are handled.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// The largest files.
    pub limits: MediaLimits,
    /// How long a file may take from where it comes from.
    pub timeout: Duration,
    /// Where encrypted files wait, on a disk that is large enough.
    pub folder: PathBuf,
    /// How long received files are kept; `None`: for ever.
    pub keep_for: Option<Duration>,
    /// How much received files may take up in all.
    pub keep_bytes: Option<u64>,
}

/// What files are handled with. One for a process.
pub struct Media {
    pub(crate) store: MediaStore,
    pub(crate) links: Links,
    pub(crate) egress: egress::Client,
    pub(crate) settings: MediaSettings,
    uploads: Semaphore,
    pub(crate) downloads: Semaphore,
    /// Decoding a picture takes more memory than anything else here, and all of a core.
    pictures: Semaphore,
}

impl Media {
    #[must_use]
    pub fn new(store: MediaStore, links: Links, egress: egress::Client, settings: MediaSettings) -> Self {
        Self {
            store,
            links,
            egress,
            settings,
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
            downloads: Semaphore::new(DOWNLOADS_AT_ONCE),
            pictures: Semaphore::new(1),
        }
    }

    /// A message was sent, or will not be: what was kept for sending it can go. What cannot be removed now is found by
    /// [`retention`].
    pub(crate) async fn done_with(&self, database: &Database, id: MessageId, content: &Content) {
        if content.stored_upload().is_some()
            && let Err(error) = self.store.delete(&ObjectKey::uploaded(id)).await
        {
            tracing::warn!(message.id = %id, %error, "a file that was sent could not be removed");
        }
        if matches!(content, Content::Media(_))
            && let Err(error) = database.forget_upload(id).await
        {
            tracing::warn!(message.id = %id, %error, "an upload that was sent could not be forgotten");
        }
    }
}
