//! An API server to test against: the cluster that `KUBECONFIG` names, or one of our own, of etcd, kube-apiserver and
//! kube-controller-manager, without any node.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use scratch::{Dir, Process, free_port};
use serde_json::{Value, json};

/// How long the three may take to start.
const PATIENCE: Duration = Duration::from_secs(90);

/// The token of who may do everything.
const ADMIN: &str = "admin-of-the-test";

/// A cluster, and the file that leads to it.
pub struct Cluster {
    /// For the admin.
    pub client: Client,
    pub kubeconfig: PathBuf,
    own: Option<Own>,
    folder: Dir,
}

/// The processes of our own one; they end in this order.
struct Own {
    _controllers: Process,
    _api_server: Process,
    _etcd: Process,
}

impl Cluster {
    /// Connects to the one there is, or starts one.
    ///
    /// # Panics
    /// When that is not possible.
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    pub async fn get() -> Self {
        let folder = Dir::new();
        let given = env::var_os("KUBECONFIG").filter(|path| !path.is_empty());
        let (kubeconfig, own) = if let Some(path) = given {
            (PathBuf::from(path), None)
        } else {
            let (path, own) = Own::start(&folder).await;
            (path, Some(own))
        };
        let client = client(&kubeconfig).await;
        client.apiserver_version().await.expect("the API server answers");
        Self { client, kubeconfig, own, folder }
    }

    /// Whether it is ours, without any node: whatever is in it may be changed.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// A file that leads to the same cluster with a service account's token.
    ///
    /// # Panics
    /// When the cluster's own file cannot be read.
    #[must_use]
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    pub fn kubeconfig_for(&self, account: &str, namespace: &str, token: &str) -> PathBuf {
        let text = fs::read_to_string(&self.kubeconfig).expect("the kubeconfig can be read");
        let mut file: Value = serde_saphyr::from_str(&text).expect("the kubeconfig is YAML");
        let current = file["current-context"].clone();
        let contexts = file["contexts"].as_array().cloned().unwrap_or_default();
        let mut context =
            contexts.into_iter().find(|context| context["name"] == current).expect("the current context");
        context["context"]["user"] = json!(account);
        context["context"]["namespace"] = json!(namespace);
        file["contexts"] = json!([context]);
        file["users"] = json!([{"name": account, "user": {"token": token}}]);
        let path = self.folder.join(format!("{account}.json"));
        fs::write(&path, file.to_string()).expect("a file for the token");
        path
    }
}

/// A client as a file says.
///
/// # Panics
/// When it says nothing sensible.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub async fn client(kubeconfig: &Path) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("the kubeconfig names a cluster")).expect("a client")
}

impl Own {
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    async fn start(folder: &Dir) -> (PathBuf, Self) {
        let key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
        let (key_file, tokens) = (folder.join("accounts.key"), folder.join("tokens.csv"));
        fs::write(&key_file, key).expect("a file for the key");
        fs::write(&tokens, format!("{ADMIN},admin,1,system:masters\n")).expect("a file for the token");
        let (etcd, etcd_port) = etcd(folder).await;

        let (port, certificates) = (free_port(), folder.join("certificates"));
        let mut command = Command::new(program("kube-apiserver"));
        command.arg(format!("--etcd-servers=http://127.0.0.1:{etcd_port}"));
        command.arg(format!("--secure-port={port}"));
        command.arg(format!("--cert-dir={}", certificates.display()));
        command.arg(format!("--token-auth-file={}", tokens.display()));
        command.arg(format!("--service-account-key-file={}", key_file.display()));
        command.arg(format!("--service-account-signing-key-file={}", key_file.display()));
        command.args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"]);
        command
            .args(["--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC"]);
        command.args(["--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none"]);
        let api_server = Process::start("kube-apiserver", &command);

        let authority = certificates.join("apiserver.crt");
        scratch::wait_for(PATIENCE, async || authority.is_file()).await;
        let kubeconfig = folder.join("kubeconfig.json");
        let file = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://127.0.0.1:{port}"), "certificate-authority": authority,
            }}],
            "users": [{"name": "admin", "user": {"token": ADMIN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        });
        fs::write(&kubeconfig, file.to_string()).expect("a kubeconfig");
        let admin = client(&kubeconfig).await;
        let ready = || http::Request::get("/readyz").body(Vec::new()).expect("a request");
        scratch::wait_for(PATIENCE, async || admin.request_text(ready()).await.is_ok()).await;

        let mut command = Command::new(program("kube-controller-manager"));
        command.arg(format!("--kubeconfig={}", kubeconfig.display()));
        command.arg(format!("--service-account-private-key-file={}", key_file.display()));
        command.arg(format!("--cert-dir={}", folder.join("controllers").display()));
        command.arg(format!("--secure-port={}", free_port()));
        command.args(["--bind-address=127.0.0.1", "--leader-elect=false"]);
        let controllers = Process::start("kube-controller-manager", &command);
        (kubeconfig, Self { _controllers: controllers, _api_server: api_server, _etcd: etcd })
    }
}

async fn etcd(folder: &Dir) -> (Process, u16) {
    let (port, peers) = (free_port(), free_port());
    let mut command = Command::new(program("etcd"));
    command.arg(format!("--data-dir={}", folder.join("etcd").display()));
    for flag in ["listen-client-urls", "advertise-client-urls"] {
        command.arg(format!("--{flag}=http://127.0.0.1:{port}"));
    }
    for flag in ["listen-peer-urls", "initial-advertise-peer-urls"] {
        command.arg(format!("--{flag}=http://127.0.0.1:{peers}"));
    }
    command.arg(format!("--initial-cluster=default=http://127.0.0.1:{peers}"));
    let mut etcd = Process::start("etcd", &command);
    etcd.ready(&format!("http://127.0.0.1:{port}/health"), PATIENCE).await;
    (etcd, port)
}

/// A program in the folder that `CONTROL_PLANE` names, or on the `PATH`.
fn program(name: &str) -> PathBuf {
    let ours = env::var_os("CONTROL_PLANE").map(|folder| Path::new(&folder).join(name));
    ours.filter(|program| program.is_file()).unwrap_or_else(|| PathBuf::from(name))
}
