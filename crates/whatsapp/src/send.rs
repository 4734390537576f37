//! One message out: encrypted, written, and acknowledged by WhatsApp's server.

use std::{sync::Arc, time::Duration};

use domain::{
    media::UploadedMedia,
    message::{Content, Message},
};
use tokio::{sync::oneshot, time::timeout};
use wacore::types::message::AddressingMode;
use wacore_binary::{Jid, JidExt as _};
use whatsapp_rust::{
    ClientError, ErrorChainExt as _, SendOptions,
    socket::error::{EncryptSendError, EncryptSendErrorKind},
};

use crate::{
    acks::{Ack, Acks},
    client::Client,
    content,
};

/// Encrypting may have to ask WhatsApp for the recipient's devices and keys; the library gives each question 75 s.
const WRITE_TIMEOUT: Duration = Duration::from_secs(90);

/// Why a message does not count as sent, in terms of what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The session is not on line. Nothing was sent; try again when it is.
    #[error("the session is not connected")]
    NotConnected,
    /// The session belongs to another runner. Nothing was sent here; stop.
    #[error("the session belongs to another runner by now")]
    LeaseLost,
    /// It cannot be sent as it is.
    #[error("it cannot be sent: {reason}")]
    Invalid { reason: String },
    /// Nothing was sent, such as because the recipient's keys could not be fetched; try again later.
    #[error("it was not sent: {reason}")]
    NotSent { reason: String },
    /// WhatsApp's server refused it with this code, such as `463`: a stranger, and too many of them.
    #[error("WhatsApp refused it with code {code}")]
    Refused { code: String },
    /// It may or may not have reached WhatsApp. Try again later, under the same id.
    #[error("WhatsApp did not acknowledge it")]
    Unconfirmed,
}

impl SendError {
    /// Sending the same again later may work. Not so for a message that cannot be sent or that WhatsApp does not
    /// want; a server that is busy (429 and above 500) says so with a code.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotConnected | Self::NotSent { .. } | Self::Unconfirmed => true,
            Self::LeaseLost | Self::Invalid { .. } => false,
            Self::Refused { code } => {
                code.parse().is_ok_and(|code: u16| code == 429 || (500..600).contains(&code))
            }
        }
    }
}

impl Client {
    /// Sends a message under its own id; returns when WhatsApp's server has acknowledged it. Messages to different
    /// chats may be sent at the same time; those of one chat keep their order only if the caller waits for each.
    pub async fn send(&self, message: &Message) -> Result<(), SendError> {
        self.write(message, None).await
    }

    /// The same for a message whose file was uploaded.
    pub async fn send_media(&self, message: &Message, upload: &UploadedMedia) -> Result<(), SendError> {
        self.write(message, Some(upload)).await
    }

    async fn write(&self, message: &Message, upload: Option<&UploadedMedia>) -> Result<(), SendError> {
        let chat: Jid = message
            .chat
            .parse()
            .map_err(|_| SendError::Invalid { reason: format!("{} is not a JID", message.chat) })?;
        if !self.shared.link.lease.held() {
            return Err(SendError::LeaseLost);
        }
        if !self.shared.link.is_ready() {
            return Err(SendError::NotConnected);
        }

        let own = self.own_address(&message.content, &chat).await;
        let setting = content::Setting { chat: &message.chat, own, at: message.accepted_at, upload };
        let body = content::to_whatsapp(&message.content, &setting)
            .ok_or_else(|| SendError::Invalid { reason: "its file was not uploaded".to_owned() })?;
        let ack = Expected::new(&self.shared.link.acks, &message.wa_id);
        let options = SendOptions::default().with_message_id(message.wa_id.clone());
        let library = Arc::clone(&self.shared.library);
        // A task of its own: a caller that goes away must not leave the library in the middle of its keys.
        let link = Arc::clone(&self.shared.link);
        let write = self.shared.tasks.spawn(async move {
            let settled = link.ratchet.settle(async || library.flush_pending_signal_state().await).await;
            settled.map_err(|error| SendError::NotSent { reason: error.to_string() })?;
            let written = library.send_message_with_options(chat, body, options).await;
            written.map(|_| ()).map_err(|error| classify(&error))
        });
        match timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(Some(Ok(())))) => {}
            Ok(Ok(Some(Err(error)))) => return Err(error),
            // Too slow, or the client was closed in the middle of it.
            Err(_) | Ok(Err(_) | Ok(None)) => return Err(SendError::Unconfirmed),
        }
        match timeout(self.shared.options.ack_timeout, ack.received()).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(code))) => Err(SendError::Refused { code }),
            Ok(Err(_)) | Err(_) => Err(SendError::Unconfirmed),
        }
    }

    /// The session's own address in a group, which an edit there names as its author; by number when the group cannot
    /// be asked.
    async fn own_address(&self, content: &Content, chat: &Jid) -> Option<String> {
        if !matches!(content, Content::Edit { .. }) || !chat.is_group() {
            return None;
        }
        let library = &self.shared.library;
        let group = library.groups().query_info(chat).await.ok();
        let by_lid = group.is_some_and(|group| group.addressing_mode == AddressingMode::Lid);
        let own = library.lid().filter(|_| by_lid).or_else(|| library.pn());
        own.map(|own| own.to_non_ad_string())
    }
}

