//! A release's life: install, upgrade, rollback, uninstall.

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    coordination::v1::Lease,
    core::v1::{PersistentVolumeClaim, Pod, Secret},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use scratch::wait_for;
use serde_json::json;

use super::{Ground, PATIENCE};
use crate::{helm, suite::Suite};

/// The values that the rest goes on with.
const SCALED: &[&str] = &[
    "--set",
    "sessionRunner.autoscaling.enabled=true,sessionRunner.autoscaling.minReplicas=1",
    "--set",
    "sessionRunner.autoscaling.maxReplicas=6,sessionRunner.autoscaling.stabilisationSeconds=3",
    "--set",
    "sessionRunner.capacity=10",
];

pub(super) async fn check(suite: &mut Suite, ground: &Ground) {
    suite.check("install", install(ground)).await;
    suite.check("a pod is what the restricted standard allows", pods(ground)).await;
    suite.check("upgrade: another image, another Job, the same size", upgrade(ground)).await;
    suite.check("rollback: the image before, and still the same size", rollback(ground)).await;
    suite.check("mode single: install and uninstall keep the volume", single(ground)).await;
}

pub(super) async fn check_uninstall(suite: &mut Suite, ground: &Ground) {
    suite.check("uninstall leaves nothing behind", uninstall(ground)).await;
}

fn release(ground: &Ground, verb: &[&str], more: &[&str]) -> String {
    let (chart, file) = (helm::chart().display().to_string(), helm::values("distributed"));
    let mut arguments = verb.to_vec();
    arguments.extend(["wa", &chart, "--values", &file]);
    arguments.extend(SCALED);
    arguments.extend(more);
    ground.helm(&arguments).text()
}

/// An upgrade that changes nothing about sizes.
pub(super) fn upgrade_again(ground: &Ground) {
    release(ground, &["upgrade"], &["--set", "api.podAnnotations.again=yes"]);
}

async fn runner(ground: &Ground) -> Deployment {
    let deployments: Api<Deployment> = ground.api();
    deployments.get("wa-wa-gateway-session-runner").await.unwrap_or_default()
}

async fn size(ground: &Ground) -> Option<i32> {
    runner(ground).await.spec.and_then(|spec| spec.replicas)
}

async fn image(ground: &Ground) -> String {
    let pod = runner(ground).await.spec.and_then(|spec| spec.template.spec);
    let container = pod.into_iter().flat_map(|pod| pod.containers).next();
    container.and_then(|container| container.image).unwrap_or_default()
}

async fn jobs(ground: &Ground) -> Vec<String> {
    let jobs: Api<Job> = ground.api();
    let list = jobs.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    list.into_iter().filter_map(|job| job.metadata.name).collect()
}

async fn install(ground: &Ground) {
    let said = release(ground, &["install"], &[]);
    assert!(said.contains("helm --namespace") && said.contains("test wa"), "{said}");
    assert_eq!(size(ground).await, Some(1), "Kubernetes' default, until somebody decides");
    assert_eq!(jobs(ground).await.len(), 1);
    let budgets: Api<PodDisruptionBudget> = ground.api();
    assert_eq!(budgets.list(&ListParams::default()).await.map(|list| list.items.len()).ok(), Some(3));
}

/// The namespace refuses others, so that there are pods says it all.
async fn pods(ground: &Ground) {
    let pods: Api<Pod> = ground.api();
    for (component, count) in [("api", 2), ("session-runner", 1), ("webhook-dispatcher", 2), ("migration", 1)]
    {
        let selector = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
        wait_for(PATIENCE, async || pods.list(&selector).await.is_ok_and(|list| list.items.len() == count))
            .await;
    }
}

async fn upgrade(ground: &Ground) {
    // As the autoscaler would.
    let deployments: Api<Deployment> = ground.api();
    let three = Patch::Merge(json!({"spec": {"replicas": 3}}));
    let scaled = deployments.patch("wa-wa-gateway-session-runner", &PatchParams::default(), &three).await;
    assert!(scaled.is_ok(), "{scaled:?}");
    let before = jobs(ground).await;
    release(ground, &["upgrade"], &["--set", "image.tag=next"]);
    assert_eq!(image(ground).await, "wa-gateway:next");
    assert_eq!(size(ground).await, Some(3));
    wait_for(PATIENCE, async || {
        let now = jobs(ground).await;
        now.len() == 1 && now != before
    })
    .await;
}

async fn rollback(ground: &Ground) {
    drop(ground.helm(&["rollback", "wa", "1"]).text());
    assert_eq!(image(ground).await, "wa-gateway:0.1.0");
    assert_eq!(size(ground).await, Some(3));
    let history = ground.helm(&["history", "wa", "--output", "json"]).text();
    assert!(history.contains("Rollback to 1"), "{history}");
}

async fn single(ground: &Ground) {
    let (chart, file) = (helm::chart().display().to_string(), helm::values("single"));
    drop(ground.helm(&["install", "one", &chart, "--values", &file]).text());
    let sets: Api<StatefulSet> = ground.api();
    assert!(sets.get("one-wa-gateway").await.is_ok());
    let claims: Api<PersistentVolumeClaim> = ground.api();
    let claimed = async || claims.get("data-one-wa-gateway-0").await.is_ok();
    wait_for(PATIENCE, claimed).await;
    drop(ground.helm(&["upgrade", "one", &chart, "--values", &file, "--set", "single.replicas=0"]).text());
    drop(ground.helm(&["uninstall", "one"]).text());
    wait_for(PATIENCE, async || sets.get("one-wa-gateway").await.is_err()).await;
    assert!(claims.get("data-one-wa-gateway-0").await.is_ok(), "the links are on it");
}

async fn uninstall(ground: &Ground) {
    drop(ground.helm(&["uninstall", "wa"]).text());
    let all = ListParams::default().labels("app.kubernetes.io/instance=wa");
    let (deployments, secrets): (Api<Deployment>, Api<Secret>) = (ground.api(), ground.api());
    let (leases, jobs, pods): (Api<Lease>, Api<Job>, Api<Pod>) = (ground.api(), ground.api(), ground.api());
    wait_for(PATIENCE, async || {
        deployments.list(&all).await.is_ok_and(|list| list.items.is_empty())
            && secrets.list(&all).await.is_ok_and(|list| list.items.is_empty())
            && leases.list(&all).await.is_ok_and(|list| list.items.is_empty())
            && jobs.list(&all).await.is_ok_and(|list| list.items.is_empty())
            && pods.list(&all).await.is_ok_and(|list| list.items.is_empty())
    })
    .await;
}
