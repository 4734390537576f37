//! What the processes say of themselves: metrics that Prometheus can read, and traces that go through all of them.

use std::{collections::BTreeSet, fs, path::Path};

use e2e::{
    Behaviour, Gateway, Metrics, PATIENCE, Storage, World,
    cluster::{Member, Role, Shared, link},
    eventually, scrape,
};
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
