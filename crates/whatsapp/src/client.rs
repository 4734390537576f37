//! A session's client: its life from [`start`](Client::start) to [`disconnect`](Client::disconnect).

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wacore_binary::Jid;
use whatsapp_rust::{ErrorChainExt as _, pair_code::PairCodeOptions};

use crate::{
    Options,
    backoff::{Backoff, Ended},
    http::Http,
    link::Link,
    runtime::Tasks,
};

/// How long a disconnect may take in all; the library bounds each of its parts.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long what is under way may take to come to its end when the connection is closed.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long tasks that were told to end may take.
const TASKS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request for a pairing code waits for the connection.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(30);
/// Numbers that are asked about at the same time.
const CHECKS_AT_ONCE: usize = 4;

/// A WhatsApp client of one session. Cloning is cheap; all clones are the same. When the last one is dropped
/// without a [`disconnect`](Self::disconnect), the socket is closed and what was not yet stored is lost.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) library: Arc<whatsapp_rust::Client>,
    pub(crate) link: Arc<Link>,
    pub(crate) tasks: Tasks,
    pub(crate) options: Arc<Options>,
    pub(crate) http: Http,
    leaving: CancellationToken,
    keeper: Mutex<Keeper>,
}

/// The task that keeps the client connected.
enum Keeper {
    NotStarted,
    Running(JoinHandle<Option<()>>),
    Gone,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.library.signal_shutdown_sync();
        self.tasks.end();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("connected", &self.is_connected()).finish_non_exhaustive()
    }
}

/// Why WhatsApp did not answer a question, or did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error("the session is not connected")]
    NotConnected,
    #[error("the session belongs to another runner by now")]
    LeaseLost,
    #[error("WhatsApp did not answer in time")]
    Timeout,
    #[error("WhatsApp refused to answer: {reason}")]
    Refused { reason: String },
}

impl CheckError {
    pub(crate) fn of(error: &(impl std::error::Error + 'static)) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_transport_unavailable() {
            Self::NotConnected
        } else {
            Self::Refused { reason: error.to_string() }
        }
    }
}

/// Why there is no pairing code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    #[error("the session is not connected")]
    NotConnected,
    #[error("the session belongs to another runner by now")]
    LeaseLost,
    /// Also said to those who ask for too many codes.
    #[error("no pairing code: {reason}")]
    Refused { reason: String },
}

impl Client {
    pub(crate) fn new(
        library: Arc<whatsapp_rust::Client>,
        link: Arc<Link>,
        tasks: Tasks,
        options: Arc<Options>,
        http: Http,
    ) -> Self {
        let keeper = Mutex::new(Keeper::NotStarted);
        let shared =
            Shared { library, link, tasks, options, http, leaving: CancellationToken::new(), keeper };
        Self { shared: Arc::new(shared) }
    }

    /// Connects, and from now on reconnects by itself until a final event or [`disconnect`](Self::disconnect). A
    /// second call changes nothing.
    pub fn start(&self) {
        let mut keeper = self.shared.keeper.lock();
        if !matches!(*keeper, Keeper::NotStarted) {
            return;
        }
        let (library, link) = (Arc::clone(&self.shared.library), Arc::clone(&self.shared.link));
        let (options, leaving) = (Arc::clone(&self.shared.options), self.shared.leaving.clone());
        *keeper = Keeper::Running(self.shared.tasks.spawn(keep_connected(library, link, options, leaving)));
    }

