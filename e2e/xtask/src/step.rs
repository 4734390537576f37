//! Steps, how long they took and how they ended.

use std::{
    env,
    ffi::OsString,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use crate::{
    limit::{LIMIT, Limit},
    say,
};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// Not possible here; says why.
    Skipped(String),
}

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<(&'static str, Duration, Outcome)>,
}

impl Report {
    /// Runs a step and says how it went.
    pub(crate) fn step(&mut self, name: &'static str, run: impl FnOnce() -> Outcome) -> Outcome {
        say(format_args!("==> {name}"));
        let started = Instant::now();
        let outcome = run();
        let took = started.elapsed();
        say(line(name, took, &outcome));
        self.steps.push((name, took, outcome.clone()));
        outcome
    }

    /// Whether no step failed.
    pub(crate) fn passed(&self) -> bool {
        !self.steps.iter().any(|(.., outcome)| matches!(outcome, Outcome::Failed(_)))
    }

    /// All steps, one a line.
    pub(crate) fn summary(&self) -> String {
        let lines: Vec<_> =
            self.steps.iter().map(|(name, took, outcome)| line(name, *took, outcome)).collect();
        lines.join("\n")
    }
}

fn line(name: &str, took: Duration, outcome: &Outcome) -> String {
    let how = match outcome {
        Outcome::Passed => "passed".to_owned(),
        Outcome::Failed(why) => format!("FAILED: {why}"),
        Outcome::Skipped(why) => format!("skipped: {why}"),
    };
    format!("    {name:<12} {:>7.1} s  {how}", took.as_secs_f64())
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Runs a command with our own standard output and error, and ends it when it hangs.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let ended = finish(command, Some(LIMIT), |_| ());
    outcome(command, ended)
}

/// The same for what takes its time.
pub(crate) fn run_long(command: &mut Command) -> Outcome {
    let ended = finish(command, None, |_| ());
    outcome(command, ended)
}

/// Runs a command to its end, or to the end of its time, and meanwhile does something with it.
pub(crate) fn finish(
    command: &mut Command,
    limit: Option<Duration>,
    meanwhile: impl FnOnce(&mut Child),
) -> Result<ExitStatus, String> {
    let mut child = command.spawn().map_err(|error| format!("{} did not start: {error}", shown(command)))?;
    let watch = limit.map(|limit| Limit::of(&child, limit));
    meanwhile(&mut child);
    let status = child.wait().map_err(|error| format!("{}: {error}", shown(command)))?;
    match limit {
        Some(limit) if watch.is_some_and(Limit::was_reached) => {
            Err(format!("{} was ended after {} s", shown(command), limit.as_secs()))
        }
        _ => Ok(status),
    }
}

/// What the end of a command means.
pub(crate) fn outcome(command: &Command, ended: Result<ExitStatus, String>) -> Outcome {
    match ended {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("{} ended with {status}", shown(command))),
        Err(problem) => Outcome::Failed(problem),
    }
}

/// The lines of a command whose standard output is a pipe, as they come; then it is over.
pub(crate) fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let output = child.stdout.take().map(BufReader::new);
    output.into_iter().flat_map(|output| output.lines().map_while(Result::ok))
}

/// Whether a command runs at all and is content; its output is not shown.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_passes_unless_a_step_failed() {
        let mut report = Report::default();
        report.step("one", || Outcome::Passed);
        report.step("two", || Outcome::Skipped("not here".to_owned()));
        assert!(report.passed());
        report.step("three", || run(&mut Command::new("false")));
        assert!(!report.passed());
        assert!(report.summary().contains("FAILED: false ended with exit status: 1"), "{}", report.summary());
    }
}
