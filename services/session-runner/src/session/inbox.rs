//! What came in, on its way into storage: WhatsApp hears that it arrived only after the commit.

use async_trait::async_trait;
use bus::{Bus, messages::Hint, subjects};
use domain::{Fence, event::InboundMessage};
use storage::Database;

/// The inbox of one session under one claim.
pub(crate) struct SessionInbox {
    database: Database,
    bus: Bus,
    fence: Fence,
}

impl SessionInbox {
    pub(crate) const fn new(database: Database, bus: Bus, fence: Fence) -> Self {
        Self { database, bus, fence }
    }
}

#[async_trait]
impl whatsapp::Inbox for SessionInbox {
    async fn commit(&self, messages: Vec<InboundMessage>) -> Result<(), storage::Error> {
        let committed = self.database.commit_inbound(self.fence, messages).await?;
        if committed.deliveries > 0 {
            self.bus.publish(&subjects::deliveries_due(), &Hint::DeliveriesDue);
        }
        Ok(())
    }
}
