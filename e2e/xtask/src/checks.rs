//! `cargo xtask test`.

use std::{
    env,
    ffi::OsStr,
    process::{Child, Command, Stdio},
};

use crate::{
    Check, Options, dashboard, docker, features, kubernetes,
    limit::LIMIT,
    machine::{self, Way},
    node, rules, say, schemathesis,
    step::{self, Outcome, Report, cargo, works},
};

/// The whole workspace, with what the tests need: the same for every step, so that nothing is built twice.
const WORKSPACE: &[&str] = &["--workspace", "--features", "wa-gateway/fake-whatsapp"];

/// Tests that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Makes the machine ready, runs the checks and sums up; `true` when all passed.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::default();
    let built =
        [Check::Unit, Check::EndToEnd, Check::Schemathesis, Check::Chart, Check::Cluster, Check::Docker];
    let tests = built.iter().any(|check| options.wants(*check));
    let others = [Check::Clippy, Check::Npm, Check::Web, Check::Rules];
    if tests || others.iter().any(|check| options.wants(*check)) {
        let mut way = Way::Here;
        report.step("machine", || {
            way = machine::prepare();
            match &way {
                Way::Here => Outcome::Passed,
                Way::Container(outcome) => outcome.clone(),
                Way::Not(what) => Outcome::Failed(what.clone()),
            }
        });
        if way != Way::Here {
            return report.passed();
        }
    }
    if options.wants(Check::Fmt) {
        report.step("fmt", || step::run(cargo().args(["fmt", "--all", "--", "--check"])));
    }
    if options.wants(Check::Features) {
        report.step("features", features::audit);
    }
    if options.wants(Check::Deny) {
        report.step("deny", || deny(options.with_deny || env::var_os("CI").is_some()));
    }
    if options.wants(Check::Rules) {
        report.step("rules", rules::check);
    }
    // The end-to-end tests stand on them.
    if [Check::Npm, Check::Web, Check::EndToEnd].iter().any(|check| options.wants(*check)) {
        report.step("npm", node::install);
    }
    if options.wants(Check::Web) {
        report.step("web", dashboard::check);
    }
    if options.wants(Check::Clippy) {
        let lint = ["--all-targets", "--", "-D", "warnings"];
        report.step("clippy", || step::run(built_with_node().arg("clippy").args(WORKSPACE).args(lint)));
    }
    let mut counts = Counts::default();
    if tests {
        test(options, &mut report, &mut counts);
    }
    say(format_args!("\n{}", report.summary()));
    if counts != Counts::default() {
        say(format_args!("{} passed, {} failed, {} ignored", counts.passed, counts.failed, counts.ignored));
    }
    report.passed()
}

/// Builds the images from their sources and tries them; `true` when all was as it should.
pub(crate) fn docker(mut arguments: Vec<String>) -> bool {
    let mut report = Report::default();
    let build = || step::run(cargo().args(["build", "--package", "compose"]));
    if report.step("build", build) != Outcome::Passed {
        return false;
    }
    arguments.push("--full".to_owned());
    report.step("docker", || docker::run(&arguments));
    say(format_args!("\n{}", report.summary()));
    report.passed()
}

/// Plays what can go wrong with the separate services; `true` when all was as promised.
pub(crate) fn chaos(arguments: &[String]) -> bool {
    let mut report = Report::default();
    let built =
        report.step("build", || step::run(cargo().args(["build", "--release", "--bins"]).args(WORKSPACE)));
    if built != Outcome::Passed {
        return false;
    }
    let suite = || {
        let program = env::current_exe().map_err(|error| error.to_string());
        let folder =
            program.map(|program| program.ancestors().nth(2).map(|target| target.join("release/chaos")));
        match folder {
            Ok(Some(program)) => step::run_long(Command::new(program).args(arguments)),
            Ok(None) => Outcome::Failed("the folder of this program is not known".to_owned()),
            Err(problem) => Outcome::Failed(problem),
        }
    };
    report.step("chaos", suite) == Outcome::Passed
}

/// A cargo whose build scripts find the Node.js that the dashboard is built with.
fn built_with_node() -> Command {
    let mut command = cargo();
    node::on_the_path(&mut command);
    command
}

/// Licences, bans and sources. Not the advisories: they change by the day without a change here.
fn deny(install: bool) -> Outcome {
    let installed = || works(cargo().args(["deny", "--version"]));
    if !installed() && install {
        step::run(cargo().args(["install", "--locked", "cargo-deny"]));
    }
    if !installed() {
        return Outcome::Skipped("cargo-deny is not installed; --with-deny installs it".to_owned());
    }
    step::run(cargo().args(["deny", "--all-features", "check", "bans", "licenses", "sources"]))
}

