//! The gateway as one piece: the roles, wired together, with a beginning and an end.
//!
//! [`import`] takes over the users of the Node gateway.
//!
//! [`Gateway::start`] opens the database and the bus, seeds the admin, and binds the API's address;
//! [`Gateway::run_until`] runs the roles until it is told to stop: softly first, which hands everything over, hard
//! the second time.

mod foundation;
mod import;
pub mod lifecycle;

use std::net::SocketAddr;

use config::Config;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use foundation::open_database;
use foundation::{Foundation, Role};
pub use import::{Report, import};
use lifecycle::{Signals, Stop};
use storage::Database;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong: starting again does not help.
    #[error("{0}")]
    Settings(String),
    /// Something that it needs is not there.
    #[error("{0}")]
    Running(String),
}

impl StartError {
    fn running(problem: impl std::fmt::Display) -> Self {
        Self::Running(problem.to_string())
    }

    fn settings(problem: impl std::fmt::Display) -> Self {
        Self::Settings(problem.to_string())
    }
}

/// A role ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
#[error("the {role} ended unexpectedly: {reason}")]
pub struct RoleEnded {
    role: &'static str,
    reason: String,
}

/// A gateway that has started: its address is bound, its roles are about to run.
pub struct Gateway {
    database: Database,
    roles: Vec<Role>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Gateway {
    /// Opens what the gateway stands on. Waits for a database server that is not there yet.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let listen = config.listen().map_err(StartError::settings)?;
        let foundation = Foundation::lay(config).await?;
        let listener = TcpListener::bind(listen.address)
            .await
            .map_err(|error| StartError::Running(format!("cannot listen on {}: {error}", listen.address)))?;
        let address = listener.local_addr().map_err(StartError::running)?;
        let stop = CancellationToken::new();
        let roles = foundation.roles(listener, &stop)?;
        let port = address.port();
        tracing::info!(%address, "wa-gateway is listening: open http://localhost:{port}/");
        if listen.local_only {
            tracing::warn!(
                "only this machine can connect, because ADMIN_PASSWORD is not set (the password is `admin`); set it \
                 to let others in"
            );
        }
        Ok(Self { database: foundation.database, roles, address, stop })
    }

    /// Where the API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until the first signal, then hands everything over; a second signal ends that at once.
    pub async fn run_until(self, mut signals: Signals) -> Result<(), RoleEnded> {
        let mut roles = JoinSet::new();
        for role in self.roles {
            roles.spawn(async move { (role.name, role.work.await) });
        }
        let outcome = tokio::select! {
            () = signals.next() => Ok(()),
            Some(ended) = roles.join_next() => Err(lifecycle::unexpected(ended)),
        };
        tracing::info!("stopping: handing over what is under way");
        self.stop.cancel();
        let left = async { while roles.join_next().await.is_some() {} };
        match lifecycle::stop_softly(left, &mut signals).await {
            Stop::Soft => tracing::info!("stopped"),
            Stop::Hard => tracing::warn!("stopped at once; what was under way goes on at the next start"),
        }
        roles.shutdown().await;
        self.database.close().await;
        outcome
    }
}
