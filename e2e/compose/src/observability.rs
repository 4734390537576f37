//! What the profile `observability` sees of both gateways: metrics of every process, our rules, what our dashboard
//! asks for, and a text's way through the processes.

use std::collections::BTreeSet;

use e2e::{Rest, eventually};
use http::{HeaderName, Method};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::{
    checks::{BUDI, PATIENCE},
    say,
    stack::Stack,
};

/// Every process of ours that Prometheus is to find, as job and role.
const PROCESSES: [(&str, &str); 8] = [
    ("wa-gateway", "api"),
    ("wa-gateway", "session-runner"),
    ("wa-gateway", "session-runner"),
    ("wa-gateway", "webhook-dispatcher"),
    ("wa-gateway-demo", "api"),
    ("wa-gateway-demo", "session-runner"),
    ("wa-gateway-demo", "session-runner"),
    ("wa-gateway-demo", "webhook-dispatcher"),
];

const RULES: &str = include_str!("../../../docker/observability/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../docker/observability/grafana-dashboard.json");

/// A trace that begins with us, and what has to be in it: who made which span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPANS: [(&str, &str); 3] = [
    ("wa-gateway-api", "POST /message/send-text"),
    ("wa-gateway-api", "bus request"),
    ("wa-gateway-session-runner", "send message"),
];
/// What comes in begins a trace of its own, which both processes are in.
const INBOUND: [(&str, &str); 2] =
    [("wa-gateway-session-runner", "receive messages"), ("wa-gateway-webhook-dispatcher", "POST webhook")];

/// Everything that can be had here of what watches, watches.
pub async fn watched(stack: &Stack<'_>) {
    if stack.has("otel-collector") {
        traced(stack).await;
    }
    if stack.has("prometheus") {
        scraped(&stack.prometheus).await;
        judged(&stack.prometheus).await;
        shown(&stack.prometheus).await;
    }
}

/// The collector is told about a text by every process that it passes.
async fn traced(stack: &Stack<'_>) {
    let body = json!({"session": "anna", "to": BUDI, "text": "traced"});
    let call = stack.demo.call(Method::POST, "/message/send-text").json(&body);
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let answer = call.header(HeaderName::from_static("traceparent"), &parent).answered().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    eventually("a text's trace at the collector", PATIENCE, async || {
        let spans = spans(&stack.logs("otel-collector"));
        let out = SPANS.iter().all(|(service, name)| spans.contains(&span(service, name, TRACE)));
        let inbound = INBOUND.map(|(service, name)| {
            let of = |(from, what, trace): &(String, String, String)| {
                (from == service && what == name).then(|| trace.clone())
            };
            spans.iter().filter_map(of).collect::<BTreeSet<_>>()
        });
        let [received, sent] = inbound;
        (out && received.intersection(&sent).next().is_some()).then_some(())
    })
    .await;
    say(
        "the collector has a text's trace out, from the request to WhatsApp's answer, and one in, to the webhook's",
    );
}

fn span(service: &str, name: &str, trace: &str) -> (String, String, String) {
    (service.to_owned(), name.to_owned(), trace.to_owned())
}

/// Service, name and trace of each span that the collector's exporter `debug` has written: a line for whom they are
/// from, then one for each.
fn spans(logs: &str) -> BTreeSet<(String, String, String)> {
    let mut service = "";
    let mut spans = BTreeSet::new();
    for line in logs.lines() {
        if line.contains("ResourceTraces #") {
            let named = line.split(' ').find_map(|word| word.strip_prefix("service.name="));
            service = named.unwrap_or_default();
        }
        let words: Vec<_> = line.split(' ').collect();
        let trace = words
            .iter()
            .position(|word| word.len() == TRACE.len() && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(at) = trace {
            let (name, rest) = words.split_at(at);
            spans.insert(span(service, &name.join(" "), rest.first().unwrap_or(&"")));
        }
    }
    spans
}

/// Prometheus finds every process, and each says what it is.
async fn scraped(prometheus: &Rest) {
    eventually("metrics of every process", PATIENCE, async || {
        let answer = prometheus.call(Method::GET, "/api/v1/targets?state=active").send().await.ok()?;
        let targets = answer.json["data"]["activeTargets"].as_array()?;
        let up = targets.len() == PROCESSES.len() && targets.iter().all(|target| target["health"] == "up");
        up.then_some(())
    })
    .await;
    eventually("the role of every process", PATIENCE, async || {
        let found = query(prometheus, "wa_gateway_build_info").await;
        let label =
            |series: &Value, name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> =
            found.iter().map(|series| (label(series, "job"), label(series, "role"))).collect();
        found.sort_unstable();
        let expected = PROCESSES.map(|(job, role)| (job.to_owned(), role.to_owned()));
        (found == expected).then_some(())
    })
    .await;
    say(format_args!("Prometheus reads the metrics of all {} processes", PROCESSES.len()));
}

/// It has all of our rules and works them out.
async fn judged(prometheus: &Rest) {
    let written = RULES.lines().filter(|line| line.trim_start().starts_with("- alert:")).count();
    eventually("all rules worked out", PATIENCE, async || {
        let answer = prometheus.get("/api/v1/rules").await;
        let groups = answer.json["data"]["groups"].as_array().cloned().unwrap_or_default();
        let rules: Vec<_> = groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
        let broken = rules.iter().find(|rule| rule["health"] == "err");
        assert!(broken.is_none(), "{broken:?}");
        (rules.len() == written && rules.iter().all(|rule| rule["health"] == "ok")).then_some(())
    })
    .await;
    say(format_args!("Prometheus works out all {written} alerts"));
}

/// It understands whatever the dashboard asks for. What there is none of (a lost lease, a failed message) has no series.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
async fn shown(prometheus: &Rest) {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().cloned().unwrap_or_default();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let asked: Vec<_> = targets.filter_map(|target| target["expr"].as_str()).collect();
    let answered = eventually("most of what the dashboard shows", PATIENCE, async || {
        let mut answered = 0;
        for expression in &asked {
            let expression = expression.replace("$namespace", ".*").replace("$__rate_interval", "1m");
            answered += usize::from(!query(prometheus, &expression).await.is_empty());
        }
        (answered * 2 > asked.len()).then_some(answered)
    })
    .await;
    say(format_args!("{answered} of the dashboard's {} questions have an answer already", asked.len()));
}

/// What an expression gives.
async fn query(prometheus: &Rest, expression: &str) -> Vec<Value> {
    let form = Serializer::new(String::new()).append_pair("query", expression).finish();
    let call = prometheus.call(Method::POST, "/api/v1/query");
    let answer = call.body("application/x-www-form-urlencoded", form).answered().await;
    assert_eq!(answer.json["status"], "success", "{expression}: {}", answer.text);
    answer.json["data"]["result"].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_from_the_collectors_words() {
        let logs = format!(
            "2026-11-22T10:00:00.000Z\tinfo\tResourceTraces #0 service.name=wa-gateway-api service.version=0.1.0\n\
             ScopeTraces #0 wa-gateway\n\
             POST /message/send-text {TRACE} 00f067aa0ba902b7 http.route=/message/send-text\n\
             \t{{\"resource\": {{}}}}\n\
             2026-11-22T10:00:01.000Z\tinfo\tMetrics"
        );
        let expected = span("wa-gateway-api", "POST /message/send-text", TRACE);
        assert_eq!(spans(&logs), BTreeSet::from([expected]));
    }
}
