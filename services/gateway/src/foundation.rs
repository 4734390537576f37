//! What the roles stand on, made from the settings, and the roles themselves.

use std::{num::NonZeroU32, pin::Pin, sync::Arc, time::Duration};

use bus::{Bus, ConnectError, NatsLogin, NatsOptions};
use config::{Access, Config, DatabaseTarget, Synchronous};
use dashboard::Dashboard;
use domain::{SharedClock, SystemClock, UserId, media::MediaLimits};
use egress::EgressOptions;
use media::{Links, MediaStore};
use secrecy::SecretString;
use secrets::{KeyRing, KeyedHash, Passwords};
use storage::Database;
use telemetry::metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use whatsapp::WhatsApp;

use crate::{Roles, StartError, autoscaler, census::Counting, probes::Running};

/// How long to wait before trying again to reach a database server.
const RECONNECT: Duration = Duration::from_secs(2);

/// The admin's password when none is set; good on this machine only.
const DEFAULT_PASSWORD: &str = "admin";

/// Logins whose password is being checked at the same time.
const PARALLEL_LOGINS: usize = 2;

/// What the roles share.
pub(crate) struct Foundation {
    pub database: Database,
    bus: Bus,
    clock: SharedClock,
    keys: Arc<KeyRing>,
    passwords: Passwords,
    whatsapp: Arc<WhatsApp>,
    media: MediaStore,
    links: Links,
    egress: egress::Client,
    webhooks: webhooks::Sender,
    autoscaler: Option<kubernetes::Autoscaler>,
    config: Config,
}

/// A role that is about to run.
pub(crate) struct Role {
    pub name: &'static str,
    pub work: Pin<Box<dyn Future<Output = Result<(), String>> + Send>>,
}

impl Role {
    fn new(name: &'static str, work: impl Future<Output = Result<(), String>> + Send + 'static) -> Self {
        Self { name, work: Box::pin(work) }
    }
}

/// Opens the database that the settings name and brings its schema up to date, whatever `MIGRATE_ON_START` says.
pub async fn open_database(config: &Config) -> Result<Database, StartError> {
    let keys = keys(config)?;
    open(config, keys, Arc::new(SystemClock), true).await
}

/// The same, with an admin in it. One who is there already stays as they are.
pub(crate) async fn open_database_with_admin(config: &Config) -> Result<Database, StartError> {
    let database = open_database(config).await?;
    if database.account(UserId::ADMIN).await.map_err(StartError::running)?.is_none() {
        let passwords = Passwords::new(config.access.bcrypt_cost, PARALLEL_LOGINS);
        seed_admin(&database, &passwords, &config.access).await?;
    }
    Ok(database)
}

impl Foundation {
    /// Opens and connects everything.
    pub(crate) async fn lay(config: &Config, roles: Roles) -> Result<Self, StartError> {
        let clock: SharedClock = Arc::new(SystemClock);
        let keys = keys(config)?;
        let bus = connect(config, roles).await?;
        let migrate = config.storage.migrate_on_start;
        let database = open(config, Arc::clone(&keys), Arc::clone(&clock), migrate).await?;
        let passwords = Passwords::new(config.access.bcrypt_cost, PARALLEL_LOGINS);
        if roles.has_api() {
            let base = config.webhooks.base_url.as_ref().map(config::SecretUrl::expose);
            database.set_base_endpoint(base).await.map_err(StartError::running)?;
        }
        let egress = egress::Client::new(EgressOptions {
            allow: config.egress.allow.clone(),
            ..EgressOptions::default()
        })
        .map_err(StartError::running)?;
        let media = media_store(config)?;
        let links = links(config, &keys)?;
        let whatsapp = WhatsApp::new(whatsapp_options(config)?, database.clone(), egress.clone())
            .map_err(StartError::settings)?;
        let webhooks = webhooks::Sender::new(
            webhooks::Parts {
                database: database.clone(),
                egress: egress.clone(),
                keys: KeyRing::clone(&keys),
                clock: Arc::clone(&clock),
            },
            &webhooks::Settings {
                timeout: config.webhooks.timeout,
                answer_limit: config.webhooks.answer_limit,
                key_header: config.webhooks.key.clone(),
            },
        )
        .map_err(StartError::settings)?;
        let autoscaler = if roles.has_runner() {
            autoscaler::connect(config, roles, &database, &clock).await?
        } else {
            None
        };
        Ok(Self {
            database,
            bus,
            clock,
            keys,
            passwords,
            whatsapp: Arc::new(whatsapp),
            media,
            links,
            egress,
            webhooks,
            autoscaler,
            config: config.clone(),
        })
    }

