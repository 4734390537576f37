//! Messages on their way in: into the owner's inbox first, acknowledged to WhatsApp second.

mod detail;
mod map;
mod votes;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    detail::{Detail, KnownPoll},
    event::InboundMessage,
};
use telemetry::trace;
use tokio::time::sleep;
use tracing::{Instrument as _, Span};
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

    /// Says in the gateway's words what the library decrypted, and commits it.
    async fn take(&self, library: &whatsapp_rust::Client, batch: &[Decrypted]) -> Result<(), storage::Error> {
        let mut messages: Vec<InboundMessage> = Vec::with_capacity(batch.len());
        for item in batch {
            if let Some(mut message) = map::inbound(&item.message, &item.info) {
                complete(library, &mut message).await;
                self.read_vote(library, item, &mut message, &messages).await?;
                messages.push(message);
            }
        }
        self.commit(messages).await
    }

    /// Fills in what a vote is for. The poll may be among the messages that came just before it.
    async fn read_vote(
        &self,
        library: &whatsapp_rust::Client,
        item: &Decrypted,
        vote: &mut InboundMessage,
        before: &[InboundMessage],
    ) -> Result<(), storage::Error> {
        let Some(Detail::PollVote { message_id, .. }) = &vote.detail else { return Ok(()) };
        let poll = match known_among(before, message_id) {
            Some(poll) => Some(poll),
            None => self.inbox.poll(message_id).await?,
        };
        let Some(poll) = poll else { return Ok(()) };
        let own = [library.pn(), library.lid()];
        let own = votes::Own(own.into_iter().flatten().map(|jid| jid.to_non_ad_string()).collect());
        let backend = library.persistence_manager().backend();
        let read = votes::chosen(&*backend, &own, map::inner(&item.message), vote, &poll).await;
        if let Some(Detail::PollVote { options, .. }) = &mut vote.detail {
            *options = read;
        }
        Ok(())
    }

    /// Messages that are already acknowledged: the phone sent them again because this device could not read them.
    /// They are tried for a while, then given up.
    pub(crate) async fn late(
        self: Arc<Self>,
        library: std::sync::Weak<whatsapp_rust::Client>,
        batch: Arc<[Decrypted]>,
    ) {
        for attempt in 1..=LATE_TRIES {
            let Some(library) = library.upgrade() else { return };
            match self.take(&library, &batch).instrument(received(&batch)).await {
                Ok(()) => return,
                Err(error) if attempt == LATE_TRIES || matches!(error, storage::Error::LeaseLost) => {
                    tracing::error!(error = %error, messages = batch.len(),
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
        let span = received(batch);
        if let Err(error) = self.take(&library, batch).instrument(span.clone()).await {
            trace::failed(&span, || "not stored".to_owned());
            // WhatsApp sends what was not acknowledged again on the next connection, not before.
            self.link.cut("a message that came in could not be stored").await;
            return Err(error.into());
        }
        Ok(())
    }
}

/// A trace begins with what WhatsApp sends, and goes on with the webhooks about it.
fn received(batch: &[Decrypted]) -> Span {
    let span = telemetry::span!(
        "consumer",
        "receive messages",
        messaging.system = "whatsapp",
        messaging.batch.message_count = batch.len()
    );
    trace::follow(&span, None);
    span
}

fn known_among(messages: &[InboundMessage], poll: &str) -> Option<KnownPoll> {
    let found = messages.iter().find(|message| message.message_id == poll)?;
    let Some(Detail::Poll { options, .. }) = &found.detail else { return None };
    let authors = [Some(&found.sender), found.sender_alt.as_ref()];
    Some(KnownPoll {
        options: options.clone(),
        authors: authors.into_iter().flatten().cloned().collect(),
        secret: None,
    })
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
