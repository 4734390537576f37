//! The server: its listeners, its life, and what everything in it shares.

use crate::account::directory::Directory;
use crate::account::{Account, digits};
use crate::clock;
use crate::control;
use crate::error::Error;
use crate::faults::{Delay, Faults, MediaFault};
use crate::groups::Groups;
use crate::handle::AccountHandle;
use crate::ledger::Ledger;
use crate::media::{self, MediaStore};
use crate::options::Options;
use crate::pairing::{self, CodeFlow, Linked};
use crate::socket::cert::ServerIdentity;
use crate::socket::connection::Connection;
use crate::socket::session;
use crate::stanza;
use crate::tls::{self, TlsListener};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::serve::ListenerExt as _;
use dashmap::DashMap;
use parking_lot::Mutex;
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use wacore::xml::DisplayableNodeRef;
use wacore_binary::{Jid, NodeRef};

/// How many unhandled stanzas are kept for a test to print.
const MAX_UNHANDLED: usize = 100;
/// How long a stopping server waits for its connections.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);
/// Per connection; a stanza that is larger makes the buffers grow for as long as it takes.
const SOCKET_BUFFER: usize = 4 * 1024;
/// A client's WebSocket message may hold a frame of 16 MiB and a bit.
const MAX_WEBSOCKET_MESSAGE: usize = 20 * 1024 * 1024;

/// Counts of the whole server.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    open: AtomicU64,
    connections: AtomicU64,
    accepted: AtomicU64,
    unhandled: AtomicU64,
}

impl Counters {
    pub(crate) fn connection_opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn message_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }
}

/// What every part of a server shares.
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) identity: ServerIdentity,
    pub(crate) directory: Directory,
    pub(crate) groups: Groups,
    pub(crate) media: MediaStore,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    /// Which client shows which QR code.
    pub(crate) refs: DashMap<String, Arc<Connection>>,
    /// Pairings by code, by number.
    pub(crate) codes: DashMap<String, CodeFlow>,
    pub(crate) changed: Notify,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
    unhandled: Mutex<Vec<String>>,
    addresses: OnceLock<Addresses>,
    ids: AtomicU64,
}

#[derive(Debug, Clone)]
struct Addresses {
    plain: SocketAddr,
    tls: Option<SocketAddr>,
    control: Option<SocketAddr>,
}

