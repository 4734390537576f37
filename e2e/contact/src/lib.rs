//! A contact on the other side: a second, real client of the same library, linked to a
//! [`FakeWhatsApp`](fake_whatsapp::FakeWhatsApp) in this process or in another one.
//!
//! ```no_run
//! # use contact::Contact;
//! # use fake_whatsapp::{FakeWhatsApp, Options};
//! # use std::time::Duration;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = FakeWhatsApp::start(Options::default()).await?;
//! let one = Contact::link(&server, "628110000001").await?;
//! let other = Contact::link(&server, "628110000002").await?;
//! one.send_text(other.number(), "hello").await?;
//! assert_eq!(other.next_message(Duration::from_secs(5)).await?.text.as_deref(), Some("hello"));
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here sleeps: every wait is for a condition, with a deadline.

mod error;
mod http;
mod inbox;
mod media;
mod server;
mod tls;

pub use error::Error;
pub use http::MediaClient;
pub use inbox::{Notice, Received, ReceivedReceipt};
pub use media::MediaKind;
pub use server::{Remote, Server};
pub use whatsapp_rust;

use fake_whatsapp::Linked;
use inbox::{Inbox, Tap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wacore::store::in_memory::InMemoryBackend;
use wacore::store::traits::Backend;
use wacore::types::events::InboundMessage;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::transport::TokioWebSocketTransportFactory;
use whatsapp_rust::{Client, InboundDurabilityHook, Jid};

/// How long linking and connecting may take. Generous, for machines that are busy with other things.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// How a contact is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name it shows; its number when missing.
    pub push_name: Option<String>,
    /// How many one-time prekeys it makes; the library's own number (812) when missing. Fewer start faster.
    pub prekeys: Option<usize>,
    /// Connects over TLS, media included.
    pub tls: bool,
    /// Keeps what it receives. Turn off where only the counts matter.
    pub keep_messages: bool,
    /// Commits what it receives before it acknowledges, so that [`Contact::refuse_messages`] works.
    pub durable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { push_name: None, prekeys: Some(30), tls: false, keep_messages: true, durable: false }
    }
}

/// A linked client.
pub struct Contact {
    number: String,
    linked: Mutex<Option<Linked>>,
    options: Options,
    server: Server,
    backend: Arc<dyn Backend>,
    inbox: Arc<Inbox>,
    running: Mutex<Option<BotHandle>>,
    http: MediaClient,
    refusing: Arc<AtomicBool>,
}

/// Refuses to commit messages for as long as it is told to.
struct Gate {
    refusing: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
}

#[async_trait::async_trait]
impl InboundDurabilityHook for Gate {
    async fn on_messages(
        &self,
        _client: Arc<Client>,
        batch: &[InboundMessage],
    ) -> whatsapp_rust::anyhow::Result<()> {
        if self.refusing.load(Ordering::Acquire) {
            self.inbox.refused(batch.len());
            Err(whatsapp_rust::anyhow::anyhow!("refused on purpose"))
        } else {
            Ok(())
        }
    }
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Contact").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Contact {
    /// Links a new client to the account of `number` by QR code and waits until it is connected.
    pub async fn link(server: impl Into<Server>, number: &str) -> Result<Self, Error> {
        Self::link_with(server, number, Options::default()).await
    }

    /// The same with options.
    pub async fn link_with(server: impl Into<Server>, number: &str, options: Options) -> Result<Self, Error> {
        let contact = Self::new(server.into(), number, options)?;
        contact.start(None).await?;
        let qr = contact.inbox.wait_qr(CONNECT_DEADLINE).await?;
        let linked = contact.server.scan(number, &qr).await?;
        contact.set_linked(linked);
        contact.inbox.wait_connected(CONNECT_DEADLINE).await?;
        Ok(contact)
    }

    /// Links a new client by a code that is entered on the phone.
    pub async fn link_by_code(server: impl Into<Server>, number: &str) -> Result<Self, Error> {
        let contact = Self::new(server.into(), number, Options::default())?;
        contact
            .start(Some(PairCodeOptions { phone_number: number.to_owned(), ..PairCodeOptions::default() }))
            .await?;
        let code = contact.inbox.wait_code(CONNECT_DEADLINE).await?;
        let linked = contact.server.enter_code(number, &code, CONNECT_DEADLINE).await?;
        contact.set_linked(linked);
        contact.inbox.wait_connected(CONNECT_DEADLINE).await?;
        Ok(contact)
    }

