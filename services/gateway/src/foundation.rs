//! What the roles stand on, made from the settings, and the roles themselves.

use std::{pin::Pin, sync::Arc, time::Duration};

use bus::Bus;
use config::{Config, DatabaseTarget, Synchronous};
use domain::{SharedClock, SystemClock};
use egress::EgressOptions;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::{KeyRing, Passwords};
use storage::Database;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use whatsapp::WhatsApp;

use crate::StartError;

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
    egress: egress::Client,
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

/// Opens the database that the settings name and brings its schema up to date.
pub async fn open_database(config: &Config) -> Result<Database, StartError> {
    let keys = keys(config)?;
    open(config, keys, Arc::new(SystemClock)).await
}

impl Foundation {
    /// Opens and connects everything, and makes sure that there is an admin.
    pub(crate) async fn lay(config: &Config) -> Result<Self, StartError> {
        let clock: SharedClock = Arc::new(SystemClock);
        let keys = keys(config)?;
        let database = open(config, Arc::clone(&keys), Arc::clone(&clock)).await?;
        let passwords = Passwords::new(config.access.bcrypt_cost, PARALLEL_LOGINS);
        seed_admin(&database, &passwords, config).await?;
        let base = config.webhooks.base_url.as_ref().map(|url| url.expose());
        database.set_base_endpoint(base).await.map_err(StartError::running)?;
        let egress = egress::Client::new(EgressOptions {
            allow: config.egress.allow.clone(),
            ..EgressOptions::default()
        })
        .map_err(StartError::running)?;
        let whatsapp = WhatsApp::new(whatsapp_options(config)?, database.clone(), egress.clone())
            .map_err(StartError::settings)?;
        Ok(Self {
            database,
            bus: Bus::local(),
            clock,
            keys,
            passwords,
            whatsapp: Arc::new(whatsapp),
            egress,
            config: config.clone(),
        })
    }

    /// The roles of this process; each runs until `stop`.
    pub(crate) fn roles(self, listener: TcpListener, stop: &CancellationToken) -> Vec<Role> {
        let stop = || stop.clone();
        vec![self.api(listener, stop()), self.session_runner(stop()), self.webhook_dispatcher(stop())]
    }

    fn session_runner(&self, stop: CancellationToken) -> Role {
        let settings = &self.config.runner;
        let runner = session_runner::SessionRunner::new(
            session_runner::Parts {
                database: self.database.clone(),
                bus: self.bus.clone(),
                whatsapp: Arc::clone(&self.whatsapp),
                clock: Arc::clone(&self.clock),
            },
            session_runner::Settings {
                name: settings.name.clone().unwrap_or_else(hostname),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                capacity: settings.capacity,
                lease: settings.lease,
                fence: settings.fence,
                renew: settings.renew,
                connects_per_second: settings.connects_per_second,
            },
        );
        Role::new("session-runner", async move {
            runner.run(stop).await;
            Ok(())
        })
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

async fn open(config: &Config, keys: Arc<KeyRing>, clock: SharedClock) -> Result<Database, StartError> {
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
async fn seed_admin(
    database: &Database,
    passwords: &Passwords,
    config: &Config,
) -> Result<(), StartError> {
    let name = &config.access.admin_user;
    let default = || SecretString::from(DEFAULT_PASSWORD);
    let password = config.access.admin_password.clone().unwrap_or_else(default);
    let stored = database.user_by_name(name).await.map_err(StartError::running)?;
    if let Some(stored) = stored.filter(|stored| stored.user.is_admin)
        && passwords.verify(&password, &stored.password_hash).await.is_ok_and(|same| same)
    {
        return Ok(());
    }
    let hash = passwords.hash(&password).await.map_err(StartError::settings)?;
    database.put_admin(name, &hash).await.map_err(StartError::running)
}

/// The name of this machine, as Linux tells it.
fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "wa-gateway".to_owned())
}
