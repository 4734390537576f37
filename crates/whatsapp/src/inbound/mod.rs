//! Messages on their way in: into the owner's inbox first, acknowledged to WhatsApp second.

mod map;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::event::InboundMessage;
use tokio::time::sleep;
use wacore::types::events::InboundMessage as Decrypted;
use wacore_binary::Jid;
use whatsapp_rust::{InboundDurabilityHook, anyhow};

use crate::{Inbox, connection::NotHeld, link::Link};

/// How often a message that WhatsApp will not send again is offered to the inbox, and how long it waits in between.
const LATE_TRIES: u32 = 6;
const LATE_DELAY: Duration = Duration::from_secs(2);

/// Hands what the library decrypted to the inbox.
pub(crate) struct Intake {
    link: Arc<Link>,
    inbox: Arc<dyn Inbox>,
}

impl Intake {
    pub(crate) fn new(link: Arc<Link>, inbox: Arc<dyn Inbox>) -> Self {
        Self { link, inbox }
    }

    async fn commit(&self, messages: Vec<InboundMessage>) -> Result<(), storage::Error> {
        if messages.is_empty() {
            return Ok(());
        }
        if !self.link.lease.held() {
            return Err(storage::Error::LeaseLost);
        }
        self.inbox.commit(messages).await.inspect_err(|error| {
            if matches!(error, storage::Error::LeaseLost) {
                self.link.lease.lost();
            }
        })
    }

    /// Messages that are already acknowledged: the phone sent them again because this device could not read them.
    /// They are tried for a while, then given up.
    pub(crate) async fn late(self: Arc<Self>, batch: Arc<[Decrypted]>) {
        let messages: Vec<_> =
            batch.iter().filter_map(|item| map::inbound(&item.message, &item.info)).collect();
        for attempt in 1..=LATE_TRIES {
            match self.commit(messages.clone()).await {
                Ok(()) => return,
                Err(error) if attempt == LATE_TRIES || matches!(error, storage::Error::LeaseLost) => {
                    tracing::error!(error = %error, messages = messages.len(),
                        "messages that the phone sent again could not be stored and are lost");
                    return;
                }
                Err(_) => sleep(LATE_DELAY * attempt).await,
            }
        }
    }
}

#[async_trait]
impl InboundDurabilityHook for Intake {
    async fn on_messages(
        &self,
        library: Arc<whatsapp_rust::Client>,
        batch: &[Decrypted],
    ) -> Result<(), anyhow::Error> {
        if !self.link.lease.held() {
            return Err(NotHeld.into());
        }
        let mut messages = Vec::with_capacity(batch.len());
        for item in batch {
            if let Some(mut message) = map::inbound(&item.message, &item.info) {
                complete(&library, &mut message).await;
                messages.push(message);
            }
        }
        if let Err(error) = self.commit(messages).await {
            // WhatsApp sends what was not acknowledged again on the next connection, not before.
            self.link.cut("a message that came in could not be stored").await;
            return Err(error.into());
        }
        Ok(())
    }
}

/// Fills in the other addresses that this message did not carry but earlier ones did.
async fn complete(library: &whatsapp_rust::Client, message: &mut InboundMessage) {
    if message.sender_alt.is_none() {
        message.sender_alt = other_address(library, &message.sender).await;
    }
    if message.chat_alt.is_none() {
        message.chat_alt = if message.chat == message.sender {
            message.sender_alt.clone()
        } else {
            other_address(library, &message.chat).await
        };
    }
}

async fn other_address(library: &whatsapp_rust::Client, jid: &str) -> Option<String> {
    let jid: Jid = jid.parse().ok()?;
    let known = library.get_lid_pn_entry(&jid).await.ok()??;
    let other = if jid.is_lid() { Jid::pn(&*known.phone_number) } else { Jid::lid(&*known.lid) };
    Some(other.to_string())
}
