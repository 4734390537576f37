//! What a node would say: that a pod runs and is ready, or that a Job's pod has done its work. The pods of the checks
//! ask for a node that there is not, so nobody else says anything about them, and nothing runs in them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

/// How often it looks for new pods.
const PAUSE: Duration = Duration::from_millis(100);

/// Speaks for the pods of a namespace, for ever.
pub(super) async fn speak(client: Client, namespace: String) {
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    loop {
        let list = pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
        for pod in list {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            if phase == Some("Pending") && pod.metadata.deletion_timestamp.is_none() {
                // One that has just gone needs no word.
                let _ = pods.patch_status(name, &PatchParams::default(), &Patch::Merge(said(&pod))).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn said(pod: &Pod) -> Value {
    let labels = pod.metadata.labels.as_ref();
    let ends = labels.is_some_and(|labels| labels.contains_key("batch.kubernetes.io/job-name"));
    if ends {
        return json!({"status": {"phase": "Succeeded"}});
    }
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    json!({"status": {"phase": "Running", "conditions": [condition("Ready"), condition("ContainersReady")]}})
}
