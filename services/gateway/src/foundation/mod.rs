//! What the roles stand on, made from the settings, and the roles themselves.

mod bus;
mod database;
mod roles;

use std::{pin::Pin, sync::Arc};

use ::bus::Bus;
use config::Config;
use domain::{SharedClock, SystemClock};
use egress::EgressOptions;
use media::{Links, MediaStore};
use secrets::{KeyRing, Passwords};
use storage::Database;
use telemetry::metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use whatsapp::WhatsApp;

pub use database::open_database;
pub(crate) use database::open_database_with_admin;

use crate::{Roles, StartError, autoscaler, probes::Running};

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

impl Foundation {
    /// Opens and connects everything.
    pub(crate) async fn lay(config: &Config, roles: Roles) -> Result<Self, StartError> {
        let clock: SharedClock = Arc::new(SystemClock);
        let keys = keys(config)?;
        let bus = bus::connect(config, roles).await?;
        let migrate = config.storage.migrate_on_start;
        let database = database::open(config, Arc::clone(&keys), Arc::clone(&clock), migrate).await?;
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
}

/// What a process is called.
#[must_use]
pub fn process_name(config: &Config) -> String {
    config.runner.name.clone().unwrap_or_else(hostname)
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

/// The name of this machine, as Linux tells it.
pub(crate) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "wa-gateway".to_owned())
}