    fn new(server: Server, number: &str, options: Options) -> Result<Self, Error> {
        Ok(Self {
            number: number.to_owned(),
            linked: Mutex::new(None),
            http: MediaClient::new(&server)?,
            server,
            backend: Arc::new(InMemoryBackend::new()),
            inbox: Arc::new(Inbox::new(options.keep_messages)),
            running: Mutex::new(None),
            refusing: Arc::new(AtomicBool::new(false)),
            options,
        })
    }

    async fn start(&self, code: Option<PairCodeOptions>) -> Result<(), Error> {
        let factory = TokioWebSocketTransportFactory::new();
        let factory = match self.server.chat_tls_url().filter(|_| self.options.tls) {
            Some(url) => factory.with_url(url).with_connector(tls::trusting_connector()?),
            None => factory.with_url(self.server.chat_url()),
        };
        let mut builder = Bot::builder()
            .with_backend_arc(Arc::clone(&self.backend))
            .with_transport_factory(factory)
            .with_http_client(self.http.clone())
            .with_version((2, 3000, 0))
            .with_push_name(self.options.push_name.clone().unwrap_or_else(|| self.number.clone()))
            .with_event_handler(Tap(Arc::clone(&self.inbox)));
        if let Some(prekeys) = self.options.prekeys {
            builder = builder.with_wanted_pre_key_count(prekeys);
        }
        if self.options.durable {
            builder = builder.with_inbound_durability_hook(Gate {
                refusing: Arc::clone(&self.refusing),
                inbox: Arc::clone(&self.inbox),
            });
        }
        if let Some(code) = code {
            builder = builder.with_pair_code(code);
        }
        let bot = builder.build().await.map_err(Error::build)?;
        *self.lock_running() = Some(bot.spawn());
        Ok(())
    }

