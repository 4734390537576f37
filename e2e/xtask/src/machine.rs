//! What the tests need of the machine, and how it gets there.

use std::{
    env, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    say,
    step::{Outcome, run, shown, works},
};

/// A program that must be there, and the Debian package that brings it.
const PROGRAMS: &[(&str, &str)] = &[
    ("cc", "gcc libc6-dev"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("nats-server", "nats-server"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("pkg-config", "pkg-config"),
    ("postgres", "postgresql"),
    ("promtool", "prometheus"),
    ("psql", "postgresql"),
    ("python3", "python3 python3-venv"),
    ("setpriv", "util-linux"),
];

/// The image in which everything is done when nothing can be installed here.
const IMAGE: &str = "rust:1.95-bookworm";

/// How the tests can run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Here.
    Here,
    /// They ran in a container, and this is how it went.
    Container(Outcome),
    /// Not at all; says what to install.
    Not(String),
}

/// Makes the machine ready, installing what is missing where that is possible.
pub(crate) fn prepare() -> Way {
    let wanted = packages(&missing());
    if wanted.is_empty() {
        return Way::Here;
    }
    say(format_args!("missing: {}", wanted.join(" ")));
    if installer().is_none() && works(Command::new("docker").arg("info")) {
        return Way::Container(in_container());
    }
    match install(&wanted) {
        Outcome::Failed(problem) | Outcome::Skipped(problem) => Way::Not(problem),
        Outcome::Passed => match packages(&missing()).as_slice() {
            [] => Way::Here,
            still => Way::Not(format!("still missing after the installation: {}", still.join(" "))),
        },
    }
}

/// Installs packages; skipped, with what to do, where we may not.
pub(crate) fn install(wanted: &[&str]) -> Outcome {
    let Some(installer) = installer() else {
        return Outcome::Skipped(format!(
            "install these packages and try again: apt-get install {}",
            wanted.join(" ")
        ));
    };
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(installer.first().copied().unwrap_or("apt-get"));
        command.args(installer.get(1..).unwrap_or_default()).args(arguments);
        say(format_args!("    {}", shown(&command)));
        run(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    // An old list of packages may do; a package that is not there will say so.
    apt(&["update", "--quiet"]);
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(wanted);
    apt(&arguments)
}

/// The command that installs packages, if we may use it.
fn installer() -> Option<&'static [&'static str]> {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !works(Command::new("apt-get").arg("--version")) {
        None
    } else if root {
        Some(&["apt-get"])
    } else if works(Command::new("sudo").args(["-n", "true"])) {
        Some(&["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
    } else {
        None
    }
}

fn in_container() -> Outcome {
    let Ok(folder) = env::current_dir() else { return Outcome::Failed("no working directory".to_owned()) };
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--init", "-v"]).arg(format!("{}:/work", folder.display()));
    command.args(["-v", "wa-gateway-cargo:/usr/local/cargo/registry", "-w", "/work"]);
    command.args(["-e", "CARGO_TARGET_DIR=/work/target/container", IMAGE, "sh", "-c"]);
    command.arg("rustup component add rustfmt clippy && exec cargo xtask test");
    say(format_args!("nothing can be installed here: running in a container of {IMAGE}"));
    run(&mut command)
}

fn missing() -> Vec<&'static str> {
    let folders = folders();
    let names = PROGRAMS.iter().map(|(name, _)| *name);
    names.filter(|name| !folders.iter().any(|folder| folder.join(name).is_file())).collect()
}

/// Where programs are: also where Debian keeps PostgreSQL's, and what users' paths leave out.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    folders.extend(["/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    let versions = fs::read_dir(Path::new("/usr/lib/postgresql")).into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders
}

fn packages(missing: &[&str]) -> Vec<&'static str> {
    let needed = PROGRAMS.iter().filter(|(name, _)| missing.contains(name));
    let mut packages: Vec<_> = needed.flat_map(|(_, packages)| packages.split(' ')).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_brought_by_its_package_once() {
        assert_eq!(packages(&[]), Vec::<&str>::new());
        assert_eq!(packages(&["psql", "postgres"]), ["postgresql"]);
        assert_eq!(packages(&["cc", "nats-server"]), ["gcc", "libc6-dev", "nats-server"]);
    }
}
