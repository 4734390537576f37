//! Every metric, in one table: its name, its labels, who reports it, what it says.
//!
//! [`metrics`] is the process's own, as the subscriber of `tracing` is. Until [`init`](crate::init), and when nobody
//! asks for metrics, its instruments do nothing.
//!
//! To add one, add a line to the table and run `UPDATE_DOCS=1 cargo test -p telemetry`, which writes the table of
//! `docs/telemetry.md` anew. Labels have few values, ever: no session, no user, no address.

mod instrument;
mod process;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use opentelemetry::global;

use instrument::Instrument;
pub use instrument::{Counter, Gauge, Histogram, Kind, Spec};

/// Whose metrics they are.
const METER: &str = "wa-gateway";

macro_rules! table {
    ($(
        #[doc = $help:literal]
        $field:ident: $instrument:ident [$($label:literal),*] = $name:literal in $unit:literal by $by:ident
            $(, buckets $buckets:expr)?;
    )+) => {
        /// The metrics of this process.
        #[derive(Debug)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: $instrument<{ <[&str]>::len(&[$($label),*]) }>,)+
        }

        impl Metrics {
            fn build() -> Self {
                let meter = global::meter(METER);
                let mut specs = SPECS.iter();
                Self { $($field: Instrument::build(next(&mut specs, $name), &meter),)+ }
            }
        }

        /// The table, as data.
        pub const SPECS: &[Spec] = &[$(
            Spec {
                name: $name,
                unit: $unit,
                by: $by,
                help: $help.trim_ascii(),
                labels: &[$($label),*],
                buckets: first(&[$($buckets)?]),
                kind: <$instrument<{ <[&str]>::len(&[$($label),*]) }> as Instrument>::KIND,
            },
        )+];
    };
}

const fn first(buckets: &[&'static [f64]]) -> &'static [f64] {
    if let Some(first) = buckets.first() { first } else { &[] }
}

/// The next line of the table, which is the one of that name: both come from the same list.
fn next<'a>(specs: &mut impl Iterator<Item = &'a Spec>, name: &str) -> &'a Spec {
    let spec = specs.next().filter(|spec| spec.name == name);
    spec.unwrap_or(&SPECS[0])
}

const EVERY: &str = "every process";
const API: &str = "api";
const RUNNER: &str = "session-runner";
const DISPATCHER: &str = "webhook-dispatcher";
const ONE: &str = "one webhook-dispatcher";

/// From a request to its answer.
const ANSWERS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// From something that happened to the moment at which it was dealt with: after a pause of the other side, days.
const LAGS: &[f64] =
    &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 21600.0, 86400.0];
const COMMITS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

