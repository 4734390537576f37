//! A process of its own: what a span costs depends on everybody who listens in the same process.
#![cfg(test)]

use telemetry::{Format, Logs, Process, TelemetryOptions, span, trace};

fn asked() -> u64 {
    panic!("a field was evaluated")
}

#[test]
fn without_a_collector_a_span_costs_nothing() {
    let telemetry = telemetry::init(&TelemetryOptions {
        logs: Logs { format: Format::Json, colours: false, filter: Some("trace".to_owned()) },
        process: Process { role: "all", version: "1", instance: "here".to_owned() },
        traces: None,
        metrics: None,
        scraped: true,
    })
    .unwrap();
    for _ in 0..2 {
        let span = span!("server", "request", never = asked());
        assert!(span.is_disabled(), "whatever RUST_LOG says");
        trace::follow(&span, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert_eq!(span.in_scope(trace::current), None);
    }
    telemetry::metrics().runner_lease_losses.one();
    let text = telemetry.scraper().unwrap().text();
    assert!(text.contains("\nwa_gateway_runner_lease_losses_total 1\n"), "{text}");
    assert!(text.contains("\nwa_gateway_webhook_dead_total 0\n"), "{text}");
    assert!(text.contains("wa_gateway_build_info{role=\"all\",version=\"1\"} 1"), "{text}");
}
