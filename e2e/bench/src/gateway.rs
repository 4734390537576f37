//! The gateway under test: its program, a process of its own.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use clap::ValueEnum;
use scratch::{Postgres, Process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    http::Api,
    machine,
    problem::{Problem, Result},
    report::{BUILD, Report, say},
};

const USER: &str = "admin";
const PASSWORD: &str = "bench-password";

/// How long a start may take, and a stop.
const START_DEADLINE: Duration = Duration::from_mins(1);
const STOP_DEADLINE: Duration = Duration::from_mins(1);

/// Where the gateway keeps its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    /// A file in the data folder, `synchronous = FULL`.
    Sqlite,
    /// A server of our own on this machine, `fsync` on.
    Postgres,
}

/// Finds the program, and builds it first unless it is named.
pub(crate) fn program(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(program) = named {
        return Ok(program.to_owned());
    }
    let here = env::current_exe().map_err(Problem::io("our own program"))?;
    let folder = here.parent().unwrap_or(Path::new("."));
    let target = folder.parent().unwrap_or(Path::new("."));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "wa-gateway", "--bin", "wa-gateway"]);
    cargo.args(["--features", "wa-gateway/fake-whatsapp"]).env("CARGO_TARGET_DIR", target);
    if BUILD == "release" {
        cargo.arg("--release");
    }
    say(format_args!(
        "building wa-gateway ({BUILD}, feature fake-whatsapp); --gateway FILE names one instead"
    ));
    let status = cargo.stdin(Stdio::null()).status().map_err(Problem::io("cargo"))?;
    if !status.success() {
        return Err(Problem::Setup("wa-gateway does not build".to_owned()));
    }
    Ok(folder.join("wa-gateway"))
}

/// A gateway with its data; both are gone when it is dropped.
pub(crate) struct Gateway {
    // The processes go before their folders.
    process: Option<Process>,
    postgres: Option<Postgres>,
    command: Command,
    api: Api,
    data: TempDir,
}

impl Gateway {
    /// Prepares one with fresh data in a folder of its own under `data`; nothing runs yet.
    pub(crate) fn prepare(
        program: &Path,
        data: &Path,
        database: Database,
        whatsapp_url: &str,
        webhooks: Option<&str>,
    ) -> Result<Self> {
        let folder = std::fs::create_dir_all(data).and_then(|()| {
            let data = data.canonicalize()?;
            tempfile::Builder::new().prefix("bench-").tempdir_in(data)
        });
        let folder = folder.map_err(Problem::io("the data folder"))?;
        let program = program.canonicalize().map_err(Problem::io(program.display().to_string()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, scratch::free_port()));
        let mut command = Command::new(program);
        // No `.env` there, and nothing of this shell's settings.
        command.current_dir(folder.path());
        for setting in config::reference().into_iter().flat_map(|(_, settings)| settings) {
            command.env_remove(setting.name);
        }
        command.env("HOST", "127.0.0.1").env("PORT", address.port().to_string());
        command.env("ADMIN_USER", USER).env("ADMIN_PASSWORD", PASSWORD);
        command.env("DATA_DIR", folder.path()).env("LOG_FORMAT", "json");
        // Files come from this machine.
        command.env("EGRESS_ALLOW", "127.0.0.0/8");
        command.env("WHATSAPP_URL", whatsapp_url).env("RUNNER_CONNECTS_PER_SECOND", "0");
        if let Some(url) = webhooks {
            command.env("WEBHOOK_BASE_URL", url);
        }
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => {
                let postgres = Postgres::start_durable()?;
                command.env("DATABASE_URL", postgres.database()?);
                Some(postgres)
            }
        };
        Ok(Self { process: None, postgres, command, api: Api::new(address, USER, PASSWORD), data: folder })
    }

    /// The same, running.
    pub(crate) async fn start(
        program: &Path,
        data: &Path,
        database: Database,
        whatsapp_url: &str,
        webhooks: Option<&str>,
    ) -> Result<Self> {
        let mut gateway = Self::prepare(program, data, database, whatsapp_url, webhooks)?;
        gateway.launch();
        gateway.ready().await?;
        Ok(gateway)
    }

    /// Starts the process.
    pub(crate) fn launch(&mut self) {
        self.process = Some(Process::start("wa-gateway", &self.command));
    }

    /// Waits until it is able to serve.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Ok(mut caller) = self.api.connect().await
                && caller.call("GET", "/ready", None).await.is_ok()
            {
                return Ok(());
            }
            let process =
                self.process.as_mut().ok_or_else(|| Problem::Setup("it was not started".to_owned()))?;
            if process.exit_code().is_some() || Instant::now() > deadline {
                return Err(Problem::Setup(format!("the gateway does not start:\n{}", process.log())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop, as a service manager does, and waits; returns how long that took.
    pub(crate) async fn stop(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let Some(mut process) = self.process.take() else { return Ok(Duration::ZERO) };
        process.terminate();
        match process.wait(STOP_DEADLINE).await {
            Some(0) => Ok(began.elapsed()),
            code => Err(Problem::Setup(format!("the gateway ended with {code:?}:\n{}", process.log()))),
        }
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    pub(crate) const fn api(&self) -> &Api {
        &self.api
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        let pid = self.process.as_ref().and_then(Process::pid);
        pid.ok_or_else(|| Problem::Setup("the gateway does not run".to_owned()))
    }

    /// Waits until it says itself that this many sessions are connected.
    pub(crate) async fn sessions_connected(&self, count: u64, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        let mut caller = self.api.connect().await?;
        loop {
            let status = caller.call("GET", "/status", None).await?;
            let connected = status.get("sessions_connected").and_then(Value::as_u64).unwrap_or(0);
            if connected >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Problem::Setup(format!(
                    "{connected} of {count} sessions are connected after {within:?}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Notes what it is and what it stands on.
    pub(crate) fn describe(&self, report: &mut Report) -> Result<()> {
        let version = Command::new(self.command.get_program()).arg("--version").output();
        let version = version.map_err(Problem::io("wa-gateway --version"))?.stdout;
        report.version("wa-gateway", String::from_utf8_lossy(&version).trim());
        report.database(match &self.postgres {
            None => "SQLite, synchronous = FULL",
            Some(_) => "PostgreSQL on this machine, fsync on",
        });
        report.setting("disk_fsync_ms", format!("{:.2}", machine::disk(self.data.path())?));
        Ok(())
    }
}
