//! The few questions and orders for the API server. Each is one request with a deadline; together they need the rights
//! that the chart's Role gives, and no others.

use std::{fmt, time::Duration};

use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::costs::{Change, Pod};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What Kubernetes calls the price of taking a pod away.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Why the API server did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the Kubernetes API did not answer in time to {0}")]
    TooLate(Request),
    /// Somebody else was faster: look again.
    #[error("what this was decided from has changed: {0}")]
    Conflict(Request),
    #[error("{0} is not there")]
    NotFound(Request),
    #[error("the Kubernetes API refused to {0}: {1}")]
    Failed(Request, String),
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Lease(String),
    Scale(String),
    Pods,
    Pod(String),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease(name) => write!(f, "Lease {name}"),
            Self::Scale(name) => write!(f, "scale of Deployment {name}"),
            Self::Pods => f.write_str("list of pods"),
            Self::Pod(name) => write!(f, "pod {name}"),
        }
    }
}

/// The size of the Deployment.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    /// What it should have.
    pub replicas: u32,
    /// What it has.
    pub pods: u32,
    /// Finds its pods.
    pub selector: String,
    /// As it came, with its version.
    raw: k8s_openapi::api::autoscaling::v1::Scale,
}

/// One namespace of a cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    leases: Api<Lease>,
    deployments: Api<Deployment>,
    pods: Api<v1::Pod>,
    lease: String,
    deployment: String,
}

impl Cluster {
    pub(crate) fn new(client: Client, namespace: Option<&str>, deployment: &str, lease: &str) -> Self {
        let namespace = namespace.unwrap_or_else(|| client.default_namespace()).to_owned();
        Self {
            leases: Api::namespaced(client.clone(), &namespace),
            deployments: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client, &namespace),
            lease: lease.to_owned(),
            deployment: deployment.to_owned(),
        }
    }

    pub(crate) async fn lease(&self) -> Result<Lease, Refusal> {
        ask(Request::Lease(self.lease.clone()), self.leases.get(&self.lease)).await
    }

    /// Writes the Lease back, unless it has changed.
    pub(crate) async fn write_lease(&self, lease: &Lease) -> Result<(), Refusal> {
        let params = PostParams::default();
        ask(Request::Lease(self.lease.clone()), self.leases.replace(&self.lease, &params, lease)).await?;
        Ok(())
    }

    pub(crate) async fn scale(&self) -> Result<Scale, Refusal> {
        let request = Request::Scale(self.deployment.clone());
        let raw = ask(request, self.deployments.get_scale(&self.deployment)).await?;
        let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let status = raw.status.as_ref();
        Ok(Scale {
            replicas: count(raw.spec.as_ref().and_then(|spec| spec.replicas)),
            pods: count(status.map(|status| status.replicas)),
            selector: status.and_then(|status| status.selector.clone()).unwrap_or_default(),
            raw,
        })
    }

    /// Sets another size, unless the Deployment has changed since `scale` was read.
    pub(crate) async fn resize(&self, scale: &Scale, to: u32) -> Result<(), Refusal> {
        let mut raw = scale.raw.clone();
        raw.spec.get_or_insert_default().replicas = i32::try_from(to).ok();
        let params = PostParams::default();
        let request = Request::Scale(self.deployment.clone());
        ask(request, self.deployments.replace_scale(&self.deployment, &params, &raw)).await?;
        Ok(())
    }

    pub(crate) async fn pods(&self, selector: &str) -> Result<Vec<Pod>, Refusal> {
        let params = ListParams::default().labels(selector);
        let list = ask(Request::Pods, self.pods.list_metadata(&params)).await?;
        let pods = list.items.into_iter().map(|pod| Pod {
            leaving: pod.metadata.deletion_timestamp.is_some(),
            cost: pod.metadata.annotations.and_then(|mut all| all.remove(DELETION_COST)),
            name: pod.metadata.name.unwrap_or_default(),
        });
        Ok(pods.collect())
    }

    pub(crate) async fn set_cost(&self, change: &Change) -> Result<(), Refusal> {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {DELETION_COST: change.cost}}}));
        let params = PatchParams::default();
        ask(Request::Pod(change.pod.clone()), self.pods.patch_metadata(&change.pod, &params, &patch)).await?;
        Ok(())
    }
}

async fn ask<T>(
    request: Request,
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(DEADLINE, answer).await {
        Err(_) => Err(Refusal::TooLate(request)),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(match status.code {
            404 => Refusal::NotFound(request),
            409 => Refusal::Conflict(request),
            _ => Refusal::Failed(request, status.message.clone()),
        }),
        Ok(Err(error)) => Err(Refusal::Failed(request, error.to_string())),
    }
}
