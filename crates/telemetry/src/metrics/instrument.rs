//! The kinds of instruments. Each has its labels from the table, and takes one value for each: what could be a label
//! without end, such as a session, cannot get in by accident.

use std::sync::Arc;

use opentelemetry::{
    KeyValue, Value,
    metrics::{self, Meter},
};
use parking_lot::Mutex;

/// A line of the table of metrics.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// As OpenTelemetry has it; Prometheus's name follows from it.
    pub name: &'static str,
    /// After UCUM; words in braces count things and are no part of Prometheus's name.
    pub unit: &'static str,
    /// Which processes report it.
    pub by: &'static str,
    pub help: &'static str,
    pub labels: &'static [&'static str],
    /// Of a histogram.
    pub buckets: &'static [f64],
    pub kind: Kind,
}

/// What Prometheus calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Spec {
    /// Its name in Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let name = self.name.replace('.', "_");
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{name}{unit}{total}")
    }

    /// The word for its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// What can be made from a line of the table.
pub(super) trait Instrument {
    const KIND: Kind;
    fn build(spec: &Spec, meter: &Meter) -> Self;
}

/// The labels of one value.
fn labelled<const N: usize, V: Into<Value>>(labels: &[&'static str; N], values: [V; N]) -> [KeyValue; N] {
    let mut values = values.into_iter();
    labels.map(|label| KeyValue::new(label, values.next().map_or_else(|| Value::from(""), Into::into)))
}

fn labels<const N: usize>(spec: &Spec) -> [&'static str; N] {
    std::array::from_fn(|index| spec.labels.get(index).copied().unwrap_or_default())
}

/// Counts up.
#[derive(Debug)]
pub struct Counter<const N: usize> {
    counter: metrics::Counter<u64>,
    labels: [&'static str; N],
}

impl<const N: usize> Counter<N> {
    /// Counts `more` things of which the labels say what they are.
    pub fn add<V: Into<Value>>(&self, more: u64, values: [V; N]) {
        self.counter.add(more, &labelled(&self.labels, values));
    }
}

impl Counter<0> {
    /// Counts one.
    pub fn one(&self) {
        self.counter.add(1, &[]);
    }
}

impl<const N: usize> Instrument for Counter<N> {
    const KIND: Kind = Kind::Counter;

    fn build(spec: &Spec, meter: &Meter) -> Self {
        let counter = meter.u64_counter(spec.name).with_unit(spec.unit).with_description(spec.help).build();
        Self { counter, labels: labels(spec) }
    }
}

/// Spreads values over buckets.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    histogram: metrics::Histogram<f64>,
    labels: [&'static str; N],
}

impl<const N: usize> Histogram<N> {
    /// Notes a value.
    pub fn record<V: Into<Value>>(&self, value: f64, values: [V; N]) {
        self.histogram.record(value, &labelled(&self.labels, values));
    }
}

impl Histogram<0> {
    /// Notes a value.
    pub fn note(&self, value: f64) {
        self.histogram.record(value, &[]);
    }
}

impl<const N: usize> Instrument for Histogram<N> {
    const KIND: Kind = Kind::Histogram;

    fn build(spec: &Spec, meter: &Meter) -> Self {
        let histogram = meter
            .f64_histogram(spec.name)
            .with_unit(spec.unit)
            .with_description(spec.help)
            .with_boundaries(spec.buckets.to_vec())
            .build();
        Self { histogram, labels: labels(spec) }
    }
}

/// What was last said; without a word since, or after [`clear`](Self::clear), nothing is reported.
#[derive(Debug)]
pub struct Gauge<const N: usize> {
    source: Arc<Mutex<Source>>,
    labels: [&'static str; N],
    _observed: metrics::ObservableGauge<f64>,
}

/// Where a gauge's values come from.
enum Source {
    Said(Vec<(Vec<KeyValue>, f64)>),
    /// Asked at each report.
    Asked(Box<dyn Fn() -> f64 + Send + Sync>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Said(said) => f.debug_tuple("Said").field(said).finish(),
            Self::Asked(_) => f.write_str("Asked"),
        }
    }
}

impl<const N: usize> Gauge<N> {
    /// Replaces everything that was said before.
    pub fn set<V: Into<Value>>(&self, values: impl IntoIterator<Item = ([V; N], f64)>) {
        let values = values.into_iter();
        let values = values.map(|(values, number)| (labelled(&self.labels, values).to_vec(), number));
        *self.source.lock() = Source::Said(values.collect());
    }

    /// Somebody else reports it from now on, or nobody.
    pub fn clear(&self) {
        *self.source.lock() = Source::Said(Vec::new());
    }
}

impl Gauge<0> {
    /// Replaces what was said before.
    pub fn is(&self, number: f64) {
        match &mut *self.source.lock() {
            Source::Said(said) => {
                said.clear();
                said.push((Vec::new(), number));
            }
            source @ Source::Asked(_) => *source = Source::Said(vec![(Vec::new(), number)]),
        }
    }

    /// Asks at each report from now on.
    pub fn ask(&self, value: impl Fn() -> f64 + Send + Sync + 'static) {
        *self.source.lock() = Source::Asked(Box::new(value));
    }
}

impl<const N: usize> Instrument for Gauge<N> {
    const KIND: Kind = Kind::Gauge;

    fn build(spec: &Spec, meter: &Meter) -> Self {
        let source = Arc::new(Mutex::new(Source::Said(Vec::new())));
        let observed = Arc::clone(&source);
        let builder = meter.f64_observable_gauge(spec.name).with_unit(spec.unit).with_description(spec.help);
        let gauge = builder.with_callback(move |observer| match &*observed.lock() {
            Source::Said(said) => said.iter().for_each(|(labels, number)| observer.observe(*number, labels)),
            Source::Asked(value) => observer.observe(value(), &[]),
        });
        Self { source, labels: labels(spec), _observed: gauge.build() }
    }
}
