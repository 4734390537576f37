//! The server: its listeners and its life.

use crate::account::digits;
use crate::clock;
use crate::control;
use crate::error::Error;
use crate::faults::{Delay, MediaFault};
use crate::handle::AccountHandle;
use crate::inner::{Addresses, Inner};
use crate::ledger::Ledger;
use crate::media;
use crate::options::Options;
use crate::pairing::{self, Linked};
use crate::socket::cert::ServerIdentity;
use crate::socket::session;
use crate::stanza;
use crate::tls::{self, TlsListener};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::serve::ListenerExt as _;
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

/// How long a stopping server waits for its connections.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);
/// Per connection; a stanza that is larger makes the buffers grow for as long as it takes.
const SOCKET_BUFFER: usize = 4 * 1024;
/// A client's WebSocket message may hold a frame of 16 MiB and a bit.
const MAX_WEBSOCKET_MESSAGE: usize = 20 * 1024 * 1024;

/// A running server. Clones are handles on the same server, which stops when the last one is dropped.
#[derive(Clone)]
pub struct FakeWhatsApp {
    inner: Arc<Inner>,
    _stop: Arc<DropGuard>,
}

impl std::fmt::Debug for FakeWhatsApp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FakeWhatsApp").field("chat_url", &self.chat_url()).finish_non_exhaustive()
    }
}