    /// On line: messages can be sent.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.link.is_ready()
    }

    /// The linked phone number, digits only; `None` when the session is not linked.
    #[must_use]
    pub fn phone(&self) -> Option<String> {
        let device = self.shared.library.persistence_manager().get_device_snapshot();
        device.pn.as_ref().map(|jid| jid.user.to_string())
    }

    /// Asks WhatsApp which of these phone numbers (digits only) it knows; gives the JID of each that it does, in the
    /// order of the question.
    pub async fn check_numbers(&self, numbers: &[String]) -> Result<Vec<Option<String>>, CheckError> {
        self.may_ask()?;
        // One question for each: WhatsApp answers with the number as it should be written, which cannot be told
        // apart from another number's answer.
        let checks: Vec<_> = numbers.iter().map(|number| self.check_number(number)).collect();
        stream::iter(checks).buffered(CHECKS_AT_ONCE).try_collect().await
    }

    /// Whether a question can be put to WhatsApp now.
    pub(crate) fn may_ask(&self) -> Result<(), CheckError> {
        if !self.shared.link.lease.held() {
            return Err(CheckError::LeaseLost);
        }
        if self.is_connected() { Ok(()) } else { Err(CheckError::NotConnected) }
    }

    async fn check_number(&self, number: &str) -> Result<Option<String>, CheckError> {
        let answer = self.shared.library.contacts().is_on_whatsapp(&[Jid::pn(number)]).await;
        let found = answer.map_err(|error| CheckError::of(&error))?;
        let found = found.into_iter().find(|found| found.is_registered);
        Ok(found.map(|found| found.pn_jid.unwrap_or(found.jid).to_non_ad_string()))
    }

    /// Asks for a code to type on the phone of that number (digits only, with country code), instead of a scan. Of a
    /// client that was started and is not linked. The code is also told as
    /// [`Happened::PairingCode`](crate::Happened::PairingCode).
    pub async fn pair_with_code(&self, phone: &str) -> Result<String, PairingError> {
        if !self.shared.link.lease.held() {
            return Err(PairingError::LeaseLost);
        }
        let library = &self.shared.library;
        library.wait_for_socket(SOCKET_TIMEOUT).await.map_err(|_| PairingError::NotConnected)?;
        let options = PairCodeOptions { phone_number: phone.to_owned(), ..PairCodeOptions::default() };
        library.pair_with_code(options).await.map_err(|error| {
            if error.is_transport_unavailable() {
                PairingError::NotConnected
            } else {
                PairingError::Refused { reason: error.to_string() }
            }
        })
    }

    /// Unlinks the device, as well as the connection allows, then [disconnects](Self::disconnect). The keys stay in
    /// the store; opening the session as a fresh one wipes them.
    pub async fn logout(&self) {
        self.shared.leaving.cancel();
        if self.shared.link.lease.held() {
            let logout = Box::pin(self.shared.library.logout());
            if timeout(DISCONNECT_TIMEOUT, logout).await.is_err() {
                tracing::warn!("WhatsApp did not answer the logout in time");
            }
        }
        self.disconnect().await;
    }

    /// Closes the socket before anything else, for an owner that has lost its claim; then as
    /// [`disconnect`](Self::disconnect), whose writes the store refuses by now.
    pub async fn cut(&self) {
        self.shared.leaving.cancel();
        self.shared.link.cut("the claim was lost").await;
        self.disconnect().await;
    }

    /// Hands over what was taken in, stores what is not stored yet, closes the socket, and returns when all tasks of
    /// this client have ended. The client cannot be started again.
    pub async fn disconnect(&self) {
        self.shared.leaving.cancel();
        let keeper = std::mem::replace(&mut *self.shared.keeper.lock(), Keeper::Gone);
        // Boxed: a session's task carries the room for its leaving from the beginning.
        let disconnect = Box::pin(self.shared.library.disconnect());
        if timeout(DISCONNECT_TIMEOUT, disconnect).await.is_err() {
            tracing::warn!("closing the connection took too long; it was cut");
        }
        if let Keeper::Running(keeper) = keeper {
            let _ = timeout(TASKS_TIMEOUT, keeper).await;
        }
        // The library stores its keys while it may be in the middle of a message. Ended there, before the message is
        // stored, it would take WhatsApp's next copy for one that it has seen: the message would be lost.
        if self.shared.link.lease.held() && !self.shared.tasks.quiet(SETTLE_TIMEOUT).await {
            tracing::warn!("a closed client is still busy; what it has not stored comes again");
        }
        if !self.shared.tasks.ended(TASKS_TIMEOUT).await {
            tracing::warn!("a task of a closed client is still running");
        }
        self.shared.link.closed();
    }
}

/// Connects again and again, until the owner leaves, the claim is lost, or something final happened.
async fn keep_connected(
    library: Arc<whatsapp_rust::Client>,
    link: Arc<Link>,
    options: Arc<Options>,
    leaving: CancellationToken,
) {
    let mut backoff = Backoff::new(options.reconnect_first, options.reconnect_cap);
    // The library makes one connection a run; when to make the next is decided here.
    library.enable_auto_reconnect.store(false, std::sync::atomic::Ordering::Relaxed);
    while leaving.run_until_cancelled(options.pace.turn()).await.is_some() && link.lease.held() {
        link.begin();
        let linked_before = library.pn().is_some();
        library.run().await;
        // The library tells of a link after it has confirmed it; WhatsApp may have ended the connection by then.
        if !linked_before && library.pn().is_some() {
            link.paired();
        }
        let end = link.end();
        if leaving.is_cancelled() {
            return;
        }
        if !end.was_ready && end.ended != Ended::Restarted {
            options.pace.failed();
        }
        if let Some(happened) = end.happened {
            link.tell(happened);
        }
        if link.is_finished() {
            return;
        }
        let delay = backoff.delay(end.ended, end.up, random());
        if leaving.run_until_cancelled(sleep(delay)).await.is_none() {
            return;
        }
    }
}

/// A number in `0.0..1.0`.
fn random() -> f64 {
    f64::from(u32::from_le_bytes(secrets::random_bytes())) / (f64::from(u32::MAX) + 1.0)
}
