//! Traces across tasks, rows and processes: where a trace comes from and where it goes on, as the W3C header
//! `traceparent` has it.
//!
//! A span is made with [`span!`](crate::span). While no traces are exported, spans have no subscriber: making one costs
//! a look at a flag, its fields are not evaluated, nothing is allocated, and [`current`] is `None`.

use std::fmt::Write as _;

use opentelemetry::{
    Context, Value,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, Status, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of spans that are for traces only: log lines do not show them.
pub const SPANS: &str = "wa_gateway::trace";

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// A header that is longer is none.
const LONGEST: usize = 256;

/// The span that this task is in, for whoever goes on with its work; `None` outside of all, so also while no traces are
/// exported. A trace that is not kept has one too, so that those who go on do not keep it either.
#[must_use]
pub fn current() -> Option<String> {
    with_current(|span| {
        let mut text = String::with_capacity(55);
        let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        let _ = write!(text, "00-{trace}-{id}-{flags:02x}");
        text
    })
}

/// The ids of trace and span for a log line.
pub(crate) fn ids() -> Option<(String, String)> {
    with_current(|span| (span.trace_id().to_string(), span.span_id().to_string()))
}

fn with_current<T>(read: impl FnOnce(&SpanContext) -> T) -> Option<T> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| read(span))
    })
}

/// Makes a new span go on with the trace of `parent`, a `traceparent`; without one, or with one that cannot be read, it
/// begins a trace of its own.
pub fn follow(span: &Span, parent: Option<&str>) {
    if span.is_disabled() {
        return;
    }
    let parent = parent.filter(|parent| parent.len() <= LONGEST).unwrap_or_default();
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(parent));
    // Only refused once the span was entered, which callers do later.
    let _ = span.set_parent(context);
}

/// Says what became of the work of a span.
pub fn attribute(span: &Span, name: &'static str, value: impl Into<Value>) {
    if !span.is_disabled() {
        span.set_attribute(name, value);
    }
}

/// Says that the work of a span failed. `why` has few forms: it is no place for what people wrote.
pub fn failed(span: &Span, why: impl FnOnce() -> String) {
    if !span.is_disabled() {
        span.set_status(Status::error(why()));
    }
}

/// The one header there is.
struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT && !self.0.is_empty()).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// Makes a span for traces: its kind (`"server"`, `"client"`, `"producer"`, `"consumer"`, `"internal"`), its name, and fields
/// as `tracing` has them.
#[macro_export]
macro_rules! span {
    ($kind:literal, $name:literal $(, $($fields:tt)*)?) => {
        $crate::tracing::info_span!(target: $crate::trace::SPANS, $name, otel.kind = $kind $(, $($fields)*)?)
    };
}