    /// What a process of these roles does; each role runs until `stop`. `listener` is the API's, where
    /// there is one.
    pub(crate) fn roles(
        &self,
        roles: Roles,
        listener: Option<TcpListener>,
        stop: &CancellationToken,
    ) -> Result<(Vec<Role>, Running), StartError> {
        let stop = || stop.clone();
        let (mut work, mut alive) = (Vec::new(), None);
        work.extend(listener.map(|listener| self.api(listener, stop())));
        if roles.has_runner() {
            let (runner, is_alive) = self.session_runner(stop())?;
            alive = Some(is_alive);
            work.push(runner);
        }
        if let Some(autoscaler) = &self.autoscaler {
            let (autoscaler, stop) = (autoscaler.clone(), stop());
            work.push(Role::new("autoscaler", async move {
                autoscaler.run(stop).await;
                Ok(())
            }));
        }
        if roles.has_dispatcher() {
            work.push(self.webhook_dispatcher(stop())?);
            work.push(self.census(stop()));
        }
        let bus = self.bus.clone();
        metrics().bus_connected.ask(move || f64::from(u8::from(bus.is_connected())));
        let running = Running::new(self.database.clone(), self.bus.clone(), alive, stop());
        Ok((work, running))
    }

    fn api(&self, listener: TcpListener, stop: CancellationToken) -> Role {
        let Config { http, access, send, media, .. } = &self.config;
        let api = api::Api::new(api::Parts {
            database: self.database.clone(),
            bus: self.bus.clone(),
            media: self.media.clone(),
            links: self.links.clone(),
            keys: KeyRing::clone(&self.keys),
            egress: self.egress.clone(),
            passwords: self.passwords.clone(),
            keyed_hash: KeyedHash::random(),
            clock: Arc::clone(&self.clock),
            webhooks: self.webhooks.clone(),
            dashboard: Dashboard::built_in(),
            settings: api::Settings {
                status_token: access.status_token.clone(),
                trusted_proxies: http.trusted_proxies.clone(),
                login_limits: api::LoginLimits {
                    per_address: at_least_one(access.login_failures_per_address),
                    per_name: at_least_one(access.login_failures_per_name),
                    window: access.login_failures_window,
                },
                body_limit: http.body_limit,
                // The caller, too, may give up after REQUEST_TIMEOUT_SECONDS: it should hear the reason before that.
                start_wait: http.request_timeout.mul_f64(0.8),
                send_wait: send.wait,
                message_ttl: send.ttl,
                queue_limit: u32::try_from(send.queue_limit).unwrap_or(u32::MAX),
                typing_indicator: send.typing_indicator,
                media_limits: media_limits(media),
                media_wait: media.transfer,
                ..api::Settings::default()
            },
            shutdown: stop,
        });
        let (database, passwords, access) =
            (self.database.clone(), self.passwords.clone(), self.config.access.clone());
        Role::new("api", async move {
            // Hashing takes a while, and only logins need it: sessions connect in the meantime.
            seed_admin(&database, &passwords, &access).await.map_err(|error| error.to_string())?;
            api.run(listener).await;
            Ok(())
        })
    }

    fn session_runner(&self, stop: CancellationToken) -> Result<(Role, session_runner::Alive), StartError> {
        let settings = &self.config.runner;
        let runner = session_runner::SessionRunner::new(
            session_runner::Parts {
                database: self.database.clone(),
                bus: self.bus.clone(),
                whatsapp: Arc::clone(&self.whatsapp),
                media: Arc::new(self.media()?),
                clock: Arc::clone(&self.clock),
            },
            session_runner::Settings {
                name: process_name(&self.config),
                place: storage::Placement {
                    pod: self.config.kubernetes.pod.clone(),
                    node: self.config.kubernetes.node.clone(),
                },
                version: env!("CARGO_PKG_VERSION").to_owned(),
                capacity: settings.capacity,
                lease: settings.lease,
                fence: settings.fence,
                renew: settings.renew,
                drain: settings.drain,
                hand_over_at_once: settings.hand_over_at_once,
                rebalance_per_second: settings.rebalance_per_second,
            },
        );
        let alive = runner.alive();
        let role = Role::new("session-runner", async move {
            Box::pin(runner.run(stop)).await;
            Ok(())
        });
        Ok((role, alive))
    }