impl FakeWhatsApp {
    /// Opens the listeners and starts serving.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let plain = TcpListener::bind(options.listen).await?;
        let tls = match options.tls_listen {
            Some(address) => Some((TcpListener::bind(address).await?, tls::self_signed()?)),
            None => None,
        };
        let control = match options.control_listen {
            Some(address) => Some(TcpListener::bind(address).await?),
            None => None,
        };
        let addresses = Addresses {
            plain: plain.local_addr()?,
            tls: tls.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?,
            control: control.as_ref().map(TcpListener::local_addr).transpose()?,
        };
        let identity = ServerIdentity::generate(clock::unix_seconds())?;
        let certificate = tls.as_ref().map(|(_, (_, certificate))| certificate.clone());
        let inner = Arc::new(Inner::new(options, identity, certificate, addresses));
        let server = Self { inner: Arc::clone(&inner), _stop: Arc::new(inner.cancel.clone().drop_guard()) };
        let plain = plain.tap_io(|stream| drop(stream.set_nodelay(true)));
        serve(&inner, plain, chat_router(&inner, false));
        if let Some((listener, (config, _))) = tls {
            let listener = TlsListener::start(listener, config, &inner.tasks, &inner.cancel)?;
            serve(&inner, listener, chat_router(&inner, true));
        }
        if let Some(listener) = control {
            serve(&inner, listener, control::router(&inner));
        }
        Ok(server)
    }

    /// The WebSocket address in plain text.
    pub fn chat_url(&self) -> String {
        format!("ws://{}/ws/chat", self.inner.addresses.plain)
    }

    /// The WebSocket address over TLS (self-signed), unless it is turned off.
    pub fn chat_tls_url(&self) -> Option<String> {
        self.inner.addresses.tls.map(|address| format!("wss://{address}/ws/chat"))
    }

    /// The certificate of the TLS listener, in PEM, for clients that check it.
    pub fn certificate(&self) -> Option<&str> {
        self.inner.certificate.as_deref()
    }

    /// The public key of the root that the Noise certificates go back to, in hexadecimal: what WhatsApp's clients have as
    /// a constant.
    pub fn root_key(&self) -> String {
        hex::encode(&self.inner.identity.root)
    }

    /// Where the control API is, or an empty text when it is turned off.
    pub fn control_url(&self) -> String {
        self.inner.addresses.control.map_or_else(String::new, |address| format!("http://{address}"))
    }

    /// `host:port` of the media host in plain text.
    pub fn media_host(&self) -> String {
        self.inner.media_host(false)
    }

    /// `host:port` of the media host over TLS.
    pub fn media_tls_host(&self) -> Option<String> {
        self.inner.addresses.tls.map(|address| address.to_string())
    }

    /// Registers a number, unless it is registered already.
    #[expect(clippy::unused_async, reason = "part of a surface that others wait for")]
    pub async fn create_account(&self, number: &str) -> AccountHandle {
        let account = self
            .inner
            .directory
            .get_or_create(number, &self.inner.options)
            .expect("signing with a key that was just made does not fail");
        self.inner.changed.notify_waiters();
        AccountHandle::new(Arc::clone(&self.inner), account)
    }

    /// The account of a number.
    pub fn account(&self, number: &str) -> Result<AccountHandle, Error> {
        self.inner
            .directory
            .by_number(&digits(number))
            .map(|account| AccountHandle::new(Arc::clone(&self.inner), account))
            .ok_or_else(|| Error::Unknown(format!("account {number}")))
    }

    /// All accounts, ordered by number.
    pub fn accounts(&self) -> Vec<AccountHandle> {
        let mut accounts = self.inner.directory.all();
        accounts.sort_unstable_by(|one, other| one.number.cmp(&other.number));
        accounts.into_iter().map(|account| AccountHandle::new(Arc::clone(&self.inner), account)).collect()
    }

    /// Scans a QR code with the phone of `number`; without one, with a new phone.
    pub async fn scan(&self, number: Option<&str>, qr: &str) -> Result<Linked, Error> {
        let number = number.map_or_else(|| self.free_number(), str::to_owned);
        pairing::scan(&self.inner, &number, qr).await
    }

    /// Enters a pairing code on the phone of `number`. A client must have asked for one before; see
    /// [`Self::wait_code_requested`].
    pub async fn enter_code(&self, number: &str, code: &str) -> Result<Linked, Error> {
        pairing::enter_code(&self.inner, number, code).await
    }

    /// Waits until a client has asked for a pairing code for `number`.
    pub async fn wait_code_requested(&self, number: &str, within: Duration) -> Result<(), Error> {
        let number = digits(number);
        let requested = || self.inner.codes.contains_key(&number).then_some(());
        self.inner.wait("a request for a pairing code", within, &self.inner.changed, requested).await
    }

    /// Makes a group; unregistered members are registered. Returns its address.
    pub fn create_group(&self, creator: &str, subject: &str, members: &[&str]) -> Result<String, Error> {
        let options = &self.inner.options;
        let creator = self.inner.directory.get_or_create(creator, options)?;
        let mut numbers = Vec::new();
        for member in members {
            numbers.push(self.inner.directory.get_or_create(member, options)?.number.clone());
        }
        let group = self.inner.groups.create(&creator.number, subject, numbers, BTreeMap::new());
        stanza::iq::announce_new_group(&self.inner, &creator, None, &group);
        Ok(group.jid().to_string())
    }

    /// Delays answers from now on; 0 milliseconds end it.
    pub fn delay(&self, delay: Delay) {
        self.inner.faults.delay(delay);
    }

    /// Makes the media host misbehave, for uploads or for downloads, `times` times or until it is cleared.
    pub fn media_fault(&self, fault: MediaFault, upload: bool, times: Option<u32>) {
        self.inner.faults.media(fault, upload, times);
    }

    /// The media host is well again.
    pub fn clear_media_faults(&self) {
        self.inner.faults.clear_media();
    }

    /// Forgets all files: links to them have expired.
    pub fn expire_media(&self) {
        self.inner.media.expire();
    }

    /// How many files the media host has.
    pub fn media_files(&self) -> usize {
        self.inner.media.len()
    }

    fn free_number(&self) -> String {
        loop {
            let number = format!("62811{:08}", rand::rng().random_range(0..100_000_000_u32));
            if self.inner.directory.by_number(&number).is_none() {
                return number;
            }
        }
    }

    /// What the server has accepted and delivered so far.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for account in self.inner.directory.all() {
            ledger.accepted.extend(account.ledger.lock().accepted(&account.number));
            let state = account.state.lock();
            for (id, device) in state.devices.iter().filter(|(id, _)| **id != 0) {
                let deliveries = device.queue.deliveries();
                let deliveries =
                    deliveries.iter().map(|(id, delivery)| (id.to_string(), *delivery)).collect();
                ledger.deliveries.insert(format!("{}:{id}", account.number), deliveries);
            }
        }
        ledger.accepted.sort_unstable_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        ledger
    }

    /// How many message stanzas were accepted in all, copies included.
    pub fn accepted(&self) -> u64 {
        self.inner.counters.accepted()
    }

    /// How many client connections are open.
    pub fn connections(&self) -> u64 {
        self.inner.counters.open()
    }

    /// Stanzas that nobody handles, as XML; the first hundred are kept.
    pub fn unhandled(&self) -> Vec<String> {
        self.inner.kept_unhandled()
    }

    /// How many stanzas nobody handled.
    pub fn unhandled_count(&self) -> u64 {
        self.inner.counters.unhandled()
    }

    pub(crate) fn from_inner(inner: &Arc<Inner>) -> Self {
        // A guard of a child token: dropping this handle does not stop the server.
        Self { inner: Arc::clone(inner), _stop: Arc::new(inner.cancel.child_token().drop_guard()) }
    }

    /// Ends all connections and stops listening.
    pub async fn shutdown(&self) {
        self.inner.cancel.cancel();
        self.inner.tasks.close();
        if tokio::time::timeout(SHUTDOWN_DEADLINE, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks of the server did not end in time");
        }
    }
}

fn chat_router(inner: &Arc<Inner>, tls: bool) -> Router {
    Router::new()
        .route("/ws/chat", any(chat))
        .route("/mms/{kind}/{name}", post(media::upload))
        .route("/v/{name}", get(media::download))
        .layer(DefaultBodyLimit::disable())
        .with_state((Arc::clone(inner), tls))
}

async fn chat(State((inner, tls)): State<(Arc<Inner>, bool)>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .read_buffer_size(SOCKET_BUFFER)
        .write_buffer_size(0)
        .max_message_size(MAX_WEBSOCKET_MESSAGE)
        .max_frame_size(MAX_WEBSOCKET_MESSAGE)
        .on_upgrade(move |socket| {
            let tracked = inner.tasks.token();
            async move {
                session::run(inner, socket, tls).await;
                drop(tracked);
            }
        })
}

fn serve<L>(inner: &Arc<Inner>, listener: L, router: Router)
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let cancel = inner.cancel.clone();
    inner.tasks.spawn(async move {
        // Dropped rather than drained: the connections end by the same token.
        tokio::select! {
            () = cancel.cancelled() => {}
            served = axum::serve(listener, router) => {
                if let Err(error) = served {
                    tracing::error!(%error, "a listener has stopped");
                }
            }
        }
    });
}
