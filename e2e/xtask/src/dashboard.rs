//! The dashboard: its own checks, and the pictures of its pages.

use std::{path::Path, process::Command};

use crate::{
    demo::Demo,
    node,
    step::{self, Outcome, Report, cargo},
};

/// The programs that drive a browser.
const BROWSER: &str = "e2e/dashboard";

/// Types, lint and unit tests.
pub(crate) fn check() -> Outcome {
    let mut npm = Command::new("npm");
    node::on_the_path(&mut npm);
    step::run(npm.args(["run", "check", "--prefix", "web"]))
}

/// Takes the pictures of the pages; `true` when all are there.
pub(crate) fn screenshots() -> bool {
    let mut report = Report::default();
    let build = || {
        let mut cargo = cargo();
        node::on_the_path(&mut cargo);
        step::run(cargo.args(["build", "--package", "demo"]))
    };
    report.step("npm", node::install) == Outcome::Passed
        && report.step("build", build) == Outcome::Passed
        && report.step("screenshots", take) == Outcome::Passed
}

fn take() -> Outcome {
    // One of the pictures is of a code, which the demo would scan.
    let demo = match Demo::start(&["--leave-codes"]) {
        Ok(demo) => demo,
        Err(problem) => return Outcome::Failed(problem),
    };
    let mut command = Command::new("node");
    node::on_the_path(&mut command);
    command.args(["screenshots.js", "../../docs/screenshots"]).current_dir(Path::new(BROWSER));
    command.env("GATEWAY", format!("http://127.0.0.1:{}", demo.port));
    command.env("PHONES", format!("http://127.0.0.1:{}", demo.control));
    step::run(&mut command)
}
