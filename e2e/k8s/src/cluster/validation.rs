//! Whatever the chart renders, the API server takes: every field is known and every value allowed.

use std::{env, fs};

use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams, ValidationDirective},
    core::GroupVersionKind,
    discovery::{self, Scope},
};
use serde_json::Value;

use super::Ground;
use crate::{
    chart::CASES,
    helm::{objects, template},
    manifests::{kind, name, text},
    suite::Suite,
};

pub(super) async fn check(suite: &mut Suite, ground: &Ground) {
    if ground.cluster.is_own() {
        suite.check("others' kinds: Gateway API and Prometheus operator", definitions(ground)).await;
    }
    for case in CASES {
        suite.check(&format!("the API server takes: {case}"), validate(ground, case)).await;
    }
    suite.check("a field that is none would be refused", unknown(ground)).await;
}

/// The definitions of resources in the files that `DEFINITIONS` names.
async fn definitions(ground: &Ground) {
    let files = env::var("DEFINITIONS").unwrap_or_default();
    assert!(!files.is_empty(), "DEFINITIONS names files with custom resource definitions");
    for file in files.split(':') {
        for object in objects(&fs::read_to_string(file).unwrap_or_default()) {
            let said = apply(ground, &object, false).await;
            assert_eq!(said, Ok(()), "{file}");
        }
    }
    let seen = async |version: &str, kind: &str| {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        discovery::pinned_kind(&ground.cluster.client, &GroupVersionKind::gvk(group, version, kind))
            .await
            .is_ok()
    };
    for (version, kind) in [
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
        ("monitoring.coreos.com/v1", "PrometheusRule"),
    ] {
        scratch::wait_for(super::PATIENCE, async || seen(version, kind).await).await;
    }
}

async fn validate(ground: &Ground, case: &str) {
    let text = template(case, &["--namespace", &ground.namespace]).text();
    for object in objects(&text) {
        let said = apply(ground, &object, true).await;
        assert_eq!(said, Ok(()), "{} {}", kind(&object), name(&object));
    }
}

async fn unknown(ground: &Ground) {
    let text = template("distributed", &["--namespace", &ground.namespace]).text();
    let mut deployment =
        objects(&text).into_iter().find(|object| kind(object) == "Deployment").unwrap_or_default();
    deployment["spec"]["template"]["spec"]["restartpolicy"] = "Always".into();
    let said = apply(ground, &deployment, true).await.err().unwrap_or_default();
    assert!(said.contains("restartpolicy"), "{said}");
}

/// Applies an object, or only asks whether it could be.
async fn apply(ground: &Ground, object: &Value, dry_run: bool) -> Result<(), String> {
    let (group, version) =
        text(object, "/apiVersion").rsplit_once('/').unwrap_or(("", text(object, "/apiVersion")));
    let known = GroupVersionKind::gvk(group, version, kind(object));
    let client = &ground.cluster.client;
    let (resource, capabilities) =
        discovery::pinned_kind(client, &known).await.map_err(|error| format!("{known:?}: {error}"))?;
    let api: Api<DynamicObject> = if capabilities.scope == Scope::Namespaced {
        Api::namespaced_with(client.clone(), &ground.namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let mut params = PatchParams::apply("wa-gateway-checks");
    params.dry_run = dry_run;
    params.field_validation = Some(ValidationDirective::Strict);
    let applied = api.patch(name(object), &params, &Patch::Apply(object)).await;
    drop(applied.map_err(|error| error.to_string())?);
    Ok(())
}
