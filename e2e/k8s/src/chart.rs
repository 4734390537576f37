//! The chart without a cluster: Helm lints and renders it, what cannot work is refused with what to do, and what comes
//! out is what was promised.

mod network;

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    helm::{self, lint, objects, template},
    manifests::{kind, list, name, of_kind, pod_templates, selects, text, the},
    suite::Suite,
};

/// Files under `values/`.
pub const CASES: &[&str] =
    &["single", "single-full", "distributed", "distributed-full", "one-secret", "evaluation"];

/// Runs all of it.
pub async fn check(suite: &mut Suite) {
    for case in CASES {
        suite.check(&format!("lint: {case}"), async { drop(lint(case).text()) }).await;
        suite.check(&format!("render: {case}"), async { render(case) }).await;
    }
    suite.check("a wrong value is refused, with what to do", async { refusals() }).await;
    suite.check("alerts and dashboard are those of docker/observability", async { monitoring() }).await;
    suite.check("the dispatcher reaches nothing private", async { network::check() }).await;
    suite.check("an autoscaled Deployment keeps its size", async { autoscaled() }).await;
    suite.check("another image is another migration", async { migrations() }).await;
    suite.check("secrets stand in Secrets only", async { secrets() }).await;
    suite.check("a package contains all of it", async { package() }).await;
}

fn rendered(case: &str, arguments: &[&str]) -> Vec<Value> {
    objects(&template(case, arguments).text())
}

/// What holds for everything that is rendered.
fn render(case: &str) {
    let objects = rendered(case, &[]);
    assert!(objects.len() >= 5, "{} objects", objects.len());
    for object in &objects {
        let what = format!("{} {}", kind(object), name(object));
        assert_eq!(text(object, "/metadata/labels/app.kubernetes.io~1instance"), "wa", "{what}");
        let everywhere = kind(object).starts_with("ValidatingAdmissionPolicy");
        assert_eq!(text(object, "/metadata/namespace"), if everywhere { "" } else { "messages" }, "{what}");
        assert!(name(object).len() <= 63, "{what}");
    }
    let known = known_settings();
    for (object, pod) in pod_templates(&objects) {
        restricted(object, pod);
        for container in list(pod, "/spec/containers") {
            for variable in list(container, "/env") {
                let set = text(variable, "/name");
                let bundled = text(pod, "/metadata/labels/app.kubernetes.io~1component") == "postgresql";
                assert!(bundled || known.contains(set), "{} sets {set}, which is no setting", name(object));
            }
        }
    }
    for service in of_kind(&objects, "Service") {
        let selector = &service["spec"]["selector"];
        let found = pod_templates(&objects).any(|(_, pod)| selects(selector, &pod["metadata"]["labels"]));
        assert!(found, "Service {} selects no pod", name(service));
    }
    for object in &objects {
        if let Some(selector) = object.pointer("/spec/selector/matchLabels")
            && let Some(labels) = object.pointer("/spec/template/metadata/labels")
        {
            assert!(selects(selector, labels), "{} does not select its own pods", name(object));
        }
    }
}

/// What the restricted Pod Security Standard asks for, and more.
fn restricted(object: &Value, pod: &Value) {
    let what = format!("{} {}", kind(object), name(object));
    let spec = &pod["spec"];
    assert_eq!(spec["securityContext"]["runAsNonRoot"], json!(true), "{what}");
    assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{what}");
    assert_eq!(spec["enableServiceLinks"], json!(false), "{what}");
    let scales = list(&spec["containers"][0], "/env")
        .iter()
        .any(|variable| variable["name"] == "AUTOSCALE_DEPLOYMENT");
    assert_eq!(spec["automountServiceAccountToken"], json!(scales), "{what}");
    for volume in list(spec, "/volumes") {
        assert!(volume.get("hostPath").is_none(), "{what}");
    }
    for container in list(spec, "/containers") {
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], json!(false), "{what}");
        assert_eq!(security["readOnlyRootFilesystem"], json!(true), "{what}");
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}), "{what}");
        let resources = &container["resources"];
        assert!(resources["requests"]["memory"].is_string(), "{what}");
        assert!(resources["limits"]["memory"].is_string(), "{what}");
        let ends = ["Job", "Pod"].contains(&kind(object));
        assert!(ends || container.get("readinessProbe").is_some(), "{what}");
    }
}

/// The names in docs/configuration.md, and what object stores read themselves.
fn known_settings() -> BTreeSet<String> {
    let groups = config::reference();
    groups.iter().flat_map(|(_, settings)| settings).map(|setting| setting.name.to_owned()).collect()
}