    /// What sessions handle files with.
    fn media(&self) -> Result<session_runner::Media, StartError> {
        let settings = &self.config.media;
        // What is in it has no name, so it is always empty to look at.
        let folder = self.config.storage.data_dir.join("tmp");
        std::fs::create_dir_all(&folder).map_err(|error| {
            StartError::Running(format!("the folder {} cannot be used: {error}", folder.display()))
        })?;
        let days = u64::from(settings.retention_days);
        let settings = session_runner::MediaSettings {
            limits: media_limits(settings),
            timeout: settings.transfer,
            folder,
            keep_for: (days > 0).then(|| Duration::from_hours(24 * days)),
            keep_bytes: settings.max_bytes,
        };
        let (store, links) = (self.media.clone(), self.links.clone());
        Ok(session_runner::Media::new(store, links, self.egress.clone(), settings))
    }

    fn webhook_dispatcher(&self, stop: CancellationToken) -> Result<Role, StartError> {
        let settings = &self.config.webhooks;
        let dispatcher = webhook_dispatcher::Dispatcher::new(
            webhook_dispatcher::Parts {
                database: self.database.clone(),
                bus: self.bus.clone(),
                egress: self.egress.clone(),
                keys: KeyRing::clone(&self.keys),
                clock: Arc::clone(&self.clock),
            },
            webhook_dispatcher::Settings {
                timeout: settings.timeout,
                concurrency: at_least_one(settings.concurrency),
                concurrency_per_endpoint: at_least_one(settings.concurrency_per_endpoint),
                answer_limit: settings.answer_limit,
                key_header: settings.key.clone(),
                // A dispatcher that died is noticed within this time; a living one is never mistaken for dead.
                hold: settings.timeout * 2 + Duration::from_secs(30),
                events_retention: days(settings.events_retention_days),
                messages_retention: days(self.config.send.messages_retention_days),
                audit_retention: days(self.config.access.audit_retention_days),
                ..webhook_dispatcher::Settings::default()
            },
        )
        .map_err(StartError::settings)?;
        Ok(Role::new("webhook-dispatcher", async move {
            Box::pin(dispatcher.run(stop)).await;
            Ok(())
        }))
    }

    /// What one process counts for the metrics of all.
    fn census(&self, stop: CancellationToken) -> Role {
        let counting = Counting { database: self.database.clone(), clock: Arc::clone(&self.clock) };
        Role::new("census", async move {
            counting.run(stop).await;
            Ok(())
        })
    }
}

/// What a process is called.
#[must_use]
pub fn process_name(config: &Config) -> String {
    config.runner.name.clone().unwrap_or_else(hostname)
}

/// A time in days; 0 stands for ever.
fn days(days: u32) -> Option<Duration> {
    const DAY: Duration = Duration::from_hours(24);
    (days > 0).then(|| DAY * days)
}

fn whatsapp_options(config: &Config) -> Result<whatsapp::Options, StartError> {
    let url = config.whatsapp.url.as_ref().map(|url| url.expose().parse());
    Ok(whatsapp::Options {
        url: url.transpose().map_err(|error| StartError::Settings(format!("WHATSAPP_URL: {error}")))?,
        pace: Arc::new(session_runner::Pace::new(config.runner.connects_per_second)),
        media_timeout: config.media.transfer,
        ..whatsapp::Options::default()
    })
}

fn media_store(config: &Config) -> Result<MediaStore, StartError> {
    if let Some(url) = &config.media.url {
        return MediaStore::at(url.expose(), std::env::vars()).map_err(StartError::settings);
    }
    if config.nats.url.is_some() {
        tracing::warn!(
            "files are kept in DATA_DIR/media: other processes find them only if they share that folder; set MEDIA_URL"
        );
    }
    MediaStore::in_folder(&config.storage.data_dir.join("media")).map_err(StartError::running)
}

fn links(config: &Config, keys: &KeyRing) -> Result<Links, StartError> {
    let base = config.media.public_url.as_ref().map(|url| url.expose().parse());
    let base = base.transpose().map_err(|error| StartError::Settings(format!("PUBLIC_URL: {error}")))?;
    Ok(Links::new(base, config.media.link_ttl, keys.clone()))
}

const fn media_limits(settings: &config::Media) -> MediaLimits {
    MediaLimits {
        image: settings.image_max,
        video: settings.video_max,
        audio: settings.audio_max,
        sticker: settings.sticker_max,
        document: settings.document_max,
    }
}

