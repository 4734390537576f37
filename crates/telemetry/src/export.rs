//! Where traces and metrics go: to a collector over OTLP (HTTP, protobuf), and to whoever scrapes.
//!
//! What the settings do not have, the SDK reads from the environment by itself: `OTEL_EXPORTER_OTLP_HEADERS`,
//! `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, `OTEL_BSP_*`,
//! `OTEL_METRIC_EXPORT_INTERVAL`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use egress::{EgressOptions, Policy};
use http::{Request, Response};
use opentelemetry::{KeyValue, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    trace::{Sampler, SdkTracerProvider},
};
use prometheus::{Registry, TextEncoder};
use tokio::{runtime::Handle, task::JoinSet};

use crate::InitError;

/// The longest that one report may take; the exporter's own time limit is shorter.
const DEADLINE: Duration = Duration::from_secs(30);

/// How much of a collector's answer is read.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// What a collector should know of this process.
#[derive(Debug, Clone)]
pub struct Process {
    /// What it is called on the command line.
    pub role: &'static str,
    pub version: &'static str,
    /// Tells it apart from others of its role.
    pub instance: String,
}

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// What goes on with a trace that came from elsewhere does as that one does.
    pub parent_based: bool,
    /// The part of the others that is kept, from 0 to 1.
    pub ratio: f64,
}

impl Sampling {
    pub(crate) fn sampler(self) -> Sampler {
        let roots = Sampler::TraceIdRatioBased(self.ratio);
        if self.parent_based { Sampler::ParentBased(Box::new(roots)) } else { roots }
    }
}

/// Sends reports through the client that everything else goes through. The SDK's threads have no runtime of their own.
#[derive(Debug)]
pub(crate) struct Courier {
    client: egress::Client,
    runtime: Handle,
}

impl Courier {
    pub(crate) fn new() -> Result<Arc<Self>, InitError> {
        let client = egress::Client::new(EgressOptions::default());
        let client = client.map_err(|error| InitError::Export(error.to_string()))?;
        let runtime = Handle::try_current().map_err(|error| InitError::Export(error.to_string()))?;
        Ok(Arc::new(Self { client, runtime }))
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let mut request = egress::Request::new(Policy::Trusted, head.method, head.uri.to_string())
            .deadline(DEADLINE)
            .limit(ANSWER_LIMIT)
            .body(body);
        for (name, value) in &head.headers {
            request = request.header(name.clone(), value.clone());
        }
        let client = self.client.clone();
        let mut exchange = JoinSet::new();
        exchange.spawn_on(async move { client.request(request).await }, &self.runtime);
        let answer = exchange.join_next().await.ok_or("the process is stopping")???;
        let mut response = Response::new(answer.body);
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        Ok(response)
    }
}

pub(crate) fn resource(process: &Process) -> Resource {
    let from_environment = Resource::builder().build();
    let name = from_environment.get(&"service.name".into());
    let mut builder = Resource::builder().with_attributes([
        KeyValue::new("service.version", process.version),
        KeyValue::new("service.instance.id", process.instance.clone()),
    ]);
    if name.is_none_or(|name: Value| name.as_str().starts_with("unknown_service")) {
        builder = builder.with_service_name(match process.role {
            "all" => "wa-gateway".to_owned(),
            role => format!("wa-gateway-{role}"),
        });
    }
    builder.build()
}

pub(crate) fn traces(
    courier: Arc<Courier>,
    address: &str,
    sampling: Sampling,
    resource: Resource,
) -> Result<SdkTracerProvider, InitError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_shared_http_client(courier)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(address)
        .build()
        .map_err(|error| InitError::Export(error.to_string()))?;
    Ok(SdkTracerProvider::builder()
        .with_sampler(sampling.sampler())
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build())
}

pub(crate) fn metrics(
    to: Option<(Arc<Courier>, &str)>,
    registry: Option<&Registry>,
    resource: Resource,
) -> Result<SdkMeterProvider, InitError> {
    let mut provider = SdkMeterProvider::builder().with_resource(resource);
    if let Some((courier, address)) = to {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_shared_http_client(courier)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(address)
            .build()
            .map_err(|error| InitError::Export(error.to_string()))?;
        provider = provider.with_periodic_exporter(exporter);
    }
    if let Some(registry) = registry {
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone());
        let exporter = exporter.scope_info_enabled(false).without_target_info().build();
        provider = provider.with_reader(exporter.map_err(|error| InitError::Export(error.to_string()))?);
    }
    Ok(provider.build())
}

/// Tells what there is to scrape. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scraper(pub(crate) Registry);

impl Scraper {
    /// Everything, in Prometheus's text format.
    #[must_use]
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.0.gather()).unwrap_or_default()
    }

    /// The media type of [`text`](Self::text).
    #[must_use]
    pub const fn content_type() -> &'static str {
        prometheus::TEXT_FORMAT
    }
}
