//! A Docker engine: the one that runs here, or one that is installed and started by hand.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use scratch::Process;

use crate::say;

/// How long an engine may take to answer for the first time.
const START: Duration = Duration::from_secs(30);

/// A client that knows BuildKit by itself, or with its plugin: Debian's, which may stand behind another one in the path.
const CLIENTS: [&str; 2] = ["docker", "/usr/bin/docker"];

/// The engine, and how to talk to it. Stops when dropped, if it was started here.
pub struct Engine {
    docker: &'static str,
    compose: &'static [&'static str],
    _daemon: Option<Process>,
}

/// There is none, for this reason.
pub struct NoEngine(pub String);

impl Engine {
    /// Finds one, or installs and starts one, if this user may.
    pub fn get() -> Result<Self, NoEngine> {
        let daemon = if answers(CLIENTS[0]) || answers(CLIENTS[1]) { None } else { Some(start()?) };
        let docker = CLIENTS.into_iter().find(|client| answers(client) && builds(client));
        let docker = docker.ok_or_else(|| NoEngine("no Docker client here can use BuildKit".to_owned()))?;
        let compose = compose(docker).or_else(|| {
            install(&["docker-compose"]).ok()?;
            compose(docker)
        });
        let compose = compose.ok_or_else(|| NoEngine("docker-compose is not installed".to_owned()))?;
        Ok(Self { docker, compose, _daemon: daemon })
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
        let (program, first) = self.compose.split_first().unwrap_or((&"docker-compose", &[]));
        let mut command = Command::new(program);
        command.args(first).env("DOCKER_BUILDKIT", "1").env("COMPOSE_DOCKER_CLI_BUILD", "1");
        command
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

fn compose(docker: &'static str) -> Option<&'static [&'static str]> {
    const PLUGIN: &[&[&str]] =
        &[&["docker", "compose"], &["/usr/bin/docker", "compose"], &["docker-compose"]];
    let usable = |words: &&&[&str]| {
        let (program, rest) = words.split_first().unwrap_or((&"", &[]));
        (rest.is_empty() || *program == docker) && works(Command::new(program).args(rest).arg("version"))
    };
    PLUGIN.iter().find(usable).copied()
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
        install(&["docker.io", "docker-compose", "iptables"])?;
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
