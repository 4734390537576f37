//! Steps, how long they took and how they ended.

use std::{
    env,
    ffi::OsString,
    process::Command,
    time::{Duration, Instant},
};

use crate::say;

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

/// Runs a command with our own standard output and error.
pub(crate) fn run(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("{} ended with {status}", shown(command))),
        Err(error) => Outcome::Failed(format!("{} did not start: {error}", shown(command))),
    }
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
