//! Fetches the files of messages that came in.
//!
//! Storage says which files are waited for; what is in memory is only which of them are being fetched. A file is looked
//! for when its message was stored, when the session comes on line, and when its time to be tried again has come. What
//! is on its way when the session is given back goes on with its next owner, from the beginning.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ::media::ObjectKey;
use bus::{Bus, messages::Hint, subjects};
use domain::{Fence, MediaId, SharedClock, media::after_failed_fetch};
use storage::{Database, PendingMedia, WaitingMedia};
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use whatsapp::{Client, FetchError};

use crate::media::{Media, incoming::IncomingError};

/// Files of one session that are fetched at the same time.
const AT_ONCE: usize = 4;
/// Files that are read from storage in one go.
const PAGE: u32 = 32;
/// How long to wait before looking again when storage did not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What fetching works with.
#[derive(Clone)]
pub(crate) struct Workshop {
    pub media: Arc<Media>,
    pub database: Database,
    pub bus: Bus,
    pub clock: SharedClock,
    pub fence: Fence,
}

pub(crate) struct Fetching {
    workshop: Workshop,
    /// Says that a message with a file was stored.
    news: Arc<Notify>,
    /// While it is on line.
    client: Option<Client>,
    in_hand: HashSet<MediaId>,
    looking: bool,
    /// Something was said while looking.
    look_again: bool,
    next_look: Option<Instant>,
    work: JoinSet<Done>,
}

enum Done {
    Looked(storage::Result<WaitingMedia>),
    Fetched { id: MediaId, stored: bool },
}

impl Fetching {
    pub(crate) fn new(workshop: Workshop) -> Self {
        Self {
            workshop,
            news: Arc::default(),
            client: None,
            in_hand: HashSet::new(),
            looking: false,
            look_again: false,
            next_look: None,
            work: JoinSet::new(),
        }
    }

    /// To be told of messages with files.
    pub(crate) fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// Fetches through `client` from now on, or not at all.
    pub(crate) fn set_online(&mut self, client: Option<&Client>) {
        self.client = client.cloned();
        self.next_look = None;
        self.look();
    }

    /// Waits for something to do and does it. Safe to cancel.
    pub(crate) async fn progress(&mut self) {
        tokio::select! {
            Some(done) = self.work.join_next() => match done {
                Ok(Done::Looked(waiting)) => self.looked(waiting),
                Ok(Done::Fetched { id, stored }) => self.fetched(id, stored),
                Err(error) => {
                    let session = self.workshop.fence.session;
                    tracing::error!(session.id = %session, %error, "fetching a file failed");
                }
            },
            () = self.news.notified() => self.look(),
            () = until(self.next_look) => self.look(),
        }
    }

    /// Drops what is on its way.
    pub(crate) async fn stop(&mut self) {
        self.client = None;
        self.work.shutdown().await;
        self.in_hand.clear();
        (self.looking, self.look_again, self.next_look) = (false, false, None);
    }

    fn look(&mut self) {
        if self.client.is_none() || self.in_hand.len() >= AT_ONCE {
            // It is looked when there is a connection, or a place.
            self.next_look = None;
            return;
        }
        if self.looking {
            self.look_again = true;
            return;
        }
        (self.looking, self.next_look) = (true, None);
        let (database, session) = (self.workshop.database.clone(), self.workshop.fence.session);
        self.work.spawn(async move { Done::Looked(database.waiting_media(session, PAGE).await) });
    }

    fn looked(&mut self, waiting: storage::Result<WaitingMedia>) {
        self.looking = false;
        let Some(client) = self.client.clone() else { return };
        let session = self.workshop.fence.session;
        match waiting {
            Ok(WaitingMedia { due, next }) => {
                for pending in due {
                    if self.in_hand.len() < AT_ONCE && self.in_hand.insert(pending.id) {
                        let (workshop, client) = (self.workshop.clone(), client.clone());
                        self.work.spawn(async move {
                            let id = pending.id;
                            Done::Fetched { id, stored: workshop.fetch(&client, pending).await }
                        });
                    }
                }
                let now = self.workshop.clock.now();
                self.next_look = next.map(|next| Instant::now() + next.since(now));
            }
            Err(error) => {
                tracing::warn!(session.id = %session, %error, "files to fetch could not be read; trying again");
                self.next_look = Some(Instant::now() + LOOK_AGAIN);
            }
        }
        if std::mem::take(&mut self.look_again) {
            self.look();
        }
    }

    fn fetched(&mut self, id: MediaId, stored: bool) {
        self.in_hand.remove(&id);
        if stored {
            self.look();
        } else {
            self.next_look = Some(Instant::now() + LOOK_AGAIN);
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Workshop {
    /// Fetches one file and stores what became of it. `false` when storage does not know; the file is still waited for.
    async fn fetch(&self, client: &Client, pending: PendingMedia) -> bool {
        let Ok(_turn) = self.media.downloads.acquire().await else { return false };
        let session = self.fence.session;
        let stored = match self.media.fetch(client, session, &pending).await {
            Ok(file) => {
                let link = |name: &str| self.media.links.address(pending.id, name, self.clock.now());
                self.kept(&pending, self.database.keep_media(self.fence, pending.id, &file, link).await).await
            }
            // Later, when there is a connection, or by somebody else.
            Err(IncomingError::Fetch(FetchError::NotConnected | FetchError::LeaseLost)) => return false,
            Err(error) => self.failed(&pending, &error).await,
        };
        if let Err(error) = stored {
            tracing::warn!(session.id = %session, media.id = %pending.id, %error, "what became of a file could not be stored");
            return false;
        }
        self.bus.publish(&subjects::deliveries_due(), &Hint::DeliveriesDue);
        true
    }

    /// A file that nobody waits for any more, such as because its session was removed meanwhile, is not kept.
    async fn kept(
        &self,
        pending: &PendingMedia,
        name: storage::Result<Option<String>>,
    ) -> storage::Result<()> {
        if name?.is_none() {
            let key = ObjectKey::received(self.fence.session, pending.id);
            if let Err(error) = self.media.store.delete(&key).await {
                tracing::warn!(media.id = %pending.id, %error, "a file that nobody waits for could not be removed");
            }
        }
        Ok(())
    }

    async fn failed(&self, pending: &PendingMedia, error: &IncomingError) -> storage::Result<()> {
        let session = self.fence.session;
        let reason = error.to_string();
        let failures = pending.attempts.saturating_add(1);
        let Some(pause) = after_failed_fetch(failures).filter(|_| !error.is_final()) else {
            tracing::warn!(session.id = %session, media.id = %pending.id, failures, reason, "a file is given up");
            return self.database.give_up_media(self.fence, pending.id, &reason).await.map(|_| ());
        };
        tracing::info!(session.id = %session, media.id = %pending.id, failures, reason, "a file will be fetched again");
        self.database.put_off_media(self.fence, pending.id, self.clock.now() + pause, &reason).await
    }
}
