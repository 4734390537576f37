//! `cargo xtask test` passes every check there is; `cargo xtask help` says what else there is. Only the standard
//! library, so that it is built in seconds.

mod checks;
mod dashboard;
mod demo;
mod docker;
mod features;
mod kubernetes;
mod limit;
mod machine;
mod node;
mod rules;
mod schemathesis;
mod step;

use std::{env, fmt, process::ExitCode};

use step::{Outcome, Report};

const HELP: &str = "\
cargo xtask test [--only STEP]... [--with-deny]
    Installs what the tests need and is missing, then runs every check:
      fmt        formatting
      features   nothing that is for tests only is in a default build
      deny       licences, banned crates and their sources (needs cargo-deny)
      rules      Prometheus's rules and their cases, and the dashboard
      npm        the packages of web, e2e/interop and e2e/dashboard, as their lock files say
      web        types, lint and unit tests of the dashboard
      clippy     lints, all targets
      unit       unit tests
      e2e        integration and end-to-end tests
      schemathesis
                 requests made up from openapi.json, to a running gateway
      docker     the image and docker-compose.yml, where a Docker engine can be had
      chart      the Helm chart, by Helm itself (built when it is missing and Go is there)
      k8s        the chart and the runners' autoscaler with a real API server: the one in KUBECONFIG, or one of
                 our own, which is built only when this step is named, and kept
    --only STEP  runs that step only; may be given several times
    --with-deny  installs cargo-deny when it is missing (as is done when CI is set)
cargo xtask chaos [NAME]... [--short] [--sessions N] [--lenient]
    What can go wrong with the separate services, in its long form and with a release build: all scenarios, or those
    named (`list` names them). Figures are printed and written to target/chaos.
cargo xtask screenshots
    Builds the demo and takes the pictures of the dashboard's pages into docs/screenshots.
cargo xtask docker [--keep]
    The same with images that are built from their sources as users build them, the one that ships too.
    --keep leaves the demo running.
cargo xtask audit-features
    The step `features` alone.
cargo xtask help
    This text.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Test(Options),
    /// With what the suite itself is told.
    Chaos(Vec<String>),
    Screenshots,
    /// With what the checks themselves are told.
    Docker(Vec<String>),
    AuditFeatures,
    Help,
}

/// How to run the checks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Empty: all.
    only: Vec<Check>,
    with_deny: bool,
}

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Fmt,
    Features,
    Deny,
    Rules,
    Npm,
    Web,
    Clippy,
    Unit,
    EndToEnd,
    Schemathesis,
    Docker,
    Chart,
    Cluster,
}

impl Check {
    const ALL: [(&str, Self); 13] = [
        ("fmt", Self::Fmt),
        ("features", Self::Features),
        ("deny", Self::Deny),
        ("rules", Self::Rules),
        ("npm", Self::Npm),
        ("web", Self::Web),
        ("clippy", Self::Clippy),
        ("unit", Self::Unit),
        ("e2e", Self::EndToEnd),
        ("schemathesis", Self::Schemathesis),
        ("docker", Self::Docker),
        ("chart", Self::Chart),
        ("k8s", Self::Cluster),
    ];
}

impl Options {
    fn wants(&self, check: Check) -> bool {
        self.only.is_empty() || self.only.contains(&check)
    }
}

/// What is printed, without a macro that the lints forbid.
fn say(text: impl fmt::Display) {
    use std::io::Write as _;
    // Nobody reads any more: nothing is left to be said.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn parse(arguments: &[&str]) -> Result<Task, String> {
    let (command, rest) = arguments.split_first().unwrap_or((&"help", &[]));
    match *command {
        "help" | "--help" | "-h" => Ok(Task::Help),
        "screenshots" if rest.is_empty() => Ok(Task::Screenshots),
        "audit-features" if rest.is_empty() => Ok(Task::AuditFeatures),
        "test" => parse_options(rest).map(Task::Test),
        "chaos" => Ok(Task::Chaos(rest.iter().map(|&argument| argument.to_owned()).collect())),
        "docker" => Ok(Task::Docker(rest.iter().map(|&argument| argument.to_owned()).collect())),
        other => Err(format!("unknown: {other}")),
    }
}

fn parse_options(mut arguments: &[&str]) -> Result<Options, String> {
    let mut options = Options::default();
    loop {
        arguments = match arguments {
            [] => return Ok(options),
            ["--with-deny", rest @ ..] => {
                options.with_deny = true;
                rest
            }
            ["--only", name, rest @ ..] => {
                let check = Check::ALL.iter().find(|(known, _)| known == name);
                options.only.push(check.ok_or_else(|| format!("no such step: {name}"))?.1);
                rest
            }
            [other, ..] => return Err(format!("unknown: {other}")),
        };
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match parse(&arguments) {
        Ok(Task::Help) => {
            say(HELP);
            true
        }
        Ok(Task::Screenshots) => dashboard::screenshots(),
        Ok(Task::AuditFeatures) => {
            let mut report = Report::default();
            report.step("features", features::audit) == Outcome::Passed
        }
        Ok(Task::Test(options)) => checks::run(&options),
        Ok(Task::Chaos(arguments)) => checks::chaos(&arguments),
        Ok(Task::Docker(arguments)) => checks::docker(arguments),
        Err(problem) => {
            say(format_args!("{problem}\n\n{HELP}"));
            false
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_understood_or_refused() {
        let test = |only: &[Check], with_deny| Ok(Task::Test(Options { only: only.to_vec(), with_deny }));
        let table: [(&[&str], Result<Task, String>); 11] = [
            (&[], Ok(Task::Help)),
            (&["audit-features"], Ok(Task::AuditFeatures)),
            (&["screenshots"], Ok(Task::Screenshots)),
            (&["test"], test(&[], false)),
            (&["docker", "--keep"], Ok(Task::Docker(vec!["--keep".into()]))),
            (&["chaos", "scale", "--short"], Ok(Task::Chaos(vec!["scale".into(), "--short".into()]))),
            (
                &["test", "--with-deny", "--only", "fmt", "--only", "e2e"],
                test(&[Check::Fmt, Check::EndToEnd], true),
            ),
            (&["test", "--only", "everything"], Err("no such step: everything".into())),
            (&["test", "--only"], Err("unknown: --only".into())),
            (&["test", "--fast"], Err("unknown: --fast".into())),
            (&["deploy"], Err("unknown: deploy".into())),
        ];
        for (arguments, expected) in table {
            assert_eq!(parse(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn every_step_is_in_the_help() {
        for (name, _) in Check::ALL {
            let named = |line: &str| {
                line.strip_prefix("      ").is_some_and(|line| line.split(' ').next() == Some(name))
            };
            assert!(HELP.lines().any(named), "{name}");
        }
    }
}
