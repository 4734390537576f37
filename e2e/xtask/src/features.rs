//! What must not be in the gateway that users get: the lifted check of WhatsApp's certificates, and libraries
//! that the workspace decided against but that a changed feature could bring back.

use crate::step::{Outcome, cargo};

/// Packages that must not be there at all.
const PACKAGES: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "fake-whatsapp",
    "native-tls",
    "openssl-sys",
    "sqlx-mysql",
    "ureq",
    "whatsapp-rust-sqlite-storage",
];

/// Features that must not be on in any package.
const FEATURES: &[&str] = &[
    "danger-skip-cert-chain-verify",
    "danger-skip-tls-verify",
    "fake-whatsapp",
    "sqlite-storage",
    "ureq-client",
];

/// Checks what `cargo build --release --bin wa-gateway` takes, and that the check would find what it looks for.
pub(crate) fn audit() -> Outcome {
    let shipped = match tree(&[]) {
        Ok(tree) => violations(&tree),
        Err(problem) => return Outcome::Failed(problem),
    };
    if !shipped.is_empty() {
        return Outcome::Failed(format!("a default build contains {}", shipped.join(", ")));
    }
    match tree(&["--features", "fake-whatsapp"]) {
        Ok(tree) if violations(&tree).iter().any(|found| found.contains("danger-skip-cert-chain-verify")) => {
            Outcome::Passed
        }
        Ok(_) => Outcome::Failed("the check does not see the feature even when it is on".to_owned()),
        Err(problem) => Outcome::Failed(problem),
    }
}

/// Every package of the gateway and the features that are on in it: `name v1.0.0|one,two`.
fn tree(arguments: &[&str]) -> Result<String, String> {
    let mut command = cargo();
    // No package is named: that would leave out what `cargo build --release` unifies from others.
    command.args(["tree", "--locked", "-e", "normal,build", "--target", "all"]);
    command.args(["--prefix", "none", "--format", "{p}|{f}"]).args(arguments);
    let output = command.output().map_err(|error| format!("cargo tree did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let tree = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    if tree.starts_with("wa-gateway ") {
        Ok(tree)
    } else {
        Err("the workspace's default member is not the gateway".to_owned())
    }
}

fn violations(tree: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in tree.lines() {
        let (package, features) = line.split_once('|').unwrap_or((line, ""));
        let name = package.split(' ').next().unwrap_or_default();
        if PACKAGES.contains(&name) {
            found.push(name.to_owned());
        }
        // `(*)` marks what was listed before.
        let features = features.trim_end_matches("(*)").trim().split(',');
        found.extend(features.filter(|on| FEATURES.contains(on)).map(|on| format!("{name}/{on}")));
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_features_are_found_by_their_exact_names() {
        let tree = "\
wa-gateway v0.1.0 (/x)|
whatsapp v0.1.0 (/x)|default
whatsapp-rust v0.7.0|tokio-native,tokio-runtime (*)
rustls v0.23.0|ring,std";
        assert_eq!(violations(tree), Vec::<String>::new());
        let tree = "\
whatsapp v0.1.0 (/x)|fake-whatsapp
wacore-noise v0.7.0|danger-skip-cert-chain-verify,default (*)
ureq v3.0.0|
ureq v3.0.0| (*)
ureq-proto v0.1.0|";
        assert_eq!(
            violations(tree),
            ["ureq", "wacore-noise/danger-skip-cert-chain-verify", "whatsapp/fake-whatsapp"]
        );
    }
}