fn keys(config: &Config) -> Result<Arc<KeyRing>, StartError> {
    if let Some(keys) = &config.access.secret_keys {
        return Ok(Arc::new(keys.clone()));
    }
    let folder = &config.storage.data_dir;
    std::fs::create_dir_all(folder).map_err(|error| {
        StartError::Running(format!("DATA_DIR {} cannot be used: {error}", folder.display()))
    })?;
    KeyRing::load_or_create(&folder.join("secret.key")).map(Arc::new).map_err(StartError::running)
}

/// The bus: NATS for a process that is one of several, or that could be; else the process itself. NATS that is away
/// keeps nobody from starting: hints that are lost cost a tick.
async fn connect(config: &Config, roles: Roles) -> Result<Bus, StartError> {
    let Some(url) = &config.nats.url else { return Ok(Bus::local()) };
    if let DatabaseTarget::Sqlite(_) = config.database() {
        return Err(StartError::Settings(
            "NATS_URL is for several processes, and SQLite serves only one: set DATABASE_URL to a PostgreSQL database \
             (postgres://…), or leave NATS_URL out"
                .to_owned(),
        ));
    }
    let options = NatsOptions {
        url: url.secret().clone(),
        prefix: config.nats.prefix.clone(),
        name: format!("wa-gateway {} {}", roles.name(), process_name(config)),
        login: nats_login(&config.nats),
        ca_file: config.nats.ca_file.clone(),
    };
    match Bus::connect(options.clone(), config.nats.connect).await {
        Err(error @ ConnectError::Unreachable { .. }) => {
            tracing::warn!(%error, "starting without NATS; it is tried in the background");
            Bus::connect_later(options).await
        }
        done => done,
    }
    .map_err(|error| match error {
        ConnectError::InvalidUrl(_) | ConnectError::Credentials { .. } => StartError::settings(error),
        ConnectError::Refused(_) | ConnectError::Unreachable { .. } => StartError::running(error),
    })
}

fn nats_login(nats: &config::Nats) -> Option<NatsLogin> {
    let password = nats.user.clone().zip(nats.password.clone());
    let password = password.map(|(user, password)| NatsLogin::Password { user, password });
    password
        .or_else(|| nats.token.clone().map(NatsLogin::Token))
        .or_else(|| nats.nkey_file.clone().map(NatsLogin::NkeyFile))
        .or_else(|| nats.credentials_file.clone().map(NatsLogin::CredentialsFile))
}

async fn open(
    config: &Config,
    keys: Arc<KeyRing>,
    clock: SharedClock,
    migrate: bool,
) -> Result<Database, StartError> {
    let options = storage::Options {
        url: match config.database() {
            DatabaseTarget::Sqlite(path) => format!("sqlite:{}", path.display()),
            DatabaseTarget::Postgres(url) => url.expose().to_owned(),
        },
        max_connections: config.storage.database_max_connections,
        synchronous: match config.storage.sqlite_synchronous {
            Synchronous::Full => storage::Synchronous::Full,
            Synchronous::Normal => storage::Synchronous::Normal,
        },
        migrate,
    };
    loop {
        match Database::open(&options, Arc::clone(&keys), Arc::clone(&clock)).await {
            Ok(database) => return Ok(database),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(RECONNECT).await;
            }
            Err(error) => return Err(StartError::running(error)),
        }
    }
}

/// Makes the admin, and changes name and password to those of the settings.
async fn seed_admin(database: &Database, passwords: &Passwords, access: &Access) -> Result<(), StartError> {
    let name = &access.admin_user;
    let default = || SecretString::from(DEFAULT_PASSWORD);
    let password = access.admin_password.clone().unwrap_or_else(default);
    let stored = database.user_by_name(name).await.map_err(StartError::running)?;
    if let Some(stored) = stored.filter(|stored| stored.user.is_admin)
        && passwords.verify(&password, &stored.password_hash).await.is_ok_and(|same| same)
    {
        return Ok(());
    }
    let hash = passwords.hash(&password).await.map_err(StartError::settings)?;
    database.put_admin(name, &hash).await.map_err(StartError::running)
}

/// A number that the settings have checked already.
fn at_least_one(number: impl TryInto<u32>) -> NonZeroU32 {
    number.try_into().ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

/// The name of this machine, as Linux tells it.
pub(crate) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "wa-gateway".to_owned())
}
