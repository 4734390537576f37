//! Node.js, and the packages of the dashboard and of the tests that need it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    say,
    step::{Outcome, run},
};

/// The oldest Node.js that Baileys runs on.
const OLDEST: u32 = 20;
/// What npm brings in the place of an older one: Debian 12 has 18.
const PACKAGE: &str = "node@22";
const FOLDERS: [&str; 3] = ["web", "e2e/interop", "e2e/dashboard"];

/// Installs the packages exactly as the lock files say, unless they are there already.
pub(crate) fn install() -> Outcome {
    if let Outcome::Failed(problem) = runtime() {
        return Outcome::Failed(problem);
    }
    let outcomes = FOLDERS.iter().map(|folder| install_in(folder));
    outcomes.fold(Outcome::Passed, |so_far, outcome| if so_far == Outcome::Passed { outcome } else { so_far })
}

fn install_in(folder: &str) -> Outcome {
    let lock = Path::new(folder).join("package-lock.json");
    let installed = Path::new(folder).join("node_modules/.installed");
    let wanted = fs::read(&lock).unwrap_or_default();
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Outcome::Passed;
    }
    let mut npm = Command::new("npm");
    // No package needs its scripts to be run here.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder]);
    on_the_path(&mut npm);
    let outcome = run(&mut npm);
    if outcome == Outcome::Passed && fs::write(installed, wanted).is_err() {
        say("    the packages will be installed again next time: their folder cannot be written to");
    }
    outcome
}

/// Puts the Node.js that [`install`] brought, if it had to, before the machine's own.
pub(crate) fn on_the_path(command: &mut Command) {
    let ours = ours();
    if ours.join("node").is_file() {
        let others = env::var_os("PATH").unwrap_or_default();
        if let Ok(path) = env::join_paths([ours].into_iter().chain(env::split_paths(&others))) {
            command.env("PATH", path);
        }
    }
}

fn runtime() -> Outcome {
    let found = version(Command::new("node").arg("--version"));
    if found.is_some_and(|found| found >= OLDEST) || ours().join("node").is_file() {
        return Outcome::Passed;
    }
    let found = found.map_or_else(|| "none".to_owned(), |found| found.to_string());
    say(format_args!("    Node.js {OLDEST} or newer is needed, here is {found}: npm brings {PACKAGE}"));
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]).arg(prefix()).arg(PACKAGE);
    match run(&mut npm) {
        Outcome::Failed(problem) => Outcome::Failed(format!(
            "Node.js {OLDEST} or newer and npm are needed (https://nodejs.org, or Debian's nodejs and npm): {problem}"
        )),
        other => other,
    }
}

fn prefix() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from).join("xtask-node")
}

fn ours() -> PathBuf {
    env::current_dir().unwrap_or_default().join(prefix()).join("node_modules/node/bin")
}

/// The first number of what `node --version` says.
fn version(command: &mut Command) -> Option<u32> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    major(&String::from_utf8_lossy(&output.stdout))
}

fn major(said: &str) -> Option<u32> {
    said.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (said, expected) in [("v20.20.2\n", Some(20)), ("v18.0", Some(18)), ("20.1", None), ("", None)] {
            assert_eq!(major(said), expected, "{said}");
        }
    }
}
