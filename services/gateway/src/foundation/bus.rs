//! The bus: NATS for a process that is one of several, or that could be; else the process itself.

use ::bus::{Bus, ConnectError, NatsLogin, NatsOptions};
use config::{Config, DatabaseTarget};

use super::process_name;
use crate::{Roles, StartError};

/// Connects to it. NATS that is away keeps nobody from starting: hints that are lost cost a tick.
pub(super) async fn connect(config: &Config, roles: Roles) -> Result<Bus, StartError> {
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
