//! The runners' token suffices, and for nothing more; the others have none that is worth anything. Tried with real
//! tokens at the real API server.

use std::fmt::Debug;

use k8s_openapi::api::{
    apps::v1::Deployment,
    authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec},
    coordination::v1::Lease,
    core::v1::{ConfigMap, Node, Pod, Secret},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use scratch::wait_for;
use serde_json::{Value, json};

use super::{Ground, PATIENCE};
use crate::suite::Suite;

const RUNNER: &str = "wa-wa-gateway-session-runner";
const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

pub(super) async fn check(suite: &mut Suite, ground: &Ground) {
    suite.check("the runners' rights suffice", suffices(ground)).await;
    suite.check("and are for nothing else", no_more(ground)).await;
    suite
        .check("of a pod only the deletion cost can be changed, and of runners only", annotation_only(ground))
        .await;
    suite.check("all rules of the runners are known", rules(ground)).await;
    suite.check("the API, the dispatchers and the migration may do nothing", others(ground)).await;
}

/// A request that was refused, and not for another reason.
fn denied<T: Debug>(what: &str, answer: Result<T, kube::Error>) {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        other => panic_with(what, &format!("{other:?}")),
    }
}

fn panic_with(what: &str, said: &str) {
    assert!(said.is_empty(), "{what}: {said}");
}

fn named<K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>>(
    client: &Client,
    namespace: &str,
) -> Api<K>
where
    K::DynamicType: Default,
{
    Api::namespaced(client.clone(), namespace)
}

/// The names of the pods of a component.
async fn pods_of(ground: &Ground, component: &str) -> Vec<String> {
    let pods: Api<Pod> = ground.api();
    let selector = format!("app.kubernetes.io/component={component},app.kubernetes.io/instance=wa");
    let list = async || pods.list(&ListParams::default().labels(&selector)).await.map(|list| list.items);
    wait_for(PATIENCE, async || list().await.is_ok_and(|pods| !pods.is_empty())).await;
    list().await.unwrap_or_default().into_iter().filter_map(|pod| pod.metadata.name).collect()
}

fn cost(value: &str) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"annotations": {COST: value}}}))
}

async fn suffices(ground: &Ground) {
    let (client, _) = ground.as_account(RUNNER).await;
    let leases: Api<Lease> = named(&client, &ground.namespace);
    let lease = leases.get(RUNNER).await.unwrap_or_default();
    let written = leases.replace(RUNNER, &PostParams::default(), &lease).await;
    assert!(written.is_ok(), "{written:?}");
    let deployments: Api<Deployment> = named(&client, &ground.namespace);
    let scale = deployments.get_scale(RUNNER).await;
    let written = match &scale {
        Ok(scale) => deployments.replace_scale(RUNNER, &PostParams::default(), scale).await,
        Err(_) => scale,
    };
    assert!(written.is_ok(), "{written:?}");
    let selector = scale_selector(&written);
    let pods: Api<Pod> = named(&client, &ground.namespace);
    let listed = pods.list_metadata(&ListParams::default().labels(&selector)).await;
    assert!(listed.is_ok_and(|list| !list.items.is_empty()), "{selector}");
    for pod in pods_of(ground, "session-runner").await {
        for patch in [cost("-1"), Patch::Merge(json!({"metadata": {"annotations": {COST: null}}}))] {
            let patched = pods.patch_metadata(&pod, &PatchParams::default(), &patch).await;
            assert!(patched.is_ok(), "{patched:?}");
        }
    }
}

fn scale_selector(scale: &Result<k8s_openapi::api::autoscaling::v1::Scale, kube::Error>) -> String {
    let status = scale.as_ref().ok().and_then(|scale| scale.status.as_ref());
    status.and_then(|status| status.selector.clone()).unwrap_or_default()
}