impl Inner {
    pub(crate) fn next_connection(&self) -> u64 {
        self.counters.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An id for a stanza of the server.
    pub(crate) fn next_id(&self) -> String {
        format!("srv-{}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// An id for a message of a phone.
    pub(crate) fn message_id(&self) -> String {
        let random: [u8; 9] = rand::rng().random();
        format!("3A{}{:06X}", hex::encode_upper(random), self.ids.fetch_add(1, Ordering::Relaxed) & 0xFF_FFFF)
    }

    /// Wakes whoever waits for something about an account.
    pub(crate) fn note(&self, account: &Account) {
        account.changed.notify_waiters();
        self.changed.notify_waiters();
    }

    /// The account behind an address; with [`Options::auto_accounts`] every number has one.
    pub(crate) fn look_up(&self, jid: &Jid) -> Option<Arc<Account>> {
        self.directory.by_jid(jid).or_else(|| {
            let wanted = self.options.auto_accounts && jid.is_pn() && !digits(&jid.user).is_empty();
            wanted.then(|| self.directory.get_or_create(&jid.user, &self.options).ok()).flatten()
        })
    }

    /// `host:port` of the media host, as clients on that kind of connection reach it.
    pub(crate) fn media_host(&self, tls: bool) -> String {
        if let Some(host) = &self.options.media_host {
            return host.clone();
        }
        let addresses = self.addresses.get();
        let tls = addresses.and_then(|addresses| addresses.tls).filter(|_| tls);
        tls.or_else(|| addresses.map(|addresses| addresses.plain))
            .map(|address| address.to_string())
            .unwrap_or_default()
    }

    /// A stanza that nobody handles: logged, counted, kept.
    pub(crate) fn unhandled(&self, node: &NodeRef<'_>) {
        self.counters.unhandled.fetch_add(1, Ordering::Relaxed);
        let stanza = DisplayableNodeRef(node).to_string();
        tracing::warn!(%stanza, "UNHANDLED");
        let mut kept = self.unhandled.lock();
        if kept.len() < MAX_UNHANDLED {
            kept.push(stanza);
        }
    }

    /// Waits until `condition` yields something, looking again whenever something changes.
    pub(crate) async fn wait<T>(
        &self,
        what: impl Into<String>,
        within: Duration,
        changed: &Notify,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<T, Error> {
        let waiting = async {
            loop {
                let notified = changed.notified();
                tokio::pin!(notified);
                notified.as_mut().enable();
                if let Some(value) = condition() {
                    return value;
                }
                notified.await;
            }
        };
        tokio::time::timeout(within, waiting).await.map_err(|_| Error::Deadline { what: what.into(), within })
    }
}

/// Something nobody can guess.
pub(crate) fn random_token() -> String {
    let random: [u8; 24] = rand::rng().random();
    hex::encode(random)
}

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
        let cancel = CancellationToken::new();
        let inner = Arc::new(Inner {
            identity: ServerIdentity::generate(clock::unix_seconds())?,
            options,
            directory: Directory::default(),
            groups: Groups::default(),
            media: MediaStore::new(),
            faults: Faults::default(),
            counters: Counters::default(),
            refs: DashMap::new(),
            codes: DashMap::new(),
            changed: Notify::new(),
            tasks: TaskTracker::new(),
            cancel: cancel.clone(),
            unhandled: Mutex::default(),
            addresses: OnceLock::from(addresses),
            ids: AtomicU64::new(1),
        });
        let server = Self { inner: Arc::clone(&inner), _stop: Arc::new(cancel.clone().drop_guard()) };
        let plain = plain.tap_io(|stream| drop(stream.set_nodelay(true)));
        serve(&inner, plain, chat_router(&inner, false));
        if let Some((listener, config)) = tls {
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
        self.address(|addresses| Some(addresses.plain))
            .map_or_else(String::new, |at| format!("ws://{at}/ws/chat"))
    }

    /// The WebSocket address over TLS (self-signed), unless it is turned off.
    pub fn chat_tls_url(&self) -> Option<String> {
        self.address(|addresses| addresses.tls).map(|at| format!("wss://{at}/ws/chat"))
    }

    /// Where the control API is, or an empty text when it is turned off.
    pub fn control_url(&self) -> String {
        self.address(|addresses| addresses.control).map_or_else(String::new, |at| format!("http://{at}"))
    }

    /// `host:port` of the media host in plain text.
    pub fn media_host(&self) -> String {
        self.inner.media_host(false)
    }

    /// `host:port` of the media host over TLS.
    pub fn media_tls_host(&self) -> Option<String> {
        self.address(|addresses| addresses.tls).map(|at| at.to_string())
    }

    fn address(&self, which: impl FnOnce(&Addresses) -> Option<SocketAddr>) -> Option<SocketAddr> {
        self.inner.addresses.get().and_then(which)
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
        self.inner.counters.accepted.load(Ordering::Relaxed)
    }

    /// How many client connections are open.
    pub fn connections(&self) -> u64 {
        self.inner.counters.open.load(Ordering::Relaxed)
    }

    /// Stanzas that nobody handles, as XML; the first hundred are kept.
    pub fn unhandled(&self) -> Vec<String> {
        self.inner.unhandled.lock().clone()
    }

    /// How many stanzas nobody handled.
    pub fn unhandled_count(&self) -> u64 {
        self.inner.counters.unhandled.load(Ordering::Relaxed)
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
