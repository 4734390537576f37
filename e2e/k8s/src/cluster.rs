//! The chart and the runners with a real API server. Nothing runs in the pods: a cluster of our own has no nodes, and
//! none has our image. What a node would say of them, [`node`] says; the gateway's processes run here, with the tokens
//! and the settings that their pods would have.

mod node;
mod release;
mod rights;
mod scaling;
mod validation;

use std::{path::PathBuf, time::Duration};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{control_plane::Cluster, suite::Suite};

/// How long a controller may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A namespace for the release `wa`, and one to try what must not be.
pub(crate) struct Ground {
    pub cluster: Cluster,
    pub namespace: String,
    pub elsewhere: String,
}

/// Runs all of it.
pub async fn check(suite: &mut Suite) {
    let ground = Ground::lay().await;
    let whose =
        if ground.cluster.is_own() { "a control plane of our own" } else { "the cluster in KUBECONFIG" };
    suite.say(format_args!("with {whose}, in namespace {}", ground.namespace));
    let mut node = JoinSet::new();
    node.spawn(node::speak(ground.cluster.client.clone(), ground.namespace.clone()));
    all(suite, &ground).await;
    ground.clear().await;
}

async fn all(suite: &mut Suite, ground: &Ground) {
    validation::check(suite, ground).await;
    release::check(suite, ground).await;
    rights::check(suite, ground).await;
    scaling::check(suite, ground).await;
    release::check_uninstall(suite, ground).await;
}

impl Ground {
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    async fn lay() -> Self {
        let cluster = Cluster::get().await;
        let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
        let id = std::process::id();
        let (namespace, elsewhere) = (format!("wa-gateway-{id}"), format!("wa-gateway-{id}-elsewhere"));
        for name in [&namespace, &elsewhere] {
            // The API server itself refuses pods that are not restricted.
            let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
            let object = json!({"metadata": {"name": name, "labels": labels}});
            let object: Namespace = serde_json::from_value(object).expect("a namespace");
            namespaces.create(&PostParams::default(), &object).await.expect("a namespace of our own");
        }
        Self { cluster, namespace, elsewhere }
    }

    async fn clear(&self) {
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        for name in [&self.namespace, &self.elsewhere] {
            let _ = namespaces.delete(name, &DeleteParams::default()).await;
        }
    }

    /// The objects of a kind in the release's namespace, as the admin sees them.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.cluster.client.clone(), &self.namespace)
    }

    /// A client with the token of a service account of the release, as its pods would have, and the file for it.
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    pub(crate) async fn as_account(&self, account: &str) -> (Client, PathBuf) {
        let accounts: Api<ServiceAccount> = self.api();
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
        let token = answer.expect("a token").status.expect("a token").token;
        let path = self.cluster.kubeconfig_for(account, &self.namespace, &token);
        (crate::control_plane::client(&path).await, path)
    }

    /// Calls Helm as the admin.
    pub(crate) fn helm(&self, arguments: &[&str]) -> crate::helm::Output {
        let mut all = arguments.to_vec();
        all.extend(["--namespace", &self.namespace]);
        crate::helm::helm(Some(&self.cluster.kubeconfig), &all)
    }
}
