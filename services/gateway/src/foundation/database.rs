//! The database that the settings name, and who is in it from the start.

use std::{sync::Arc, time::Duration};

use config::{Access, Config, DatabaseTarget, Synchronous};
use domain::{SharedClock, SystemClock, UserId};
use secrecy::SecretString;
use secrets::{KeyRing, Passwords};
use storage::Database;

use super::{PARALLEL_LOGINS, keys};
use crate::StartError;

/// How long to wait before trying again to reach a database server.
const RECONNECT: Duration = Duration::from_secs(2);

/// The admin's password when none is set; good on this machine only.
const DEFAULT_PASSWORD: &str = "admin";

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

pub(super) async fn open(
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
pub(super) async fn seed_admin(
    database: &Database,
    passwords: &Passwords,
    access: &Access,
) -> Result<(), StartError> {
    let name = &access.admin_user;
    let default = || SecretString::from(DEFAULT_PASSWORD);
    let password = access.admin_password.clone().unwrap_or_else(default);
    let stored = database.user_by_name(name).await.map_err(StartError::running)?;
    match &stored {
        Some(stored) if !stored.user.is_admin => {
            return Err(StartError::Settings(format!(
                "ADMIN_USER: '{name}' is a user who is no admin; choose another name, or delete that user first"
            )));
        }
        Some(stored) if passwords.verify(&password, &stored.password_hash).await.is_ok_and(|same| same) => {
            return Ok(());
        }
        _ => {}
    }
    let hash = passwords.hash(&password).await.map_err(StartError::settings)?;
    database.put_admin(name, &hash).await.map_err(StartError::running)
}