table! {
    /// Requests to the API by route and status, and how long they took until the answer began.
    http_requests: Histogram ["http.request.method", "http.route", "http.response.status_code"] = "http.server.request.duration" in "s" by API, buckets ANSWERS;
    /// Messages that were accepted: stored, to be sent.
    messages_accepted: Counter ["kind"] = "wa_gateway.messages.accepted" in "{message}" by API;
    /// Messages that WhatsApp's server has acknowledged.
    messages_sent: Counter ["kind"] = "wa_gateway.messages.sent" in "{message}" by RUNNER;
    /// Messages that will not be sent, by the code that the API shows.
    messages_failed: Counter ["code"] = "wa_gateway.messages.failed" in "{message}" by RUNNER;
    /// One try to send: from handing a message to the client to WhatsApp's acknowledgement (`sent`), to an error after which it goes again (`again`), or to the last word (`failed`).
    send_duration: Histogram ["outcome"] = "wa_gateway.send.duration" in "s" by RUNNER, buckets ANSWERS;
    /// From accepting a message to WhatsApp's acknowledgement, all waiting included.
    outbound_lag: Histogram [] = "wa_gateway.outbound.lag" in "s" by RUNNER, buckets LAGS;
    /// Messages that came in and are stored; `replayed`: from WhatsApp's offline queue.
    messages_received: Counter ["replayed"] = "wa_gateway.messages.received" in "{message}" by RUNNER;
    /// From WhatsApp's time of a message to its commit here, but for replayed ones.
    inbound_lag: Histogram [] = "wa_gateway.inbound.lag" in "s" by RUNNER, buckets LAGS;
    /// Times that messages which came in could not be stored; WhatsApp sends them again.
    inbound_failures: Counter [] = "wa_gateway.inbound.failures" in "{failure}" by RUNNER;
    /// Sessions that this process holds.
    runner_sessions: Gauge [] = "wa_gateway.runner.sessions" in "{session}" by RUNNER;
    /// Times that this process lost its lease and cut all its sessions.
    runner_lease_losses: Counter [] = "wa_gateway.runner.lease.losses" in "{loss}" by RUNNER;
    /// One renewal of the lease, successful or not.
    runner_lease_renewal: Histogram [] = "wa_gateway.runner.lease.renewal.duration" in "s" by RUNNER, buckets COMMITS;
    /// Sessions that this process lost to another runner without having given them.
    session_lease_losses: Counter [] = "wa_gateway.session.lease.losses" in "{loss}" by RUNNER;
    /// Changes of sessions' states, by the state after it.
    session_transitions: Counter ["state"] = "wa_gateway.session.transitions" in "{transition}" by RUNNER;
    /// Attempts to connect to WhatsApp: `connected` or `failed`.
    session_connects: Counter ["result"] = "wa_gateway.session.connects" in "{attempt}" by RUNNER;
    /// Connections that were lost and are made anew.
    session_reconnects: Counter [] = "wa_gateway.session.reconnects" in "{connection}" by RUNNER;
    /// Attempts to deliver webhooks, by their answer: `2xx` to `5xx`, or `none`; and how long they took.
    webhook_duration: Histogram ["class"] = "wa_gateway.webhook.duration" in "s" by DISPATCHER, buckets ANSWERS;
    /// From storing an event to a webhook of it that was answered well.
    webhook_lag: Histogram [] = "wa_gateway.webhook.lag" in "s" by DISPATCHER, buckets LAGS;
    /// Deliveries that were given up.
    webhooks_dead: Counter [] = "wa_gateway.webhook.dead" in "{delivery}" by DISPATCHER;
    /// Deliveries that this process has in hand: queued, being sent, being settled.
    dispatcher_in_hand: Gauge [] = "wa_gateway.dispatcher.in_hand" in "{delivery}" by DISPATCHER;
    /// Group commits: from the beginning of the transaction to the end of the commit.
    commit_duration: Histogram [] = "wa_gateway.database.commit.duration" in "s" by EVERY, buckets COMMITS;
    /// Writes that shared one group commit.
    commit_writes: Histogram [] = "wa_gateway.database.commit.writes" in "{write}" by EVERY, buckets BATCHES;
    /// Group commits that failed.
    commit_failures: Counter [] = "wa_gateway.database.commit.failures" in "{commit}" by EVERY;
    /// Writes that waited for the last group commit to end.
    commit_queue: Gauge [] = "wa_gateway.database.commit.queue" in "{write}" by EVERY;
    /// Commands over the bus, by outcome: `answered`, or why not.
    bus_requests: Histogram ["outcome"] = "wa_gateway.bus.request.duration" in "s" by EVERY, buckets ANSWERS;
    /// 1 while the process reaches NATS, or needs none.
    bus_connected: Gauge [] = "wa_gateway.bus.connected" in "" by EVERY;
    /// Sessions by state.
    sessions: Gauge ["state"] = "wa_gateway.sessions" in "{session}" by ONE;
    /// Sessions that should be on line: their owners want it, and they were linked.
    sessions_expected: Gauge [] = "wa_gateway.sessions.expected" in "{session}" by ONE;
    /// Of those expected, the ones that are on line.
    sessions_connected: Gauge [] = "wa_gateway.sessions.connected" in "{session}" by ONE;
    /// Of those expected, the ones that only a person can bring back.
    sessions_needing_person: Gauge [] = "wa_gateway.sessions.needing_person" in "{session}" by ONE;
    /// Sessions that should be held by a runner and are not.
    sessions_unclaimed: Gauge [] = "wa_gateway.sessions.unclaimed" in "{session}" by ONE;
    /// Runners with a lease; `accepting`: they take sessions.
    runners: Gauge ["accepting"] = "wa_gateway.runners" in "{runner}" by ONE;
    /// Sessions that the runners which take sessions can hold in all.
    runners_capacity: Gauge [] = "wa_gateway.runners.capacity" in "{session}" by ONE;
    /// Messages that are still to be sent, by whether their session is on line.
    outbound_queued: Gauge ["connected"] = "wa_gateway.outbound.queued" in "{message}" by ONE;
    /// How long the oldest of them has waited.
    outbound_oldest: Gauge ["connected"] = "wa_gateway.outbound.oldest_queued" in "s" by ONE;
    /// Deliveries that should have been made by now and are in nobody's hands.
    deliveries_due: Gauge [] = "wa_gateway.deliveries.due" in "{delivery}" by ONE;
    /// How long the oldest of them has been due.
    deliveries_oldest_due: Gauge [] = "wa_gateway.deliveries.oldest_due" in "s" by ONE;
    /// Deliveries that wait for their time: retries, those behind them, and those whose file is being fetched.
    deliveries_scheduled: Gauge [] = "wa_gateway.deliveries.scheduled" in "{delivery}" by ONE;
    /// Deliveries in dispatchers' hands.
    deliveries_claimed: Gauge [] = "wa_gateway.deliveries.claimed" in "{delivery}" by ONE;
    /// Deliveries that were given up and are still listed.
    deliveries_dead: Gauge [] = "wa_gateway.deliveries.dead" in "{delivery}" by ONE;
    /// Files of received messages that are still to be fetched.
    media_pending: Gauge [] = "wa_gateway.media.pending" in "{file}" by ONE;
    /// When the database was last read for these gauges.
    census_time: Gauge [] = "wa_gateway.census.timestamp" in "s" by ONE;
    /// How long that took.
    census_duration: Gauge [] = "wa_gateway.census.duration" in "s" by ONE;
    /// Always 1: what runs here.
    build_info: Gauge ["version", "role"] = "wa_gateway.build_info" in "" by EVERY;
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::build);