    fn lock_running(&self) -> std::sync::MutexGuard<'_, Option<BotHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_linked(&self, linked: Linked) {
        *self.linked.lock().unwrap_or_else(PoisonError::into_inner) = Some(linked);
    }

    /// The account's number.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// How the server knows this client; `None` before it is linked.
    pub fn linked(&self) -> Option<Linked> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its device number; 0 before it is linked.
    pub fn device(&self) -> u16 {
        self.linked().map_or(0, |linked| linked.device)
    }

    /// The account's address by number.
    pub fn jid(&self) -> Jid {
        Jid::pn(self.number.as_str())
    }

    /// The account's address by LID.
    pub fn lid(&self) -> Result<Jid, Error> {
        let linked = self.linked().ok_or(Error::NotRunning)?;
        Ok(address(&linked.lid)?.to_non_ad())
    }

    /// The running client, for whatever is not offered here.
    pub fn client(&self) -> Result<Arc<Client>, Error> {
        self.lock_running().as_ref().map(BotHandle::client).ok_or(Error::NotRunning)
    }

    /// Sends a text; returns the message id. `to` is a number or any address.
    pub async fn send_text(&self, to: &str, text: &str) -> Result<String, Error> {
        self.send(
            to,
            waproto::whatsapp::Message { conversation: Some(text.to_owned()), ..Default::default() },
        )
        .await
    }

    /// Sends a message; returns its id.
    pub async fn send(&self, to: &str, message: waproto::whatsapp::Message) -> Result<String, Error> {
        let sent = self.client()?.send_message(address(to)?, message).await.map_err(Error::client)?;
        Ok(sent.message_id)
    }

    /// Marks messages of a chat as read; `sender` is needed in groups.
    pub async fn mark_read(&self, chat: &Jid, sender: Option<&Jid>, ids: &[&str]) -> Result<(), Error> {
        self.client()?.mark_as_read(chat, sender, ids).await.map_err(Error::client)
    }

    /// Makes a group with these numbers in it; returns its address.
    pub async fn create_group(&self, subject: &str, numbers: &[&str]) -> Result<Jid, Error> {
        use wacore::iq::groups::{GroupCreateOptions, GroupParticipantOptions};
        let participants =
            numbers.iter().map(|number| GroupParticipantOptions::from_phone(Jid::pn(*number))).collect();
        let options = GroupCreateOptions::new(subject).with_participants(participants);
        let created = self.client()?.groups().create_group(options).await.map_err(Error::client)?;
        Ok(created.metadata.id)
    }

    /// The next message nobody has asked for yet.
    pub async fn next_message(&self, within: Duration) -> Result<Received, Error> {
        self.inbox.next(within).await
    }

    /// Everything received since the contact was made.
    pub fn messages(&self) -> Vec<Received> {
        self.inbox.messages()
    }

    /// How many messages were received, also when they are not kept.
    pub fn received(&self) -> u64 {
        self.inbox.received()
    }

    /// Waits until `count` messages have been received in all.
    pub async fn wait_received(&self, count: u64, within: Duration) -> Result<(), Error> {
        self.inbox
            .wait(&format!("{count} messages"), within, |state| (state.received >= count).then_some(()))
            .await
    }

    /// Waits for a receipt about a message, of a kind such as `Delivered` or `Read`.
    pub async fn wait_receipt(
        &self,
        id: &str,
        kind: &str,
        within: Duration,
    ) -> Result<ReceivedReceipt, Error> {
        self.inbox.wait_receipt(id, kind, within).await
    }

    /// Waits for something to happen to the connection.
    pub async fn wait_notice(&self, notice: Notice, within: Duration) -> Result<(), Error> {
        self.inbox.wait_notice(notice, within).await
    }

    /// What happened to the connection so far, in order.
    pub fn notices(&self) -> Vec<Notice> {
        self.inbox.notices()
    }

    /// Waits until the client is connected, again after a loss of connection.
    pub async fn wait_connected(&self, within: Duration) -> Result<(), Error> {
        self.inbox.wait_connected(within).await
    }

    /// A second process with the same keys, which the server will take for the same device. It is started, but not
    /// waited for.
    pub async fn twin(&self) -> Result<Self, Error> {
        let twin = Self {
            number: self.number.clone(),
            linked: Mutex::new(self.linked()),
            options: self.options.clone(),
            server: self.server.clone(),
            backend: Arc::clone(&self.backend),
            inbox: Arc::new(Inbox::new(self.options.keep_messages)),
            running: Mutex::new(None),
            http: self.http.clone(),
            refusing: Arc::new(AtomicBool::new(false)),
        };
        twin.start(None).await?;
        Ok(twin)
    }

    /// Refuses to take messages in (they are neither acknowledged nor shown), or takes them again. Needs
    /// [`Options::durable`].
    pub fn refuse_messages(&self, refuse: bool) {
        self.refusing.store(refuse, Ordering::Release);
    }

    /// Waits until `count` messages have been refused in all.
    pub async fn wait_refused(&self, count: usize, within: Duration) -> Result<(), Error> {
        self.inbox
            .wait(&format!("{count} refused messages"), within, |state| {
                (state.refused >= count).then_some(())
            })
            .await
    }

    /// Disconnects, saving everything. What the library is just working on may be lost: it saves its session keys with
    /// the message counted as read, yet nobody has seen the message, and the redelivered copy counts as a duplicate.
    pub async fn disconnect(&self) {
        let running = self.lock_running().take();
        if let Some(running) = running {
            running.shutdown().await;
        }
        self.inbox.set_disconnected();
    }

    /// Ends at once, saving nothing more.
    pub fn kill(&self) {
        if let Some(running) = self.lock_running().take() {
            running.abort();
        }
        self.inbox.set_disconnected();
    }

    /// Connects again with the keys it has, and waits for it.
    pub async fn reconnect(&self) -> Result<(), Error> {
        self.reconnect_without_waiting().await?;
        self.inbox.wait_connected(CONNECT_DEADLINE).await
    }

    /// Connects again with the keys it has; see [`Self::wait_connected`] and [`Self::wait_notice`].
    pub async fn reconnect_without_waiting(&self) -> Result<(), Error> {
        self.disconnect().await;
        self.start(None).await
    }

    /// Unlinks itself.
    pub async fn logout(&self) -> Result<(), Error> {
        self.client()?.logout().await;
        Ok(())
    }
}

/// A number as an address; anything with an `@` is one already.
pub fn address(to: &str) -> Result<Jid, Error> {
    if to.contains('@') { to.parse().map_err(Error::client) } else { Ok(Jid::pn(to)) }
}