fn test(options: &Options, report: &mut Report, counts: &mut Counts) {
    // Builds the programs that end-to-end tests start as well, which `cargo test --no-run` would not.
    let build = || step::run(built_with_node().arg("build").args(WORKSPACE).arg("--all-targets"));
    if report.step("build", build) != Outcome::Passed {
        return;
    }
    if options.wants(Check::Unit) || options.wants(Check::EndToEnd) {
        cargo_test(options, report, counts);
    }
    if options.wants(Check::Schemathesis) {
        report.step("schemathesis", schemathesis::run);
    }
    if options.wants(Check::Docker) {
        report.step("docker", || docker::run(&[]));
    }
    if options.wants(Check::Chart) {
        report.step("chart", kubernetes::chart);
    }
    if options.wants(Check::Cluster) {
        report.step("k8s", || kubernetes::cluster(!options.only.is_empty()));
    }
}

fn cargo_test(options: &Options, report: &mut Report, counts: &mut Counts) {
    let mut servers = None;
    let start = || match Servers::start() {
        Ok(started) => {
            servers = Some(started);
            Outcome::Passed
        }
        Err(problem) => Outcome::Failed(problem),
    };
    report.step("servers", start);
    let Some(servers) = servers else { return };
    let unit: &[&str] = &["--lib", "--bins"];
    let end_to_end: &[&str] = &["--test", "*"];
    let (name, selection) = match (options.wants(Check::Unit), options.wants(Check::EndToEnd)) {
        (true, true) => ("test", &[][..]),
        (true, false) => ("unit", unit),
        (false, _) => ("e2e", end_to_end),
    };
    let mut command = cargo();
    command.arg("test").args(WORKSPACE).arg("--no-fail-fast").args(selection);
    command.envs(servers.addresses.iter().map(|(name, url)| (name, url)));
    node::on_the_path(&mut command);
    report.step(name, || count(&mut command, counts));
}

/// Runs the tests, shows what they say and adds up their results.
fn count(command: &mut Command, counts: &mut Counts) -> Outcome {
    let ended = step::finish(command.stdout(Stdio::piped()), Some(LIMIT), |child| {
        for line in step::lines(child) {
            counts.add(results(&line).unwrap_or_default());
            say(line);
        }
    });
    match step::outcome(command, ended) {
        Outcome::Failed(why) if counts.failed > 0 => {
            Outcome::Failed(format!("{} failed tests; {why}", counts.failed))
        }
        outcome => outcome,
    }
}

/// What a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …` reports.
fn results(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for part in numbers.split("; ") {
        match part.split_once(' ') {
            Some((number, "passed")) => counts.passed = number.parse().ok()?,
            Some((number, "failed")) => counts.failed = number.parse().ok()?,
            Some((number, "ignored")) => counts.ignored = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

impl Counts {
    const fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.ignored += more.ignored;
    }
}

/// PostgreSQL and NATS for the whole run; they end when this is dropped, or with us.
struct Servers {
    child: Child,
    addresses: Vec<(String, String)>,
}

impl Servers {
    fn start() -> Result<Self, String> {
        // It was built beside us.
        let us = env::current_exe().map_err(|error| error.to_string())?;
        let program = us.with_file_name("scratch-servers");
        let mut command = Command::new(&program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let name = program.file_name().unwrap_or(OsStr::new("")).display();
        let mut child = command.spawn().map_err(|error| format!("{name} did not start: {error}"))?;
        let addresses: Vec<(String, String)> = step::lines(&mut child)
            .take(2)
            .filter_map(|line| line.split_once('=').map(|(name, url)| (name.to_owned(), url.to_owned())))
            .collect();
        let servers = Self { child, addresses };
        if servers.addresses.len() == 2 { Ok(servers) } else { Err(format!("{name} said no addresses")) }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // The end of its standard input ends it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_from_what_the_harness_writes() {
        let counts = |passed, failed, ignored| Some(Counts { passed, failed, ignored });
        let table = [
            (
                "test result: ok. 36 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.75s",
                counts(36, 0, 1),
            ),
            (
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                counts(1, 2, 0),
            ),
            ("test tests::result ... ok", None),
            ("running 3 tests", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(results(line), expected, "{line}");
        }
    }
}
