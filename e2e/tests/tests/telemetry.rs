//! What the processes say of themselves: metrics that Prometheus can read, and traces that go through all of them.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use e2e::{
    Answer, Behaviour, Collector, Gateway, Metrics, PATIENCE, Span, Storage, Webhook, World,
    cluster::{Member, Role, Shared, link},
    eventually, scrape,
};
use http::{HeaderName, Method};
use rstest::rstest;
use scratch::{free_port, nats_url, postgres_url};
use serde_json::json;

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

/// The metrics of the documentation, and those of every process.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/telemetry.md");
    let text = fs::read_to_string(path).unwrap();
    let table = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let mut names: BTreeSet<String> = table
        .filter(|(_, rest)| ["counter |", "gauge |", "histogram |"].iter().any(|kind| rest.starts_with(kind)))
        .map(|(name, _)| name.to_owned())
        .collect();
    let own = ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "start_time_seconds"];
    names.extend(own.map(|name| format!("process_{name}")));
    names
}

/// Waits until a process reports at least so much of something.
async fn reported(port: u16, name: &str, labels: &[(&str, &str)], at_least: f64) -> Metrics {
    eventually(&format!("{name} of {at_least}"), PATIENCE, async || {
        let metrics = scrape(port).await;
        metrics.value(name, labels).is_some_and(|value| value >= at_least).then_some(metrics)
    })
    .await
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn one_process_reports_everything(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let port = free_port();
    let mut gateway = Gateway::start_with(&world, &[("METRICS_ADDR", &format!("127.0.0.1:{port}"))]).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    world.webhooks.behave(|webhook| Behaviour::Answer(if webhook.attempt == 1 { 503 } else { 200 }));
    gateway.send("shop", THEIRS, "halo", "1").await;
    contact.next_message(PATIENCE).await.unwrap();
    contact.send_text(OURS, "terima kasih").await.unwrap();
    gateway.get("/no/such/route").await;

    reported(port, "wa_gateway_webhook_duration_seconds_count", &[("class", "2xx")], 1.0).await;
    reported(port, "wa_gateway_sessions_connected", &[], 1.0).await;
    let metrics = reported(port, "wa_gateway_messages_received_total", &[], 1.0).await;
    let has = |name: &str, labels: &[(&str, &str)], expected: f64| {
        assert_eq!(metrics.value(name, labels), Some(expected), "{name} {labels:?}");
    };
    let some = |name: &str, labels: &[(&str, &str)]| {
        assert!(metrics.value(name, labels).is_some_and(|value| value > 0.0), "{name} {labels:?}");
    };
    has("wa_gateway_build_info", &[("role", "all"), ("version", env!("CARGO_PKG_VERSION"))], 1.0);
    has("wa_gateway_messages_accepted_total", &[("kind", "text")], 1.0);
    has("wa_gateway_messages_sent_total", &[("kind", "text")], 1.0);
    has("wa_gateway_send_duration_seconds_count", &[("outcome", "sent")], 1.0);
    has("wa_gateway_outbound_lag_seconds_count", &[], 1.0);
    has("wa_gateway_messages_received_total", &[("replayed", "false")], 1.0);
    has("wa_gateway_runner_sessions", &[], 1.0);
    has("wa_gateway_sessions_expected", &[], 1.0);
    has("wa_gateway_sessions_needing_person", &[], 0.0);
    has("wa_gateway_runners", &[("accepting", "true")], 1.0);
    has("wa_gateway_bus_connected", &[], 1.0);
    // There before anything happened: else the first time would not count.
    has("wa_gateway_runner_lease_losses_total", &[], 0.0);
    has("wa_gateway_webhook_dead_total", &[], 0.0);
    some("wa_gateway_session_transitions_total", &[("state", "connected")]);
    some("wa_gateway_session_connects_total", &[("result", "connected")]);
    some("wa_gateway_webhook_duration_seconds_count", &[("class", "5xx")]);
    some("wa_gateway_database_commit_duration_seconds_count", &[]);
    some("wa_gateway_bus_request_duration_seconds_count", &[("outcome", "answered")]);
    some("wa_gateway_runner_lease_renewal_duration_seconds_count", &[]);
    some("process_resident_memory_bytes", &[]);
    some("process_cpu_seconds_total", &[]);
    let route = [("http_request_method", "POST"), ("http_route", "/message/send-text")];
    some("http_server_request_duration_seconds_count", &route);
    let nowhere = [("http_route", "none"), ("http_response_status_code", "404")];
    some("http_server_request_duration_seconds_count", &nowhere);

    let documented = documented();
    for (name, (kind, help)) in &metrics.families {
        assert!(documented.contains(name), "{name} ({kind}: {help}) is not in docs/telemetry.md");
        assert!(!kind.is_empty() && !help.is_empty(), "{name}");
    }
    assert!(metrics.series() < 1500, "{} series", metrics.series());
    assert!(gateway.get("/metrics").await.status == 404, "only at an address of its own");
    gateway.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_said() {
    let world = World::new(Storage::Sqlite).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gateway = Gateway::prepare(&world);
    gateway.set("METRICS_ADDR", &taken.local_addr().unwrap().to_string());
    let exit = gateway.run_to_its_end().await;
    assert_eq!(exit.code, Some(1), "{}", exit.said);
    assert!(exit.said.contains("METRICS_ADDR: cannot listen on"), "{}", exit.said);
}

fn shared(world: &World, prefix: &str) -> Shared {
    Shared {
        database: postgres_url().unwrap(),
        nats: nats_url().unwrap(),
        whatsapp: world.whatsapp.chat_url(),
        webhooks: world.webhooks.url(),
        settings: vec![("NATS_PREFIX".to_owned(), prefix.to_owned())],
    }
}

/// A process that can be scraped.
async fn scraped(shared: &Shared, role: Role, name: &str) -> (Member, u16) {
    let mut member = Member::prepare(shared, role, name).await;
    let port = free_port();
    member.set("METRICS_ADDR", &format!("127.0.0.1:{port}"));
    member.up().await;
    (member, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dispatcher_counts_for_all_and_another_takes_over() {
    let world = World::new(Storage::Postgres).await;
    let shared = shared(&world, "census");
    let (api, api_port) = scraped(&shared, Role::Api, "api").await;
    let (runner, runner_port) = scraped(&shared, Role::SessionRunner, "runner").await;
    let (mut first, first_port) = scraped(&shared, Role::WebhookDispatcher, "first").await;
    link(&api.rest(), &world.whatsapp, "shop", OURS).await;
    reported(first_port, "wa_gateway_sessions_connected", &[], 1.0).await;
    let (second, second_port) = scraped(&shared, Role::WebhookDispatcher, "second").await;
    for port in [api_port, runner_port, second_port] {
        let metrics = scrape(port).await;
        assert_eq!(metrics.value("wa_gateway_sessions_connected", &[]), None, "one counts for all");
        assert!(metrics.value("wa_gateway_bus_connected", &[]).is_some());
    }
    let (code, _) = first.terminate().await;
    assert_eq!(code, Some(0), "{}", first.log());
    reported(second_port, "wa_gateway_sessions_connected", &[], 1.0).await;
    drop((api, runner, second));
}

/// All services, sending their traces to one collector.
struct Traced {
    world: World,
    collector: Collector,
    shared: Shared,
    api: Member,
    dispatcher: Member,
}

impl Traced {
    async fn start(prefix: &str, settings: &[(&str, &str)]) -> Self {
        let world = World::new(Storage::Postgres).await;
        let collector = Collector::start().await;
        let mut shared = shared(&world, prefix);
        let own = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
            ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "500".to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ];
        shared.settings.extend(own.map(|(name, value)| (name.to_owned(), value)));
        shared
            .settings
            .extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let api = Member::prepare(&shared, Role::Api, "api").await;
        let dispatcher = Member::prepare(&shared, Role::WebhookDispatcher, "dispatcher").await;
        let mut traced = Self { world, collector, shared, api, dispatcher };
        traced.api.up().await;
        traced.dispatcher.up().await;
        traced
    }

    async fn runner(&self, name: &str) -> Member {
        let mut runner = Member::prepare(&self.shared, Role::SessionRunner, name).await;
        runner.up().await;
        runner
    }

    /// Sends a text within a trace of the caller's.
    async fn send(&self, text: &str, traceparent: &str) -> Answer {
        let rest = self.api.rest();
        let call = rest
            .call(Method::POST, "/message/send-text")
            .header(HeaderName::from_static("traceparent"), traceparent);
        call.json(&json!({"session": "shop", "to": THEIRS, "text": text})).answered().await
    }

    /// Waits for a span of a trace.
    async fn span(&self, trace: &str, name: &str, fits: impl Fn(&Span) -> bool) -> Span {
        eventually(&format!("the span {name:?} in {trace}"), PATIENCE, async || {
            self.collector.trace(trace).into_iter().find(|span| span.name == name && fits(span))
        })
        .await
    }

    /// The spans of a trace, once each of them goes back to `root` step by step.
    async fn tree(&self, trace: &str, root: &str) -> Vec<Span> {
        eventually(&format!("every parent in {trace}"), PATIENCE, async || {
            let spans = self.collector.trace(trace);
            let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
            let rooted = |span: &Span| span.parent == root || ids.contains(span.parent.as_str());
            spans.iter().all(rooted).then(|| spans.clone())
        })
        .await
    }
}

const CALLER: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_from_the_request_to_whatsapps_acknowledgement() {
    let traced = Traced::start("trace-out", &[]).await;
    let runner = traced.runner("runner").await;
    link(&traced.api.rest(), &traced.world.whatsapp, "shop", OURS).await;
    let contact = traced.world.contact(THEIRS).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let answer = traced.send("halo", &format!("00-{trace}-{CALLER}-01")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    contact.next_message(PATIENCE).await.unwrap();

    let request = traced.span(trace, "POST /message/send-text", |_| true).await;
    let sent = traced.span(trace, "send message", |_| true).await;
    let heard = traced.span(trace, "session command", |span| span.attribute("command") == "send").await;
    let checked =
        traced.span(trace, "session command", |span| span.attribute("command") == "check_numbers").await;
    assert_eq!((request.service.as_str(), request.parent.as_str()), ("wa-gateway-api", CALLER));
    assert_eq!(request.attribute("http.route"), "/message/send-text");
    assert_eq!(request.attribute("http.response.status_code"), "200");
    for span in [&sent, &heard, &checked] {
        assert_eq!(span.service, "wa-gateway-session-runner", "{span:?}");
    }
    assert_eq!(sent.attribute("message.id"), answer.json["data"]["id"].as_str().unwrap());
    assert!(
        !sent.failed && sent.ended <= request.ended && sent.began >= request.began,
        "{sent:?} {request:?}"
    );
    // The commands went through a span of the asker's for the bus; the message itself through its row.
    let over = eventually("the spans of the bus", PATIENCE, async || {
        let spans = traced.collector.trace(trace);
        let over = |span: &Span| spans.iter().find(|other| other.id == span.parent).cloned();
        over(&heard).zip(over(&checked))
    })
    .await;
    assert_eq!((over.0.name.as_str(), over.0.service.as_str()), ("bus request", "wa-gateway-api"));
    assert_ne!(over.0.id, over.1.id);
    assert_eq!(sent.parent, request.id);
    let spans = traced.tree(trace, CALLER).await;
    assert!(!format!("{spans:?}").contains("halo"), "texts are no part of a trace");
    assert!(!format!("{spans:?}").contains(THEIRS), "numbers are no part of a trace");
    for (service, name) in [
        ("wa-gateway-api", "http.server.request.duration"),
        ("wa-gateway-session-runner", "wa_gateway.messages.sent"),
        ("wa-gateway-webhook-dispatcher", "wa_gateway.sessions.connected"),
    ] {
        eventually(&format!("{name} of {service}"), PATIENCE, async || {
            traced.collector.has_metric(service, name).then_some(())
        })
        .await;
    }
    drop(runner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_for_another_runner_stays_in_its_trace() {
    let traced = Traced::start("trace-late", &[]).await;
    let mut first = traced.runner("first").await;
    link(&traced.api.rest(), &traced.world.whatsapp, "shop", OURS).await;
    let contact = traced.world.contact(THEIRS).await;
    let (code, _) = first.terminate().await;
    assert_eq!(code, Some(0), "{}", first.log());
    let (kept, left) = ("0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319d");
    let answer = traced.send("late", &format!("00-{kept}-{CALLER}-01")).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    // The caller does not keep this one, and neither does anybody behind.
    let answer = traced.send("unseen", &format!("00-{left}-{CALLER}-00")).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let second = traced.runner("second").await;
    for text in ["late", "unseen"] {
        assert_eq!(contact.next_message(PATIENCE).await.unwrap().text.as_deref(), Some(text));
    }
    let request = traced.span(kept, "POST /message/send-text", |_| true).await;
    let sent = traced.span(kept, "send message", |span| !span.failed).await;
    assert_eq!(sent.parent, request.id);
    assert!(sent.began > request.ended, "it went out long after the answer");
    traced.tree(kept, CALLER).await;
    drop(second);
    assert_eq!(traced.collector.trace(left), [], "what the caller does not keep is not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_from_whatsapps_message_to_the_webhooks_answer() {
    let traced = Traced::start("trace-in", &[]).await;
    let runner = traced.runner("runner").await;
    link(&traced.api.rest(), &traced.world.whatsapp, "shop", OURS).await;
    let contact = traced.world.contact(THEIRS).await;
    let failing = |webhook: &Webhook| webhook.path == "/message" && webhook.attempt == 1;
    traced.world.webhooks.behave(move |webhook| Behaviour::Answer(if failing(webhook) { 503 } else { 200 }));
    contact.send_text(OURS, "terima kasih").await.unwrap();
    let second = eventually("a second attempt", PATIENCE, async || {
        traced.world.webhooks.messages().into_iter().find(|webhook| webhook.attempt == 2)
    })
    .await;
    let first = traced.world.webhooks.messages().remove(0);
    let context = |webhook: &Webhook| {
        let header = webhook.headers.get("traceparent").expect("a traceparent").to_str().unwrap().to_owned();
        let parts: Vec<_> = header.split('-').map(str::to_owned).collect();
        (parts[1].clone(), parts[2].clone())
    };
    let (trace, id) = context(&second);
    assert_eq!(context(&first).0, trace, "both attempts are of one trace");
    let delivered = traced.span(&trace, "POST webhook", |span| !span.failed).await;
    let refused = traced.span(&trace, "POST webhook", |span| span.failed).await;
    assert_eq!((&delivered.id, &refused.id), (&id, &context(&first).1), "the receiver joins at the attempt");
    assert_eq!((delivered.attribute("attempt"), refused.attribute("attempt")), ("2", "1"));
    assert_eq!(refused.attribute("http.response.status_code"), "503");
    let received = traced.span(&trace, "receive messages", |_| true).await;
    let stored = traced.span(&trace, "commit messages", |_| true).await;
    assert_eq!((received.service.as_str(), received.parent.as_str()), ("wa-gateway-session-runner", ""));
    assert_eq!(stored.parent, received.id);
    for span in [&delivered, &refused] {
        assert_eq!((&span.parent, span.service.as_str()), (&stored.id, "wa-gateway-webhook-dispatcher"));
    }
    let spans = traced.tree(&trace, "").await;
    assert!(!format!("{spans:?}").contains("terima"), "texts are no part of a trace");
    // The log line about the failure names the trace.
    let log = traced.dispatcher.log();
    let line = log.lines().find(|line| line.contains("webhook attempt failed")).expect("a line about it");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["trace_id"], &line["span_id"]), (&json!(trace), &json!(refused.id)), "{line}");
    drop(runner);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_there_are_no_traces() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    contact.send_text(OURS, "halo").await.unwrap();
    let webhook = world.webhooks.text("halo", PATIENCE).await;
    assert!(webhook.headers.get("traceparent").is_none(), "{:?}", webhook.headers);
    gateway.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_nothing_up() {
    let world = World::new(Storage::Sqlite).await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let mut gateway = Gateway::start_with(&world, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &nowhere)]).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    gateway.send("shop", THEIRS, "halo", "1").await;
    contact.next_message(PATIENCE).await.unwrap();
    let began = Instant::now();
    gateway.terminate().await;
    assert!(began.elapsed() < Duration::from_secs(20), "a stop took {:?}", began.elapsed());
}
