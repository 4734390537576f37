//! The gateway under test: its program, a process of its own.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use clap::ValueEnum;
use scratch::{Nats, Postgres, Process};
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
    /// The same, and the gateway as three processes, with a NATS server of our own.
    Cluster,
}

/// The processes of a cluster, as subcommands.
const ROLES: [&str; 3] = ["api", "session-runner", "webhook-dispatcher"];

/// The same in all of them.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Finds the program, and builds it first unless it is named.
pub(crate) fn program(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(program) = named {
        // It is started in other folders.
        return program.canonicalize().map_err(Problem::io("the gateway's program"));
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
    processes: Vec<Process>,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    database_url: Option<String>,
    /// One for each process.
    commands: Vec<Command>,
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
            Database::Postgres | Database::Cluster => Some(Postgres::start_durable()?),
        };
        let database_url = postgres.as_ref().map(Postgres::database).transpose()?;
        command.envs(database_url.iter().map(|url| ("DATABASE_URL", url)));
        let nats = if database == Database::Cluster { Some(Nats::start()?) } else { None };
        if let Some(nats) = &nats {
            command.env("NATS_URL", nats.url()).env("SECRET_KEYS", KEY);
        }
        let roles: &[&str] = if nats.is_some() { &ROLES } else { &["all"] };
        let commands = roles.iter().map(|role| process(&command, role)).collect();
        let api = Api::new(address, USER, PASSWORD);
        Ok(Self { processes: Vec::new(), postgres, nats, database_url, commands, api, data: folder })
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

    /// Starts the processes.
    pub(crate) fn launch(&mut self) {
        self.processes = self.commands.iter().map(|command| Process::start("wa-gateway", command)).collect();
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
            let late = Instant::now() > deadline;
            for process in &mut self.processes {
                if process.exit_code().is_some() || late {
                    return Err(Problem::Setup(format!("the gateway does not start:\n{}", process.log())));
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop, as a service manager does, and waits; returns how long that took.
    pub(crate) async fn stop(&mut self) -> Result<Duration> {
        let began = Instant::now();
        for process in &self.processes {
            process.terminate();
        }
        for mut process in std::mem::take(&mut self.processes) {
            let code = process.wait(STOP_DEADLINE).await;
            if code != Some(0) {
                return Err(Problem::Setup(format!("the gateway ended with {code:?}:\n{}", process.log())));
            }
        }
        Ok(began.elapsed())
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        for mut process in std::mem::take(&mut self.processes) {
            process.kill();
        }
    }

    pub(crate) const fn api(&self) -> &Api {
        &self.api
    }

    /// The ids of its processes.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        let pids: Option<Vec<u32>> = self.processes.iter().map(Process::pid).collect();
        pids.filter(|pids| !pids.is_empty())
            .ok_or_else(|| Problem::Setup("the gateway does not run".to_owned()))
    }

    /// The URL of its PostgreSQL database, if it has one.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref()
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
        let program = self.commands.first().map(Command::get_program).unwrap_or_default();
        let version = Command::new(program).arg("--version").output();
        let version = version.map_err(Problem::io("wa-gateway --version"))?.stdout;
        report.version("wa-gateway", String::from_utf8_lossy(&version).trim());
        report.database(match (&self.postgres, &self.nats) {
            (None, _) => "SQLite, synchronous = FULL",
            (Some(_), None) => "PostgreSQL on this machine, fsync on",
            (Some(_), Some(_)) => "three processes: PostgreSQL (fsync on) and NATS on this machine",
        });
        report.setting("disk_fsync_ms", format!("{:.2}", machine::disk(self.data.path())?));
        Ok(())
    }
}

/// The command of one process: all of them have the same settings, and where there is no API a port for probes that
/// nobody else has.
fn process(settings: &Command, role: &str) -> Command {
    let mut command = Command::new(settings.get_program());
    command.arg(role);
    for (name, value) in settings.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = settings.get_current_dir() {
        command.current_dir(folder);
    }
    command.env("HEALTH_ADDR", format!("127.0.0.1:{}", scratch::free_port()));
    command
}
