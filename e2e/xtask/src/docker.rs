//! The image and docker-compose.yml, on a Docker engine: e2e/compose does it, and says when there is none.

use std::{
    env,
    process::{Command, Stdio},
};

use crate::{
    limit::LIMIT,
    say,
    step::{self, Outcome},
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
    // Images from their sources take their time.
    let limit = arguments.is_empty().then_some(LIMIT);
    let mut last = String::new();
    let ended = step::finish(&mut command, limit, |child| {
        for line in step::lines(child) {
            say(&line);
            last = line;
        }
    });
    match ended {
        Ok(status) if status.code() == Some(SKIPPED) => Outcome::Skipped(last),
        ended => step::outcome(&command, ended),
    }
}
