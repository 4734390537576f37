//! What came in, on its way into storage: WhatsApp hears that it arrived only after the commit.

use std::sync::Arc;

use async_trait::async_trait;
use bus::Bus;
use domain::{Fence, UserId, detail::KnownPoll, event::InboundMessage};
use storage::Database;
use tokio::sync::Notify;

use super::announce;
use crate::Parts;

/// The inbox of one session under one claim.
pub(crate) struct SessionInbox {
    database: Database,
    bus: Bus,
    fence: Fence,
    user: UserId,
    /// Told of messages with files.
    files: Arc<Notify>,
}

impl SessionInbox {
    pub(crate) fn new(parts: &Parts, fence: Fence, user: UserId, files: Arc<Notify>) -> Self {
        Self { database: parts.database.clone(), bus: parts.bus.clone(), fence, user, files }
    }
}

#[async_trait]
impl whatsapp::Inbox for SessionInbox {
    async fn commit(&self, messages: Vec<InboundMessage>) -> Result<(), storage::Error> {
        let committed = self.database.commit_inbound(self.fence, messages).await?;
        if committed.media > 0 {
            self.files.notify_one();
        }
        if committed.deliveries > 0 {
            announce::deliveries_due(&self.bus);
        }
        if committed.new > 0 {
            announce::events_stored(&self.bus, self.user);
        }
        Ok(())
    }

    async fn poll(&self, message_id: &str) -> Result<Option<KnownPoll>, storage::Error> {
        self.database.poll(self.fence.session, message_id).await
    }
}
