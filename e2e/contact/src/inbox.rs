//! What a contact has received, and what has happened to its connection.

use crate::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use wacore::proto_helpers::MessageExt as _;
use wacore::types::events::{Event, EventHandler};
use wacore::types::message::MessageCategory;
use waproto::whatsapp::Message;
use whatsapp_rust::Jid;

/// A message as the client decrypted it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The message id.
    pub id: String,
    /// Who sent it, device included.
    pub from: Jid,
    /// The chat it belongs to.
    pub chat: Jid,
    /// Sent by another device of the same account.
    pub from_me: bool,
    /// It came from the offline queue.
    pub offline: bool,
    /// The text, for messages that have one.
    pub text: Option<String>,
    /// The sender's name.
    pub push_name: String,
    /// The whole message.
    pub message: Arc<Message>,
}

/// A receipt as the client got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedReceipt {
    /// The messages it is about.
    pub ids: Vec<String>,
    /// Who sent it.
    pub from: Jid,
    /// `Delivered`, `Read`, …
    pub kind: String,
}

/// Something that happened to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Logged in and ready.
    Connected,
    /// The connection was lost.
    Disconnected,
    /// Unlinked.
    LoggedOut,
    /// Another connection of the same device took over.
    Replaced,
    /// Banned for a while.
    TemporaryBan,
    /// The client is too old.
    Outdated,
    /// The login was refused for another reason.
    ConnectFailure,
    /// The server ended the stream with an error.
    StreamError,
}

#[derive(Default)]
pub(crate) struct State {
    messages: Vec<Received>,
    next: usize,
    pub(crate) received: u64,
    pub(crate) refused: usize,
    receipts: Vec<ReceivedReceipt>,
    notices: Vec<Notice>,
    connected: bool,
    qr: Option<String>,
    code: Option<String>,
}

/// Takes in the client's events.
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
    keep: bool,
}

impl Inbox {
    pub(crate) fn new(keep: bool) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), keep }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_disconnected(&self) {
        self.state().connected = false;
    }

    pub(crate) fn refused(&self, count: usize) {
        self.state().refused += count;
        self.changed.notify_waiters();
    }

    pub(crate) fn messages(&self) -> Vec<Received> {
        self.state().messages.clone()
    }

    pub(crate) fn received(&self) -> u64 {
        self.state().received
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.state().notices.clone()
    }

    /// Waits until `condition` yields something.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        within: Duration,
        mut condition: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, Error> {
        let waiting = async {
            loop {
                let notified = self.changed.notified();
                tokio::pin!(notified);
                notified.as_mut().enable();
                if let Some(value) = condition(&mut self.state()) {
                    return value;
                }
                notified.await;
            }
        };
        tokio::time::timeout(within, waiting)
            .await
            .map_err(|_| Error::Deadline { what: what.to_owned(), within })
    }

    pub(crate) async fn next(&self, within: Duration) -> Result<Received, Error> {
        self.wait("a message", within, |state| {
            let message = state.messages.get(state.next)?.clone();
            state.next += 1;
            Some(message)
        })
        .await
    }

    pub(crate) async fn wait_qr(&self, within: Duration) -> Result<String, Error> {
        self.wait("a QR code", within, |state| state.qr.take()).await
    }

    pub(crate) async fn wait_code(&self, within: Duration) -> Result<String, Error> {
        self.wait("a pairing code", within, |state| state.code.take()).await
    }

    pub(crate) async fn wait_connected(&self, within: Duration) -> Result<(), Error> {
        self.wait("a connection", within, |state| state.connected.then_some(())).await
    }

    pub(crate) async fn wait_notice(&self, notice: Notice, within: Duration) -> Result<(), Error> {
        self.wait(&format!("{notice:?}"), within, |state| state.notices.contains(&notice).then_some(())).await
    }

    pub(crate) async fn wait_receipt(
        &self,
        id: &str,
        kind: &str,
        within: Duration,
    ) -> Result<ReceivedReceipt, Error> {
        self.wait(&format!("a {kind} receipt for {id}"), within, |state| {
            state
                .receipts
                .iter()
                .find(|receipt| receipt.kind == kind && receipt.ids.iter().any(|other| other == id))
                .cloned()
        })
        .await
    }
}

/// What the client is given to call.
pub(crate) struct Tap(pub(crate) Arc<Inbox>);

impl EventHandler for Tap {
    fn handle_event(&self, event: Arc<Event>) {
        self.0.take_in(&event);
    }
}

impl Inbox {
    fn take_in(&self, event: &Event) {
        let mut state = self.state();
        match event {
            Event::Messages(batch) => {
                // The phone's messages to its companions (keys, history) come by the same event.
                for inbound in batch.iter().filter(|inbound| inbound.info.category != MessageCategory::Peer) {
                    state.received += 1;
                    if self.keep {
                        state.messages.push(received(inbound));
                    }
                }
            }
            Event::Receipt(receipt) => {
                if self.keep {
                    state.receipts.push(ReceivedReceipt {
                        ids: receipt.message_ids.clone(),
                        from: receipt.source.sender.clone(),
                        kind: format!("{:?}", receipt.r#type),
                    });
                }
            }
            Event::PairingQrCode(qr) => state.qr = Some(qr.code.clone()),
            Event::PairingCode(code) => state.code = Some(code.code.clone()),
            Event::Connected(_) => {
                state.connected = true;
                state.notices.push(Notice::Connected);
            }
            Event::Disconnected(_) => {
                state.connected = false;
                state.notices.push(Notice::Disconnected);
            }
            Event::LoggedOut(_) => {
                state.connected = false;
                state.notices.push(Notice::LoggedOut);
            }
            Event::StreamReplaced(_) => {
                state.connected = false;
                state.notices.push(Notice::Replaced);
            }
            Event::TemporaryBan(_) => state.notices.push(Notice::TemporaryBan),
            Event::ClientOutdated(_) => state.notices.push(Notice::Outdated),
            Event::ConnectFailure(_) => state.notices.push(Notice::ConnectFailure),
            Event::StreamError(_) => state.notices.push(Notice::StreamError),
            _ => return,
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

fn received(inbound: &wacore::types::events::InboundMessage) -> Received {
    let source = &inbound.info.source;
    Received {
        id: inbound.info.id.clone(),
        from: source.sender.clone(),
        chat: source.chat.clone(),
        from_me: source.is_from_me,
        offline: inbound.info.is_offline,
        text: inbound.message.text_content().map(str::to_owned),
        push_name: inbound.info.push_name.clone(),
        message: Arc::clone(&inbound.message),
    }
}
