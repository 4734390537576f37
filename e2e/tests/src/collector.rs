//! A collector: takes traces and metrics over OTLP (HTTP, protobuf) and keeps the spans.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value as Any},
};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinSet};

/// A span that was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The `service.name` of the process.
    pub service: String,
    pub name: String,
    /// Hexadecimal, as in `traceparent`.
    pub trace: String,
    pub id: String,
    /// Empty for the first of a trace.
    pub parent: String,
    pub began: u64,
    pub ended: u64,
    pub failed: bool,
    pub attributes: Vec<(String, String)>,
}

impl Span {
    /// An attribute, empty when it is not there.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

#[derive(Default)]
struct Shared {
    spans: Mutex<Vec<Span>>,
    metrics: Mutex<BTreeSet<(String, String)>>,
}

/// The collector; ends when dropped.
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

impl Collector {
    /// Listens on a free port.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(Arc::clone(&shared));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { address, shared, _serving: serving }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans of a trace, in the order in which they began.
    #[must_use]
    pub fn trace(&self, trace: &str) -> Vec<Span> {
        let spans = self.shared.spans.lock();
        let mut spans: Vec<_> = spans.iter().filter(|span| span.trace == trace).cloned().collect();
        spans.sort_by_key(|span| span.began);
        spans
    }

    /// Every span, as it came.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.shared.spans.lock().clone()
    }

    /// Whether a service has reported a metric.
    #[must_use]
    pub fn has_metric(&self, service: &str, name: &str) -> bool {
        self.shared.metrics.lock().contains(&(service.to_owned(), name.to_owned()))
    }
}

fn is_protobuf(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/x-protobuf")
}

async fn traces(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    if !is_protobuf(&headers) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let mut spans = shared.spans.lock();
    for resource in request.resource_spans {
        let service = resource.resource.map(|resource| service_of(&resource.attributes)).unwrap_or_default();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                service: service.clone(),
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                began: span.start_time_unix_nano,
                ended: span.end_time_unix_nano,
                // STATUS_CODE_ERROR
                failed: span.status.is_some_and(|status| status.code == 2),
                attributes: span.attributes.iter().map(text).collect(),
            });
        }
    }
    StatusCode::OK
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    if !is_protobuf(&headers) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let mut known = shared.metrics.lock();
    for resource in request.resource_metrics {
        let service = resource.resource.map(|resource| service_of(&resource.attributes)).unwrap_or_default();
        for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            known.insert((service.clone(), metric.name));
        }
    }
    StatusCode::OK
}

fn service_of(attributes: &[KeyValue]) -> String {
    attributes
        .iter()
        .map(text)
        .find(|(name, _)| name == "service.name")
        .map(|(_, name)| name)
        .unwrap_or_default()
}

fn text(attribute: &KeyValue) -> (String, String) {
    let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
    let value = match value {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::BoolValue(truth)) => truth.to_string(),
        _ => String::new(),
    };
    (attribute.key.clone(), value)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
