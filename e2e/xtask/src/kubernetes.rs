//! The Helm chart, with real Helm and with a real API server. Helm and the control plane are Go modules: where the
//! machine has none of them but Go, they are built once, into a folder beside other caches.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    machine, say,
    step::{self, Outcome, run, works},
};

const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.22.0";

/// What is built from `e2e/k8s/control-plane/go.mod`. Its version of Kubernetes is part of the folder's name.
const CONTROL_PLANE: [&str; 2] = ["kube-apiserver", "kube-controller-manager"];
const KUBERNETES: &str = "v1.37.2";
const VERSION: &str = "k8s.io/component-base/version";

/// The oldest Go that builds them.
const OLDEST_GO: (u32, u32) = (1, 26);

/// Modules with definitions of resources that the chart makes, and the files.
const DEFINITIONS: [(&str, &[&str]); 2] = [
    ("sigs.k8s.io/gateway-api@v1.6.0", &["config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"]),
    (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        &[
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ],
    ),
];

/// How long Helm may take to build: two and a half minutes on two idle cores.
const HELM_DEADLINE: Duration = Duration::from_mins(15);

/// How long the control plane may take.
const CONTROL_PLANE_DEADLINE: Duration = Duration::from_hours(1);

/// The step `chart`: Helm lints and renders it, and what comes out is looked at.
pub(crate) fn chart() -> Outcome {
    match helm() {
        Ok(helm) => run(checks("chart").env("HELM", helm)),
        Err(outcome) => outcome,
    }
}

/// The step `k8s`: the same with an API server. Builds the control plane only when asked by name: that takes long.
pub(crate) fn cluster(by_name: bool) -> Outcome {
    let helm = match helm() {
        Ok(helm) => helm,
        Err(outcome) => return outcome,
    };
    let mut command = checks("cluster");
    command.env("HELM", helm);
    if env::var_os("KUBECONFIG").is_none_or(|path| path.is_empty()) {
        let folder = cache().join(format!("kubernetes-{KUBERNETES}"));
        if let Err(outcome) = control_plane(&folder, by_name) {
            return outcome;
        }
        let files = DEFINITIONS.iter().flat_map(|(_, files)| *files);
        let files: Vec<_> = files.map(|file| folder.join(name_of(file)).display().to_string()).collect();
        command.env("CONTROL_PLANE", &folder).env("DEFINITIONS", files.join(":"));
    }
    run(&mut command)
}

/// The program of `e2e/k8s`, which was built beside us.
fn checks(which: &str) -> Command {
    let program = env::current_exe().unwrap_or_default().with_file_name("k8s");
    let mut command = Command::new(program);
    command.arg(which);
    command
}

/// Helm: the machine's, or one that was built before, or one that is built now.
fn helm() -> Result<PathBuf, Outcome> {
    if works(Command::new("helm").arg("version")) {
        return Ok(PathBuf::from("helm"));
    }
    let version = HELM.rsplit('@').next().unwrap_or_default();
    let folder = cache().join(format!("helm-{version}"));
    let helm = folder.join("helm");
    if !helm.is_file() {
        let go = go().map_err(|why| Outcome::Skipped(format!("Helm is not installed, and {why}")))?;
        say(format_args!("    Helm is not installed: building {HELM}, once, in some minutes"));
        let mut command = building(&go);
        command.env("GOBIN", &folder).args(["install", "-trimpath", "-ldflags=-s -w", HELM]);
        bounded(&mut command, HELM_DEADLINE)?;
    }
    Ok(helm)
}

/// Puts the control plane and the definitions into a folder, or says why not.
fn control_plane(folder: &Path, by_name: bool) -> Result<(), Outcome> {
    let files = || DEFINITIONS.iter().flat_map(|(_, files)| *files).map(|file| name_of(file));
    if !CONTROL_PLANE.into_iter().chain(files()).all(|name| folder.join(name).is_file()) {
        if !by_name {
            return Err(Outcome::Skipped(
                "KUBECONFIG names no cluster, and no control plane has been built yet: `cargo xtask test --only k8s` \
                 builds one, once (about eight minutes on two idle cores, with Go)"
                    .to_owned(),
            ));
        }
        let go = go().map_err(|why| Outcome::Skipped(format!("KUBECONFIG names no cluster, and {why}")))?;
        fs::create_dir_all(folder)
            .map_err(|error| Outcome::Failed(format!("{} cannot be made: {error}", folder.display())))?;
        build(&go, folder)?;
        for (module, files) in DEFINITIONS {
            fetch(&go, module, files, folder)?;
        }
    }
    if works(Command::new("etcd").arg("--version")) {
        return Ok(());
    }
    match machine::install(&["etcd-server"]) {
        Outcome::Passed => Ok(()),
        other => Err(other),
    }
}