/// An acknowledgement that is waited for until this is dropped.
struct Expected<'a> {
    acks: &'a Acks,
    id: &'a str,
    receiver: oneshot::Receiver<Ack>,
}

impl<'a> Expected<'a> {
    /// Before the message is written: the acknowledgement can be faster than the writer.
    fn new(acks: &'a Acks, id: &'a str) -> Self {
        Self { acks, id, receiver: acks.expect(id) }
    }

    async fn received(mut self) -> Result<Ack, oneshot::error::RecvError> {
        (&mut self.receiver).await
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.acks.forget(self.id);
    }
}

/// What the library's error means for the message. Everything up to the write is done before a byte of it leaves,
/// so only an error of the write itself leaves its fate open.
fn classify(error: &whatsapp_rust::SendError) -> SendError {
    use whatsapp_rust::SendError as E;
    let lost = |cause: &&(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(storage::Error::LeaseLost))
    };
    if error.sources().any(|cause| lost(&cause)) {
        return SendError::LeaseLost;
    }
    match error {
        E::Client(ClientError::EncryptSend(error)) => written(error),
        E::InvalidRequest(reason) => SendError::Invalid { reason: reason.clone() },
        E::NotLoggedIn => SendError::NotConnected,
        _ if error.is_transport_unavailable() => SendError::NotConnected,
        _ => SendError::NotSent { reason: error.to_string() },
    }
}

fn written(error: &EncryptSendError) -> SendError {
    match error.kind {
        // The socket was given up before this message's turn.
        EncryptSendErrorKind::Poisoned => SendError::NotConnected,
        EncryptSendErrorKind::Crypto | EncryptSendErrorKind::Framing => {
            SendError::NotSent { reason: error.to_string() }
        }
        _ => SendError::Unconfirmed,
    }
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::anyhow;

    use super::*;

    fn refused(code: &str) -> SendError {
        SendError::Refused { code: code.to_owned() }
    }

    #[test]
    fn only_a_busy_server_is_asked_again() {
        for (error, transient) in [
            (SendError::NotConnected, true),
            (SendError::Unconfirmed, true),
            (SendError::LeaseLost, false),
            (refused("429"), true),
            (refused("503"), true),
            (refused("463"), false),
            (refused("479"), false),
            (refused("odd"), false),
        ] {
            assert_eq!(error.is_transient(), transient, "{error}");
        }
    }

    #[test]
    fn only_the_write_itself_leaves_the_outcome_open() {
        let written = |error| whatsapp_rust::SendError::Client(ClientError::EncryptSend(error));
        let broken = EncryptSendError::transport(anyhow::anyhow!("broken pipe"));
        assert_eq!(classify(&written(broken)), SendError::Unconfirmed);
        assert_eq!(classify(&written(EncryptSendError::channel_closed())), SendError::Unconfirmed);
        assert_eq!(classify(&written(EncryptSendError::poisoned())), SendError::NotConnected);
        let gone = whatsapp_rust::SendError::Client(ClientError::NotConnected);
        assert_eq!(classify(&gone), SendError::NotConnected);
        let lost = wacore::store::error::StoreError::Database(Box::new(storage::Error::LeaseLost));
        let lost = whatsapp_rust::SendError::Internal(anyhow::Error::new(lost).context("flush"));
        assert_eq!(classify(&lost), SendError::LeaseLost);
    }
}
