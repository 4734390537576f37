//! One client connection as the rest of the server sees it: something to hand stanzas to, and to close.

use crate::account::Account;
use crate::journal::Direction;
use crate::socket::handshake::Pattern;
use crate::stanza;
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;
use wacore_binary::{Node, OwnedNodeRef};

/// A client that lets this many packed stanzas pile up is cut off; its queue keeps what it has not acknowledged.
const MAX_PENDING: usize = 100_000;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// After what is pending has been written, with a WebSocket close frame.
    Gentle,
    /// At once: the TCP stream just ends.
    Cut,
}

/// Which device a logged-in connection belongs to.
pub(crate) struct Login {
    pub(crate) account: Arc<Account>,
    pub(crate) device: u16,
}

/// A companion that has not been linked yet, from its registration payload.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) noise_key: [u8; 32],
    pub(crate) keys: crate::account::keys::PublicKeys,
    pub(crate) push_name: Option<String>,
    pub(crate) refs: Vec<String>,
    /// Set once `pair-success` is out: the account and the device number promised.
    pub(crate) promised: Option<Promise>,
}

/// What `pair-success` promised a companion.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    pub(crate) iq: String,
    pub(crate) phone: String,
    pub(crate) device: u16,
    pub(crate) key_index: u32,
}

/// How the companion answered.
pub(crate) type PairingResult = Result<(), String>;

#[derive(Default)]
struct Outbound {
    stanzas: Vec<Bytes>,
    close: Option<Close>,
    closed: bool,
}

/// A client connection.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) tls: bool,
    journal: bool,
    outbound: Mutex<Outbound>,
    wake: Notify,
    stalled: AtomicBool,
    pub(crate) pattern: OnceLock<Pattern>,
    pub(crate) login: OnceLock<Login>,
    pub(crate) registration: Mutex<Option<Registration>>,
    pub(crate) pairing: Mutex<Option<tokio::sync::oneshot::Sender<PairingResult>>>,
    /// Whether the client has asked for its stanzas (`<active/>`).
    pub(crate) active: AtomicBool,
}

impl Connection {
    pub(crate) fn new(id: u64, tls: bool, journal: bool) -> Self {
        Self {
            id,
            tls,
            journal,
            outbound: Mutex::default(),
            wake: Notify::new(),
            stalled: AtomicBool::new(false),
            pattern: OnceLock::new(),
            login: OnceLock::new(),
            registration: Mutex::new(None),
            pairing: Mutex::new(None),
            active: AtomicBool::new(false),
        }
    }

    /// Hands a stanza over for sending.
    pub(crate) fn send(&self, stanza: &Node) {
        match wacore_binary::marshal(stanza) {
            Ok(bytes) => self.send_packed(Bytes::from(bytes)),
            Err(error) => tracing::error!(%error, "a stanza of the server does not encode"),
        }
    }

    /// Hands over a stanza in its packed form.
    pub(crate) fn send_packed(&self, stanza: Bytes) {
        if self.journal
            && let Some(login) = self.login.get()
            && let Ok(node) = OwnedNodeRef::new(stanza.slice(1.min(stanza.len())..))
        {
            stanza::record(login, Direction::Out, node.get());
        }
        let mut outbound = self.outbound.lock();
        if outbound.closed {
            return;
        }
        outbound.stanzas.push(stanza);
        if outbound.stanzas.len() > MAX_PENDING {
            tracing::warn!(connection = self.id, "a client does not read; its connection is cut");
            outbound.close = Some(Close::Cut);
        }
        drop(outbound);
        self.wake.notify_one();
    }

    /// Ends the connection.
    pub(crate) fn close(&self, how: Close) {
        let mut outbound = self.outbound.lock();
        if outbound.close != Some(Close::Cut) {
            outbound.close = Some(how);
        }
        drop(outbound);
        self.wake.notify_one();
    }

    /// Stops reading and writing, with the socket left open; `false` carries on.
    pub(crate) fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// Waits until there is something to write, or to do.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// What to write now, and whether to end afterwards. The vector that is passed in is emptied and reused.
    pub(crate) fn take(&self, buffer: &mut Vec<Bytes>) -> Option<Close> {
        let mut outbound = self.outbound.lock();
        buffer.clear();
        std::mem::swap(buffer, &mut outbound.stanzas);
        outbound.close
    }

    /// Whether the connection is to end, without taking anything to write.
    pub(crate) fn closing(&self) -> Option<Close> {
        self.outbound.lock().close
    }

    /// Nothing can be sent any more.
    pub(crate) fn mark_closed(&self) {
        let mut outbound = self.outbound.lock();
        outbound.closed = true;
        outbound.stanzas = Vec::new();
    }
}