/// The metrics of this process.
#[must_use]
pub fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    /// In Prometheus's eyes a counter that first appears as 1 has not grown: the rare ones, which rules ask for, are there
    /// from the beginning.
    fn count_from_zero(&self, role: &str) {
        let counters = [
            (RUNNER, &self.inbound_failures),
            (RUNNER, &self.runner_lease_losses),
            (RUNNER, &self.session_lease_losses),
            (RUNNER, &self.session_reconnects),
            (DISPATCHER, &self.webhooks_dead),
            (EVERY, &self.commit_failures),
        ];
        for (by, counter) in counters {
            if by == EVERY || by == role || role == "all" {
                counter.add::<&'static str>(0, []);
            }
        }
    }

    /// Another process reports from now on what one process reports for all.
    pub fn clear_census(&self) {
        self.sessions.clear();
        self.runners.clear();
        self.outbound_queued.clear();
        self.outbound_oldest.clear();
        for gauge in [
            &self.sessions_expected,
            &self.sessions_connected,
            &self.sessions_needing_person,
            &self.sessions_unclaimed,
            &self.runners_capacity,
            &self.deliveries_due,
            &self.deliveries_oldest_due,
            &self.deliveries_scheduled,
            &self.deliveries_claimed,
            &self.deliveries_dead,
            &self.media_pending,
            &self.census_time,
            &self.census_duration,
        ] {
            gauge.clear();
        }
    }
}

/// Reports what the process itself knows, from now on.
pub(crate) fn begin(version: &'static str, role: &'static str) {
    metrics().build_info.set([([version, role], 1.0)]);
    metrics().count_from_zero(role);
    process::observe(&global::meter(METER));
}
