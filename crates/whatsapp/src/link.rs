//! What the parts of one client share: its claim, who waits for what, and how the current connection fares.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::mpsc, time::Instant};
use wacore::net::Transport;

use crate::{Happened, Lease, acks::Acks, backoff::Ended, ratchet::Ratchet};

pub(crate) struct Link {
    pub(crate) lease: Arc<dyn Lease>,
    pub(crate) acks: Acks,
    pub(crate) ratchet: Ratchet,
    events: mpsc::UnboundedSender<Box<Happened>>,
    ready: AtomicBool,
    /// A final event was told: nothing more is done.
    finished: AtomicBool,
    /// The store lost something: nothing more is written.
    broken: AtomicBool,
    /// Counts the sockets: what is said about an earlier one does not concern the current one.
    sockets: AtomicU64,
    socket: Mutex<Option<(u64, Arc<dyn Transport>)>>,
    connection: Mutex<Connection>,
}

/// What is known about the current connection.
#[derive(Default)]
struct Connection {
    opened: bool,
    ready_since: Option<Instant>,
    paired: bool,
    reason: Option<String>,
    refused: bool,
}

/// How a connection ended.
pub(crate) struct End {
    pub(crate) ended: Ended,
    /// It got as far as sending and receiving.
    pub(crate) was_ready: bool,
    /// How long it was ready.
    pub(crate) up: Duration,
    /// What the owner is told.
    pub(crate) happened: Option<Happened>,
}

impl Link {
    pub(crate) fn new(lease: Arc<dyn Lease>, events: mpsc::UnboundedSender<Box<Happened>>) -> Self {
        Self {
            lease,
            acks: Acks::default(),
            ratchet: Ratchet::default(),
            events,
            ready: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            sockets: AtomicU64::new(0),
            socket: Mutex::default(),
            connection: Mutex::default(),
        }
    }

    /// Tells the owner.
    pub(crate) fn tell(&self, happened: Happened) {
        if happened.is_final() {
            self.finished.store(true, Ordering::Release);
            self.ready.store(false, Ordering::Release);
        }
        // The owner may have gone; then nobody needs to know.
        let _ = self.events.send(Box::new(happened));
    }

    /// Messages can be sent.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// A new attempt to connect begins.
    pub(crate) fn begin(&self) {
        *self.connection.lock() = Connection::default();
    }

    /// The number of the next socket.
    pub(crate) fn next_socket(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed)
    }

    /// The socket with that number is open.
    pub(crate) fn opened(&self, number: u64, socket: Arc<dyn Transport>) {
        *self.socket.lock() = Some((number, socket));
        self.connection.lock().opened = true;
    }

    /// WhatsApp has logged this client in and sent what had waited.
    pub(crate) fn became_ready(&self) {
        self.connection.lock().ready_since = Some(Instant::now());
        self.ready.store(true, Ordering::Release);
    }

    pub(crate) fn paired(&self) {
        self.connection.lock().paired = true;
    }

    /// Why the connection ends; the first reason counts.
    pub(crate) fn because(&self, reason: impl Into<String>) {
        self.connection.lock().reason.get_or_insert_with(|| reason.into());
    }

    /// WhatsApp refused the login for a reason that will not go away soon.
    pub(crate) fn refused(&self, reason: String) {
        let mut connection = self.connection.lock();
        connection.reason = Some(reason);
        connection.refused = true;
    }

    /// The socket with that number is closed, by whomever.
    pub(crate) fn socket_closed(&self, number: u64) {
        let current = self.socket.lock().take_if(|(current, _)| *current == number).is_some();
        if current {
            self.closed();
        }
    }

    /// There is no connection: nothing can be sent, and no acknowledgement will come.
    pub(crate) fn closed(&self) {
        self.ready.store(false, Ordering::Release);
        self.socket.lock().take();
        self.acks.abandon_all();
    }

    /// Closes the socket; the library notices and ends the connection.
    pub(crate) async fn cut(&self, reason: &str) {
        self.because(reason);
        let socket = self.socket.lock().as_ref().map(|(_, socket)| Arc::clone(socket));
        if let Some(socket) = socket {
            socket.disconnect().await;
        }
    }

    /// The store could not keep what came in. What the library holds in memory is ahead of it and must not be
    /// written any more.
    pub(crate) async fn break_off(&self, reason: String) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            self.tell(Happened::StoreFailed { reason });
        }
        self.cut("the store failed").await;
    }

    /// What to make of the connection that has just ended.
    pub(crate) fn end(&self) -> End {
        self.closed();
        let connection = std::mem::take(&mut *self.connection.lock());
        let up = connection.ready_since.map_or(Duration::ZERO, |since| since.elapsed());
        let was_ready = connection.ready_since.is_some();
        // An end without a reason is intended: WhatsApp announced it, as after pairing, or the library found the
        // connection dead.
        let restarted = connection.reason.is_none() && (was_ready || connection.paired);
        let ended = if connection.refused {
            Ended::Refused
        } else if restarted {
            Ended::Restarted
        } else {
            Ended::Failed
        };
        let reason = connection.reason.unwrap_or_else(|| {
            let text = match (restarted, connection.opened) {
                (true, _) => "the connection was restarted",
                (false, true) => "the connection could not be set up",
                (false, false) => "WhatsApp cannot be reached",
            };
            text.to_owned()
        });
        let happened = match (self.is_finished(), was_ready, ended) {
            (true, ..) | (false, false, Ended::Restarted) => None,
            (false, true, _) => Some(Happened::Disconnected { reason }),
            (false, false, _) => Some(Happened::ConnectFailed { reason }),
        };
        End { ended, was_ready, up, happened }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Held;

    impl Lease for Held {
        fn held(&self) -> bool {
            true
        }

        fn lost(&self) {}
    }

    fn end(story: impl Fn(&Link)) -> (Ended, Option<Happened>) {
        let (events, _receiver) = mpsc::unbounded_channel();
        let link = Link::new(Arc::new(Held), events);
        link.begin();
        story(&link);
        let end = link.end();
        assert!(!link.is_ready());
        (end.ended, end.happened)
    }

    fn failed(reason: &str) -> Happened {
        Happened::ConnectFailed { reason: reason.to_owned() }
    }

    #[test]
    fn the_restart_after_pairing_is_not_news() {
        assert_eq!(end(Link::paired), (Ended::Restarted, None));
    }

    #[test]
    fn a_connection_that_was_up_is_missed() {
        let lost = |reason: &str| Some(Happened::Disconnected { reason: reason.to_owned() });
        assert_eq!(end(Link::became_ready), (Ended::Restarted, lost("the connection was restarted")));
        let broke = end(|link| {
            link.became_ready();
            link.because("stream ended");
            link.because("later words do not count");
        });
        assert_eq!(broke, (Ended::Failed, lost("stream ended")));
    }

    #[test]
    fn one_that_never_came_up_failed() {
        assert_eq!(end(|_| {}), (Ended::Failed, Some(failed("WhatsApp cannot be reached"))));
        assert_eq!(end(|link| link.because("refused")), (Ended::Failed, Some(failed("refused"))));
        assert_eq!(end(|link| link.refused("409".to_owned())), (Ended::Refused, Some(failed("409"))));
    }

    #[test]
    fn after_a_final_event_there_is_silence() {
        let ended = end(|link| {
            link.became_ready();
            link.tell(Happened::Replaced);
        });
        assert_eq!(ended.1, None);
    }
}
