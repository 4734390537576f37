//! A Docker engine: the one that runs here, or one that is installed and started by hand.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use scratch::Process;

use crate::{plugin, say};

/// How long an engine may take to answer for the first time.
const START: Duration = Duration::from_secs(30);

/// A client that knows BuildKit by itself, or with its plugin: Debian's, which may stand behind another one in the path.
const CLIENTS: [&str; 2] = ["docker", "/usr/bin/docker"];

/// The engine, and how to talk to it. Stops when dropped, if it was started here.
pub struct Engine {
    docker: &'static str,
    compose: Compose,
    daemon: Option<Process>,
}

/// How Compose is called.
enum Compose {
    /// `docker compose`: version 2 or later, a plugin of the client.
    Plugin,
    /// The same, kept in a folder that the client is told of.
    Built(PathBuf),
    /// Debian's `docker-compose`: version 1.
    Old,
}

/// There is none, for this reason.
pub struct NoEngine(pub String);

impl Engine {
    /// Finds one, or installs and starts one, if this user may.
    pub fn get() -> Result<Self, NoEngine> {
        let daemon = if answers(CLIENTS[0]) || answers(CLIENTS[1]) { None } else { Some(start()?) };
        let docker = CLIENTS.into_iter().find(|client| answers(client) && builds(client));
        let docker = docker.ok_or_else(|| NoEngine("no Docker client here can use BuildKit".to_owned()))?;
        let engine = Self { docker, compose: Compose::find(docker)?, daemon };
        let version = engine.compose().args(["version", "--short"]).output();
        say(format_args!("Compose {}", version.map(|output| said(&output)).unwrap_or_default()));
        Ok(engine)
    }

    /// The client's program.
    pub const fn program(&self) -> &'static str {
        self.docker
    }

    /// A command of the client.
    pub fn docker(&self) -> Command {
        let mut command = Command::new(self.docker);
        command.env("DOCKER_BUILDKIT", "1");
        command
    }

    /// A command of Compose.
    pub fn compose(&self) -> Command {
        self.compose.command(self.docker)
    }
}

impl Compose {
    /// Finds one, or builds one, or installs the old one.
    fn find(docker: &str) -> Result<Self, NoEngine> {
        let works = |compose: &Self| works(compose.command(docker).arg("version"));
        if works(&Self::Plugin) {
            return Ok(Self::Plugin);
        }
        let built = plugin::get().map(Self::Built).map_err(|why| say(format_args!("no Compose 2: {why}")));
        if let Some(built) = built.ok().filter(works) {
            return Ok(built);
        }
        if !works(&Self::Old) {
            install(&["docker-compose"])?;
        }
        Some(Self::Old).filter(works).ok_or_else(|| NoEngine("docker-compose does not run here".to_owned()))
    }

    fn command(&self, docker: &str) -> Command {
        let mut command = Command::new(if matches!(self, Self::Old) { "docker-compose" } else { docker });
        if let Self::Built(folder) = self {
            command.env("DOCKER_CONFIG", folder);
        }
        if !matches!(self, Self::Old) {
            command.arg("compose");
        }
        command.env("DOCKER_BUILDKIT", "1").env("COMPOSE_DOCKER_CLI_BUILD", "1");
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        // Softly: it ends what it has started.
        daemon.terminate();
        let began = Instant::now();
        while began.elapsed() < START && daemon.exit_code().is_none() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn answers(client: &str) -> bool {
    works(Command::new(client).arg("info"))
}

/// Since version 23 it needs a plugin for BuildKit, before that it did not.
fn builds(client: &str) -> bool {
    let version = Command::new(client).args(["version", "--format", "{{.Client.Version}}"]).output();
    let version = version.map(|output| said(&output)).unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < 23) || works(Command::new(client).args(["buildx", "version"]))
}

/// What a command wrote.
pub fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).trim().to_owned()
}

fn install(packages: &[&str]) -> Result<(), NoEngine> {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root || !works(Command::new("apt-get").arg("--version")) {
        return Err(NoEngine(format!(
            "no Docker engine answers, and {} cannot be installed here",
            packages.join(" ")
        )));
    }
    say(format_args!("installing {}", packages.join(" ")));
    let apt = |arguments: &[&str]| {
        let output =
            Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(NoEngine(said(&output))),
            Err(error) => Err(NoEngine(error.to_string())),
        }
    };
    // An old list may do.
    let _ = apt(&["update", "--quiet"]);
    apt(&[&["install", "--yes", "--quiet", "--no-install-recommends"], packages].concat())
}

fn start() -> Result<Process, NoEngine> {
    if !Path::new("/usr/sbin/dockerd").exists() {
        install(&["docker.io", "iptables"])?;
    }
    let mut why = String::new();
    for driver in ["overlay2", "vfs"] {
        say(format_args!("starting dockerd with storage driver {driver}"));
        let mut command = Command::new("dockerd");
        command.args(["--storage-driver", driver]);
        let mut daemon = Process::start("dockerd", &command);
        let began = Instant::now();
        while began.elapsed() < START && daemon.exit_code().is_none() {
            if CLIENTS.into_iter().any(answers) {
                return Ok(daemon);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        daemon.log().lines().last().unwrap_or_default().clone_into(&mut why);
    }
    Err(NoEngine(format!("dockerd does not run here: {why}")))
}
