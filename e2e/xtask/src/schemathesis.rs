//! schemathesis against the demo: a real gateway that needs nothing, with two connected sessions.

use std::{env, path::PathBuf, process::Command};

use crate::{
    demo::Demo,
    step::{self, Outcome},
};

const FOLDER: &str = "e2e/schemathesis";

/// Makes up requests from the OpenAPI document of a running gateway, and judges the answers.
pub(crate) fn run() -> Outcome {
    let program = match installed() {
        Ok(program) => program,
        Err(outcome) => return outcome,
    };
    let demo = match Demo::start(&[]) {
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
