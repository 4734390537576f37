//! The gateway as one piece: the roles, wired together, with a beginning and an end.
//!
//! [`import()`] takes over the users of the Node gateway; [`backup`] makes backups and restores them.
//!
//! [`Gateway::start`] binds the process's address, where it answers for itself from the first moment, and opens the
//! database and the bus; [`Gateway::run_until`] runs the roles until it is told to stop: softly first, which hands
//! everything over, hard the second time.

mod autoscaler;
pub mod backup;
mod census;
mod foundation;
mod import;
pub mod lifecycle;
mod metrics_endpoint;
mod probes;

use std::{net::SocketAddr, time::Duration};

use config::Config;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use foundation::{Foundation, Role};
pub use foundation::{open_database, process_name};
pub use import::{Report, import};
use lifecycle::{Signals, Stop};
pub use metrics_endpoint::MetricsEndpoint;
use probes::Probes;
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

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// Everything.
    All,
    Api,
    SessionRunner,
    WebhookDispatcher,
}

impl Roles {
    /// What it is called on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::SessionRunner => "session-runner",
            Self::WebhookDispatcher => "webhook-dispatcher",
        }
    }

    const fn has_api(self) -> bool {
        matches!(self, Self::All | Self::Api)
    }

    const fn has_dispatcher(self) -> bool {
        matches!(self, Self::All | Self::WebhookDispatcher)
    }

    const fn has_runner(self) -> bool {
        matches!(self, Self::All | Self::SessionRunner)
    }
}

/// What a soft stop may take on top of handing sessions over.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// A gateway that has started: its address is bound, its roles are about to run.
pub struct Gateway {
    database: Database,
    roles: Vec<Role>,
    address: SocketAddr,
    stop: CancellationToken,
    soft_stop: Duration,
    /// Answers `/health` and `/ready` where there is no API.
    probing: JoinSet<()>,
}

impl Gateway {
    /// Opens what a process of these roles stands on. Waits for a database server that is not there yet.
    pub async fn start(config: &Config, roles: Roles) -> Result<Self, StartError> {
        if roles != Roles::All {
            config.one_of_several(roles.name()).map_err(StartError::settings)?;
        }
        let (address, local_only) = if roles.has_api() {
            let listen = config.listen().map_err(StartError::settings)?;
            (listen.address, listen.local_only)
        } else {
            (config.http.health, false)
        };
        let listener = std::net::TcpListener::bind(address)
            .map_err(|error| StartError::Running(format!("cannot listen on {address}: {error}")))?;
        let address = listener.local_addr().map_err(StartError::running)?;
        let probes = Probes::starting();
        let mut probing = JoinSet::new();
        let (stop, laid) = (CancellationToken::new(), CancellationToken::new());
        probing.spawn(probes.clone().serve(listen(&listener)?, laid.clone()));
        let foundation = Foundation::lay(config, roles).await?;
        let api = if roles.has_api() {
            // From here on the API answers for itself, on the same address.
            laid.cancel();
            while probing.join_next().await.is_some() {}
            Some(listen(&listener)?)
        } else {
            None
        };
        let (work, running) = foundation.roles(roles, api, &stop)?;
        probes.running(running);
        announce(roles, address, local_only);
        let soft_stop =
            if roles.has_runner() { config.runner.drain + STOP_MARGIN } else { lifecycle::SOFT_STOP };
        Ok(Self { database: foundation.database, roles: work, address, stop, soft_stop, probing })
    }

    /// Where the API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until the first signal, then hands everything over; a second signal ends that at once.
    pub async fn run_until(mut self, mut signals: Signals) -> Result<(), RoleEnded> {
        let mut roles = JoinSet::new();
        for role in std::mem::take(&mut self.roles) {
            roles.spawn(async move { (role.name, role.work.await) });
        }
        let outcome = tokio::select! {
            () = signals.next() => Ok(()),
            Some(ended) = roles.join_next() => Err(lifecycle::unexpected(ended)),
        };
        tracing::info!("stopping: handing over what is under way");
        self.stop.cancel();
        let left = async { while roles.join_next().await.is_some() {} };
        match lifecycle::stop_softly(left, self.soft_stop, &mut signals).await {
            Stop::Soft => tracing::info!("stopped"),
            Stop::Hard => tracing::warn!("stopped at once; what was under way goes on at the next start"),
        }
        roles.shutdown().await;
        self.database.close().await;
        self.probing.shutdown().await;
        outcome
    }
}

/// The same address for the runtime, as often as it is needed.
fn listen(listener: &std::net::TcpListener) -> Result<TcpListener, StartError> {
    let twin = listener.try_clone().map_err(StartError::running)?;
    twin.set_nonblocking(true).map_err(StartError::running)?;
    TcpListener::from_std(twin).map_err(StartError::running)
}

fn announce(roles: Roles, address: SocketAddr, local_only: bool) {
    let version = env!("CARGO_PKG_VERSION");
    if !roles.has_api() {
        tracing::info!(%address, version, "wa-gateway {} is running", roles.name());
        return;
    }
    let port = address.port();
    tracing::info!(%address, version, "wa-gateway is listening: open http://localhost:{port}/");
    if local_only {
        tracing::warn!(
            "only this machine can connect, because ADMIN_PASSWORD is not set (the password is `admin`); set it to let \
             others in"
        );
    }
}
