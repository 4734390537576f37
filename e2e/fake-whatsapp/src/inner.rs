//! What every part of a server shares.

use crate::account::directory::Directory;
use crate::account::{Account, digits};
use crate::error::Error;
use crate::faults::Faults;
use crate::groups::Groups;
use crate::media::MediaStore;
use crate::options::Options;
use crate::pairing::CodeFlow;
use crate::socket::cert::ServerIdentity;
use crate::socket::connection::Connection;
use dashmap::DashMap;
use parking_lot::Mutex;
use rand::RngExt as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wacore::xml::DisplayableNodeRef;
use wacore_binary::{Jid, NodeRef};

/// How many unhandled stanzas are kept for a test to print.
const MAX_UNHANDLED: usize = 100;

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

    /// How many connections are open.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// How many messages were accepted, copies included.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many stanzas nobody handled.
    pub(crate) fn unhandled(&self) -> u64 {
        self.unhandled.load(Ordering::Relaxed)
    }

    pub(crate) fn message_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }
}

/// What every part of a server shares.
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) identity: ServerIdentity,
    /// The certificate of the TLS listener, in PEM.
    pub(crate) certificate: Option<String>,
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
    pub(crate) addresses: Addresses,
    ids: AtomicU64,
}

/// Where a server listens.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) control: Option<SocketAddr>,
}

impl Inner {
    pub(crate) fn new(
        options: Options,
        identity: ServerIdentity,
        certificate: Option<String>,
        addresses: Addresses,
    ) -> Self {
        Self {
            options,
            identity,
            certificate,
            directory: Directory::default(),
            groups: Groups::default(),
            media: MediaStore::new(),
            faults: Faults::default(),
            counters: Counters::default(),
            refs: DashMap::new(),
            codes: DashMap::new(),
            changed: Notify::new(),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            unhandled: Mutex::default(),
            addresses,
            ids: AtomicU64::new(1),
        }
    }

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
        self.addresses.tls.filter(|_| tls).unwrap_or(self.addresses.plain).to_string()
    }

    /// The first stanzas that nobody handled.
    pub(crate) fn kept_unhandled(&self) -> Vec<String> {
        self.unhandled.lock().clone()
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