/// Arguments that cannot work, the case they are added to, and what must be said.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("single", "nonsense=1", "nonsense"),
    ("single", "image.repositori=x", "repositori"),
    ("single", "mode=triple", "mode"),
    ("single", "single.capacity=many", "capacity"),
    ("single", "single.replicas=-1", "replicas"),
    ("single", "image.digest=sha256:1", "digest"),
    ("single", "settings.lower_case=1", "lower_case"),
    ("single", "secrets.adminPassword.value=", "set secrets.adminPassword.existingSecret"),
    ("single", "secrets.adminPassword.value=admin", "everybody knows the password"),
    ("single", "secrets.adminPassword.existingSecret=x", "leave one of them empty"),
    ("single", "single.replicas=2", "SQLite serves only one process, and single.replicas is 2: set it to 1"),
    (
        "single-full",
        "single.replicas=2",
        "mode: single is one process, and single.replicas is 2: set it to 1",
    ),
    ("single", "secrets.natsUrl.value=nats://n", "leave secrets.natsUrl empty"),
    ("single", "sessionRunner.autoscaling.enabled=true", "nothing to scale"),
    ("single", "evaluation.nats.enabled=true", "leave evaluation off"),
    ("single", "media.existingClaim=x", "see single.persistence"),
    ("single", "settings.DATABASE_URL=postgres://x", "use secrets.databaseUrl"),
    ("single", "settings.ADMIN_PASSWORD=x", "use secrets.adminPassword"),
    ("single", "settings.NATS_PASSWORD=x", "use secrets.natsUrl"),
    ("single", "settings.DATA_DIR=/x", "the chart sets it"),
    ("single", "ingress.enabled=true", "set ingress.hosts"),
    ("single", "httpRoute.enabled=true", "set httpRoute.parentRefs"),
    ("single", "metrics.port=5001", "set another one"),
    ("single-full", "metrics.serviceMonitor.enabled=true", "set metrics.enabled to true"),
    (
        "distributed",
        "secrets.databaseUrl.value=",
        "needs a PostgreSQL: set secrets.databaseUrl.existingSecret",
    ),
    ("distributed", "secrets.databaseUrl.value=sqlite:x", "SQLite serves only one: set secrets.databaseUrl"),
    ("distributed", "secrets.databaseUrl.value=mysql://x", "databaseUrl"),
    ("distributed", "secrets.natsUrl.value=", "needs a NATS: set secrets.natsUrl.existingSecret"),
    ("distributed", "secrets.secretKeys.value=", "openssl rand -base64 32"),
    ("distributed", "secrets.mediaUrl.value=", "set secrets.mediaUrl to a bucket"),
    ("distributed", "media.persistence.enabled=true", "two places for files"),
    ("distributed", "evaluation.postgresql.enabled=true", "two databases"),
    ("distributed", "evaluation.nats.enabled=true", "two NATS"),
    ("evaluation", "evaluation.postgresql.password=", "set evaluation.postgresql.password"),
    ("distributed-full", "sessionRunner.autoscaling.minReplicas=21", "raise the one or lower the other"),
    ("distributed-full", "api.autoscaling.maxReplicas=1", "raise the one or lower the other"),
    ("distributed-full", "api.resources.requests.cpu=null", "set api.resources.requests.cpu"),
];

fn refusals() {
    for (case, argument, words) in REFUSALS {
        let output = template(case, &["--set", argument]);
        assert!(!output.success, "{case} with {argument} is not refused");
        assert!(output.err.contains(words), "{case} with {argument}: {}", output.err);
    }
}

fn monitoring() {
    let objects = rendered("distributed-full", &[]);
    let folder = helm::top().join("docker/observability");
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let rules: Value = serde_saphyr::from_str(&read("alerts.yaml")).unwrap_or_default();
    assert!(list(&rules, "/groups").len() > 2, "the alerts of docker/observability");
    assert_eq!(the(&objects, "PrometheusRule", "wa-gateway")["spec"], rules);
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap_or_default();
    assert!(list(&dashboard, "/panels").len() > 5, "the dashboard of docker/observability");
    let ours = text(the(&objects, "ConfigMap", "-dashboard"), "/data/wa-gateway.json");
    assert_eq!(serde_json::from_str::<Value>(ours).unwrap_or_default(), dashboard);
}

/// Helm must not set a size that another has chosen.
fn autoscaled() {
    let size = |case: &str, ending: &str| {
        the(&rendered(case, &[]), "Deployment", ending)["spec"].get("replicas").cloned()
    };
    for ending in ["-api", "-session-runner"] {
        assert_eq!(size("distributed-full", ending), None);
        assert_eq!(size("distributed", ending), Some(json!(2)));
    }
    let objects = rendered("distributed-full", &[]);
    let role = the(&objects, "Role", "-session-runner");
    assert_eq!(
        role["rules"],
        json!([
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
             "resourceNames": ["wa-wa-gateway-session-runner"], "verbs": ["get", "update"]},
            {"apiGroups": ["apps"], "resources": ["deployments/scale"],
             "resourceNames": ["wa-wa-gateway-session-runner"], "verbs": ["get", "update"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]},
        ])
    );
    assert_eq!(of_kind(&rendered("distributed", &[]), "Role").count(), 0, "without it nobody has rights");
}

fn migrations() {
    let job = |arguments: &[&str]| {
        let objects = rendered("distributed", arguments);
        of_kind(&objects, "Job").map(|job| name(job).to_owned()).collect::<Vec<_>>()
    };
    let before = job(&[]);
    assert_eq!((before.len(), &before), (1, &job(&["--set", "api.replicas=5"])));
    assert_ne!(before, job(&["--set", "image.tag=other"]));
}

fn secrets() {
    for case in CASES {
        let text = template(case, &[]).text();
        let written = ["a-password", "3q2+7w", "postgres://wa:word", "key-of-webhooks", "forTrying"];
        for object in objects(&text).iter().filter(|object| kind(object) != "Secret") {
            let said = object.to_string();
            for secret in written {
                assert!(!said.contains(secret), "{case}: {} {} tells {secret}", kind(object), name(object));
            }
        }
    }
}

fn package() {
    let folder = scratch::Dir::new();
    let (chart, to) = (helm::chart().display().to_string(), folder.path().display().to_string());
    let said = helm::helm(None, &["package", &chart, "--destination", &to]).text();
    let file = said.trim().rsplit(' ').next().unwrap_or_default();
    let shown = helm::helm(
        None,
        &["template", "wa", file, "--kube-version", "1.37.0", "--values", &helm::values("distributed-full")],
    );
    let objects = objects(&shown.text());
    let rules = &the(&objects, "PrometheusRule", "wa-gateway")["spec"];
    assert!(list(rules, "/groups").len() > 2, "the alerts are in the package");
}
