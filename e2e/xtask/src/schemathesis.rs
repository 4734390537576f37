//! schemathesis against the demo: a real gateway that needs nothing, with two connected sessions.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use crate::step::{self, Outcome};

const FOLDER: &str = "e2e/schemathesis";

/// Makes up requests from the OpenAPI document of a running gateway, and judges the answers.
pub(crate) fn run() -> Outcome {
    let program = match installed() {
        Ok(program) => program,
        Err(outcome) => return outcome,
    };
    let demo = match Demo::start() {
        Ok(demo) => demo,
        Err(problem) => return Outcome::Failed(problem),
    };
    let url = format!("http://127.0.0.1:{}/openapi.json", demo.port);
    let mut command = Command::new(program);
    // Its configuration is in its folder.
    command.args(["run", "--auth", "admin:admin", "--no-color", &url]).current_dir(FOLDER);
    step::run(command.env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// The program, in a Python environment of its own that is kept with what is built.
fn installed() -> Result<PathBuf, Outcome> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let environment = env::current_dir().unwrap_or_default().join(target).join("xtask-python");
    let python = environment.join("bin/python");
    if !python.is_file() {
        passed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    let requirements = format!("{FOLDER}/requirements.txt");
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        &requirements,
    ]);
    passed(&mut pip)?;
    Ok(environment.join("bin/schemathesis"))
}

fn passed(command: &mut Command) -> Result<(), Outcome> {
    match step::run(command) {
        Outcome::Passed => Ok(()),
        other => Err(other),
    }
}

/// The demo, until this is dropped.
struct Demo {
    child: Child,
    port: u16,
}

impl Demo {
    fn start() -> Result<Self, String> {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("no free port: {error}"))?.port();
        // It was built beside us.
        let us = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(us.with_file_name("demo"));
        command.args(["--port", &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("demo did not start: {error}"))?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output of the demo")?).lines();
        let demo = Self { child, port };
        if !lines.by_ref().map_while(Result::ok).any(|line| line.contains("Ctrl-C stops it.")) {
            return Err("the demo ended before it was ready".to_owned());
        }
        // Somebody has to read on, or it stops when the pipe is full.
        thread::spawn(move || lines.for_each(drop));
        Ok(demo)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Not killed: it leaves nothing behind when it is asked to stop.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
