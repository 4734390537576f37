//! The image and docker-compose.yml, on a Docker engine: e2e/compose does it, and says when there is none.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::{
    say,
    step::{Outcome, shown},
};

/// The exit code for "not possible here"; the last line says why.
const SKIPPED: i32 = 77;

/// Runs the checks with the programs that were built beside us, or, in full, with images built from their sources.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let program = match env::current_exe() {
        Ok(us) => us.with_file_name("compose"),
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("{} did not start: {error}", shown(&command))),
    };
    let mut last = String::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            say(&line);
            last = line;
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) if status.code() == Some(SKIPPED) => Outcome::Skipped(last),
        Ok(status) => Outcome::Failed(format!("{} ended with {status}", shown(&command))),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
