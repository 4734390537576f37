//! Real Helm, as a person would call it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// What the chart is rendered for when no cluster is asked.
const KUBERNETES: &str = "1.37.0";

/// How a call ended.
#[derive(Debug)]
pub struct Output {
    pub success: bool,
    pub out: String,
    pub err: String,
}

impl Output {
    /// What it printed.
    ///
    /// # Panics
    /// When it failed.
    #[must_use]
    pub fn text(self) -> String {
        assert!(self.success, "helm failed: {}", self.err);
        self.out
    }
}

/// The chart.
#[must_use]
pub fn chart() -> PathBuf {
    top().join("charts/wa-gateway")
}

/// The repository.
#[must_use]
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file with values.
#[must_use]
pub fn values(case: &str) -> String {
    top().join(format!("e2e/k8s/values/{case}.yaml")).display().to_string()
}

/// Calls `helm`, or what `HELM` names.
///
/// # Panics
/// When it cannot be started.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub fn helm(kubeconfig: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env::var_os("HELM").unwrap_or_else(|| "helm".into()));
    command.args(arguments);
    // Not the developer's cluster, unless it is asked for.
    command.env("KUBECONFIG", kubeconfig.unwrap_or(Path::new("/dev/null")));
    let output = command.output().expect("helm starts; HELM names it");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { success: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

/// Renders the chart.
pub fn template(case: &str, arguments: &[&str]) -> Output {
    let (chart, file) = (chart().display().to_string(), values(case));
    let mut all = vec!["template", "wa", &chart, "--namespace", "messages", "--kube-version", KUBERNETES];
    all.extend(["--values", &file]);
    all.extend(arguments);
    helm(None, &all)
}

/// Looks at the chart as `helm lint` does.
pub fn lint(case: &str) -> Output {
    let (chart, file) = (chart().display().to_string(), values(case));
    helm(None, &["lint", "--strict", &chart, "--kube-version", KUBERNETES, "--values", &file])
}

/// The objects in a text of several documents.
///
/// # Panics
/// When it is not YAML.
#[must_use]
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub fn objects(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).expect("Helm writes YAML");
    all.into_iter().filter(|object| !object.is_null()).collect()
}