fn build(go: &Path, folder: &Path) -> Result<(), Outcome> {
    say("    building kube-apiserver and kube-controller-manager, once; this takes long");
    let mut command = building(go);
    command.current_dir("e2e/k8s/control-plane");
    // What builds a release says which it is; Helm asks.
    let flags = format!(
        "-ldflags=-s -w -X {VERSION}.gitVersion={KUBERNETES} -X {VERSION}.gitMajor=1 -X {VERSION}.gitMinor=37"
    );
    command.args(["build", "-trimpath", &flags, "-o"]).arg(folder);
    command.args(CONTROL_PLANE.map(|name| format!("k8s.io/kubernetes/cmd/{name}")));
    bounded(&mut command, CONTROL_PLANE_DEADLINE)
}

/// Copies files of a module into a folder.
fn fetch(go: &Path, module: &str, files: &[&str], folder: &Path) -> Result<(), Outcome> {
    let wrong = |why: String| Outcome::Failed(format!("{module} cannot be had: {why}"));
    let output = building(go).args(["mod", "download", "-json", module]).output();
    let output = output.map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.trim().strip_prefix("\"Dir\": \""));
    let source = line.and_then(|line| line.split('"').next());
    let source = source.ok_or_else(|| wrong(format!("{text}{}", String::from_utf8_lossy(&output.stderr))))?;
    for file in files {
        let from = Path::new(source).join(file);
        // Written anew: what Go keeps cannot be written to.
        let copied = fs::read(&from).and_then(|text| fs::write(folder.join(name_of(file)), text));
        copied.map_err(|error| wrong(format!("{}: {error}", from.display())))?;
    }
    Ok(())
}

fn name_of(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn building(go: &Path) -> Command {
    let mut command = Command::new(go);
    // Without C nothing of this machine is in it.
    command.env("CGO_ENABLED", "0").env("GOFLAGS", "-buildvcs=false");
    command
}

/// Where Go is, if it is new enough.
fn go() -> Result<PathBuf, String> {
    let places = ["go", "/usr/local/go/bin/go"].map(PathBuf::from);
    let found = places.into_iter().find_map(|go| Some((version(&go)?, go)));
    let (major, minor) = OLDEST_GO;
    match found {
        Some((version, go)) if version >= OLDEST_GO => Ok(go),
        Some(((old, older), _)) => Err(format!("Go {old}.{older} is older than {major}.{minor}")),
        None => Err("there is no Go".to_owned()),
    }
}

fn version(go: &Path) -> Option<(u32, u32)> {
    let output = Command::new(go).args(["env", "GOVERSION"]).output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// Of `go1.26.8`, 1 and 26.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix("go")?.split(['.', '-', 'r', 'b']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Runs a command that must end in time.
fn bounded(command: &mut Command, deadline: Duration) -> Result<(), Outcome> {
    let ended = step::finish(command.stdin(Stdio::null()), Some(deadline), |_| ());
    match step::outcome(command, ended) {
        Outcome::Passed => Ok(()),
        failed => Err(failed),
    }
}

/// Where programs are kept that take long to build.
fn cache() -> PathBuf {
    let named = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let base = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("wa-gateway")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_read() {
        let table = [
            ("go1.26.8\n", Some((1, 26))),
            ("go1.27rc1", Some((1, 27))),
            ("go2.0", Some((2, 0))),
            ("go1", None),
            ("devel", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_version(text), expected, "{text}");
        }
    }

    #[test]
    fn the_version_of_kubernetes_is_the_one_that_is_built() {
        let module =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s/control-plane/go.mod"));
        assert!(module.unwrap().contains(&format!("\tk8s.io/kubernetes {KUBERNETES} ")));
    }
}