async fn no_more(ground: &Ground) {
    let (client, _) = ground.as_account(RUNNER).await;
    let (here, post, all) = (&ground.namespace, PostParams::default(), ListParams::default());
    let (patch, delete) = (PatchParams::default(), DeleteParams::default());
    let leases: Api<Lease> = named(&client, here);
    denied("another Lease", leases.get("other").await);
    denied("all Leases", leases.list(&all).await);
    let new = |name: &str| json!({"metadata": {"name": name}});
    let lease: Lease = serde_json::from_value(new("mine")).unwrap_or_default();
    denied("a new Lease", leases.create(&post, &lease).await);
    denied("no Lease", leases.delete(RUNNER, &delete).await);
    denied("a patched Lease", leases.patch(RUNNER, &patch, &Patch::Merge(json!({}))).await);

    let deployments: Api<Deployment> = named(&client, here);
    denied("the Deployment itself", deployments.get(RUNNER).await);
    denied("a patched Deployment", deployments.patch(RUNNER, &patch, &Patch::Merge(json!({}))).await);
    denied("no Deployment", deployments.delete(RUNNER, &delete).await);
    denied("another's size", deployments.get_scale("wa-wa-gateway-api").await);
    let mut scale = k8s_openapi::api::autoscaling::v1::Scale::default();
    scale.metadata.name = Some("wa-wa-gateway-api".to_owned());
    denied("another size of another", deployments.replace_scale("wa-wa-gateway-api", &post, &scale).await);

    let pods: Api<Pod> = named(&client, here);
    let pod = pods_of(ground, "session-runner").await.remove(0);
    denied("a pod", pods.get(&pod).await);
    denied("no pod", pods.delete(&pod, &delete).await);
    denied("a pod's log", pods.logs(&pod, &kube::api::LogParams::default()).await);
    denied("an evicted pod", pods.evict(&pod, &kube::api::EvictParams::default()).await);
    let status = json!({"status": {"phase": "Running"}});
    denied("a pod's state", pods.patch_status(&pod, &patch, &Patch::Merge(status)).await);
    let body = json!({"metadata": {"name": "mine"}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
    let body: Pod = serde_json::from_value(body).unwrap_or_default();
    denied("a new pod", pods.create(&post, &body).await);
    let pods_elsewhere: Api<Pod> = named(&client, &ground.elsewhere);
    denied("pods elsewhere", pods_elsewhere.list(&all).await);
    let everywhere: Api<Pod> = Api::all(client.clone());
    denied("pods everywhere", everywhere.list(&all).await);

    let secrets: Api<Secret> = named(&client, here);
    denied("secrets", secrets.list(&all).await);
    denied("the gateway's own Secret", secrets.get("wa-wa-gateway").await);
    let maps: Api<ConfigMap> = named(&client, here);
    denied("maps", maps.list(&all).await);
    let nodes: Api<Node> = Api::all(client);
    denied("nodes", nodes.list(&all).await);
}

async fn annotation_only(ground: &Ground) {
    let (client, _) = ground.as_account(RUNNER).await;
    let pods: Api<Pod> = named(&client, &ground.namespace);
    let params = PatchParams::default();
    let pod = pods_of(ground, "session-runner").await.remove(0);
    // A policy is in force some moments after it was made; and it must go on refusing.
    let image = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let refused = async || matches!(pods.patch(&pod, &params, &image).await, Err(kube::Error::Api(_)));
    wait_for(PATIENCE, refused).await;
    let container = json!([{"name": "session-runner", "image": "evil"}]);
    for (what, patch) in [
        ("an image", json!({"spec": {"containers": container}})),
        ("a label", json!({"metadata": {"labels": {"a": "b"}}})),
        ("an owner", json!({"metadata": {"ownerReferences": null}})),
        ("a finalizer", json!({"metadata": {"finalizers": ["example.com/x"]}})),
        ("an annotation", json!({"metadata": {"annotations": {"a": "b"}}})),
        ("an annotation gone", json!({"metadata": {"annotations": {"checksum/secrets": null}}})),
        ("a deadline", json!({"spec": {"activeDeadlineSeconds": 1}})),
    ] {
        let answer = pods.patch(&pod, &params, &Patch::Strategic(&patch)).await;
        let said = match answer {
            Err(kube::Error::Api(status)) => status.message.clone(),
            other => format!("{other:?}"),
        };
        assert!(said.contains("a session runner may only"), "{what}: {said}");
    }
    for component in ["api", "webhook-dispatcher"] {
        let other = pods_of(ground, component).await.remove(0);
        let answer = pods.patch(&other, &params, &cost("-1")).await;
        assert!(format!("{answer:?}").contains("may only touch session runners"), "{answer:?}");
    }
    let fine = pods.patch(&pod, &params, &cost("7")).await;
    assert!(fine.is_ok(), "{fine:?}");
    assert!(
        pods.patch(&pod, &params, &Patch::Merge(json!({"metadata": {"annotations": {COST: null}}})))
            .await
            .is_ok()
    );
}

/// What the API server says an account may do in the release's namespace, beyond what every account may.
async fn rules_of(ground: &Ground, account: &str) -> Vec<Value> {
    let everybodys = review(ground, "default").await;
    assert!(!everybodys.is_empty(), "every account may ask about itself");
    let mut rules = review(ground, account).await;
    rules.retain(|rule| !everybodys.contains(rule));
    rules.sort_by_key(Value::to_string);
    rules
}

async fn review(ground: &Ground, account: &str) -> Vec<Value> {
    let (client, _) = ground.as_account(account).await;
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client);
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(ground.namespace.clone()) },
        ..SelfSubjectRulesReview::default()
    };
    let answer = reviews.create(&PostParams::default(), &review).await;
    let rules = answer.ok().and_then(|answer| answer.status).map(|status| status.resource_rules);
    rules.unwrap_or_default().into_iter().map(|rule| serde_json::to_value(rule).unwrap_or_default()).collect()
}

async fn rules(ground: &Ground) {
    assert_eq!(
        rules_of(ground, RUNNER).await,
        [
            json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]}),
            json!({"apiGroups": ["apps"], "resourceNames": [RUNNER], "resources": ["deployments/scale"],
                   "verbs": ["get", "update"]}),
            json!({"apiGroups": ["coordination.k8s.io"], "resourceNames": [RUNNER], "resources": ["leases"],
                   "verbs": ["get", "update"]}),
        ]
    );
}

async fn others(ground: &Ground) {
    for component in ["api", "webhook-dispatcher", "migration"] {
        let account = format!("wa-wa-gateway-{component}");
        assert_eq!(rules_of(ground, &account).await, Vec::<Value>::new(), "{component}");
        let (client, _) = ground.as_account(&account).await;
        let pods: Api<Pod> = named(&client, &ground.namespace);
        denied("pods", pods.list(&ListParams::default()).await);
    }
}
