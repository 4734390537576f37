//! What all handlers share.

use std::{ops::Deref, sync::Arc, time::Duration};

use bus::Bus;
use dashboard::Dashboard;
use domain::{SharedClock, media::MediaLimits};
use ipnet::IpNet;
use media::{Links, MediaStore};
use secrecy::SecretString;
use secrets::{KeyRing, KeyedHash, Passwords};
use storage::Database;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Credentials, LoginLimits},
    routes::{session::picture::Pictures, system::Readiness},
    sending::{Numbers, Senders},
    shares::Guests,
    stream::Streams,
};

/// Charts that are counted at the same time.
const CHARTS_AT_ONCE: usize = 2;

/// What an operator can set about the API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bearer token that opens `/status`; one of less than 24 characters counts as none.
    pub status_token: Option<SecretString>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Failed logins before a caller must wait.
    pub login_limits: LoginLimits,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// How long a request's body may take to arrive.
    pub body_wait: Duration,
    /// How long a request's head may take to arrive; also how long an idle connection stays open.
    pub head_wait: Duration,
    /// Connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// How long requests may go on once the process is to stop.
    pub drain_wait: Duration,
    /// How long a start waits for a QR code or a connection.
    pub start_wait: Duration,
    /// How long a caller waits for WhatsApp to take a message before it hears that it is queued.
    pub send_wait: Duration,
    /// How long a check whether WhatsApp knows a number may take; after that the message goes out unchecked.
    pub check_wait: Duration,
    /// How long a logout waits for WhatsApp to unlink the device.
    pub logout_wait: Duration,
    /// How long a message is worth sending.
    pub message_ttl: Duration,
    /// Messages that may wait for a session that is not connected.
    pub queue_limit: u32,
    /// Whether a chat shows "typing" before a text, unless the request says otherwise.
    pub typing_indicator: bool,
    /// Streams of server-sent events that are open at the same time.
    pub max_streams: usize,
    /// The largest files.
    pub media_limits: MediaLimits,
    /// How long a file may take that comes with a request.
    pub media_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            status_token: None,
            trusted_proxies: Vec::new(),
            login_limits: LoginLimits::default(),
            body_limit: 1 << 20,
            body_wait: Duration::from_secs(20),
            head_wait: Duration::from_mins(1),
            max_connections: 10_000,
            drain_wait: Duration::from_secs(20),
            start_wait: Duration::from_secs(30),
            send_wait: Duration::from_secs(10),
            check_wait: Duration::from_secs(5),
            logout_wait: Duration::from_secs(10),
            message_ttl: Duration::from_hours(24),
            queue_limit: 10_000,
            typing_indicator: false,
            max_streams: 1000,
            media_limits: MediaLimits::default(),
            media_wait: Duration::from_mins(30),
        }
    }
}

/// The parts that the API is built from.
pub struct Parts {
    pub database: Database,
    pub bus: Bus,
    pub media: MediaStore,
    /// Checks links to files.
    pub links: Links,
    /// Signs links to a session's code.
    pub keys: KeyRing,
    /// Fetches pictures from WhatsApp.
    pub egress: egress::Client,
    pub passwords: Passwords,
    pub keyed_hash: KeyedHash,
    pub clock: SharedClock,
    /// Sends test events, and gets OAuth2 tokens.
    pub webhooks: webhooks::Sender,
    pub dashboard: Dashboard,
    pub settings: Settings,
    /// Cancelled when the process is to stop: requests that wait for something are answered.
    pub shutdown: CancellationToken,
}

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

pub struct Shared {
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) media: MediaStore,
    pub(crate) links: Links,
    pub(crate) keys: KeyRing,
    pub(crate) egress: egress::Client,
    pub(crate) clock: SharedClock,
    pub(crate) webhooks: webhooks::Sender,
    pub(crate) dashboard: Dashboard,
    pub(crate) settings: Settings,
    pub(crate) shutdown: CancellationToken,
    pub(crate) passwords: Passwords,
    pub(crate) credentials: Credentials,
    pub(crate) numbers: Numbers,
    pub(crate) senders: Senders,
    pub(crate) readiness: Readiness,
    pub(crate) streams: Streams,
    pub(crate) guests: Guests,
    pub(crate) pictures: Pictures,
    /// Held while a chart is counted: it reads much.
    pub(crate) charts: Semaphore,
}

impl ApiState {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            database,
            bus,
            media,
            links,
            keys,
            egress,
            passwords,
            keyed_hash,
            clock,
            webhooks,
            dashboard,
            ..
        } = parts;
        let (settings, shutdown) = (parts.settings, parts.shutdown);
        let limits = &settings.login_limits;
        let credentials =
            Credentials::new(database.clone(), clock.clone(), passwords.clone(), keyed_hash, limits);
        let streams = Streams::new(settings.max_streams);
        Self(Arc::new(Shared {
            database,
            bus,
            media,
            links,
            keys,
            egress,
            clock,
            webhooks,
            dashboard,
            settings,
            shutdown,
            passwords,
            credentials,
            numbers: Numbers::default(),
            senders: Senders::default(),
            readiness: Readiness::default(),
            streams,
            guests: Guests::default(),
            pictures: Pictures::default(),
            charts: Semaphore::new(CHARTS_AT_ONCE),
        }))
    }
}

impl Deref for ApiState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
