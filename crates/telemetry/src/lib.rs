//! What the process says of itself: log lines on standard error, traces and metrics.
//!
//! - Log lines are JSON for machines, text for people. Libraries that write through the `log` crate (the WhatsApp client
//!   does) end up in the same lines.
//! - [`metrics()`] are counted always and reported where somebody asks: to those who scrape, and to a collector.
//! - [`trace`]: spans go to a collector over OTLP; where none is set there are none.

mod export;
mod lines;
pub mod metrics;
pub mod trace;

use std::io;

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, ParseError, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
    util::{SubscriberInitExt as _, TryInitError},
};

use export::Courier;
pub use export::{Process, Sampling, Scraper};
use lines::WithTrace;
pub use metrics::metrics;
/// The value of a label.
pub use opentelemetry::Value;
#[doc(hidden)]
pub use tracing;

/// What is logged when nobody says otherwise: libraries only speak up when something is wrong.
pub const DEFAULT_FILTER: &str = "info,whatsapp_rust=warn,wacore=warn,waproto=warn,async_nats=warn,sqlx=warn,hyper=warn,h2=warn,rustls=warn,opentelemetry=warn,opentelemetry_sdk=warn,opentelemetry_otlp=warn";

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, an event's fields at its top level.
    Json,
    /// For people.
    Text,
}

/// What to log, and how.
#[derive(Debug, Clone)]
pub struct Logs {
    /// How a line looks.
    pub format: Format,
    /// Whether text may have colours, as a terminal shows them.
    pub colours: bool,
    /// Which lines are written, in `RUST_LOG`'s form; [`DEFAULT_FILTER`] when `None`.
    pub filter: Option<String>,
}

/// What the process says, and to whom.
#[derive(Debug, Clone)]
pub struct TelemetryOptions {
    pub logs: Logs,
    pub process: Process,
    /// Where traces go (`http://collector:4318/v1/traces`), and which; none without.
    pub traces: Option<(String, Sampling)>,
    /// Where metrics are sent (`http://collector:4318/v1/metrics`).
    pub metrics: Option<String>,
    /// Metrics can be scraped, from [`Telemetry::scraper`].
    pub scraped: bool,
}

/// Nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter cannot be read.
    #[error("RUST_LOG={filter} is no filter for log lines (such as `info,bus=debug`): {source}")]
    InvalidFilter {
        /// What it was.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// It was set up before.
    #[error("logging is set up already: {0}")]
    Twice(#[from] TryInitError),
    /// Traces or metrics cannot be sent there.
    #[error("traces and metrics cannot be exported: {0}")]
    Export(String),
}

/// What reports. End it at the end of `main`: what is on its way out is sent then.
#[derive(Debug, Default)]
#[must_use = "what is on its way out is sent when it is ended"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    scraper: Option<Scraper>,
}

impl Telemetry {
    /// What there is to scrape, if that was asked for.
    #[must_use]
    pub fn scraper(&self) -> Option<Scraper> {
        self.scraper.clone()
    }

    /// Sends what is still to be sent; waits a few seconds for a collector at most.
    pub async fn end(self) {
        let Self { traces, metrics, .. } = self;
        if traces.is_none() && metrics.is_none() {
            return;
        }
        let (tell, told) = tokio::sync::oneshot::channel();
        // A thread of its own, because the reports leave through this runtime, which must not wait for them; and none of
        // the runtime's, which would wait for it at its end.
        std::thread::spawn(move || {
            let traces = traces.map_or(Ok(()), |traces| traces.shutdown_with_timeout(LAST_WORDS));
            let metrics = metrics.map_or(Ok(()), |metrics| metrics.shutdown_with_timeout(LAST_WORDS));
            let _ = tell.send(traces.and(metrics));
        });
        match tokio::time::timeout(LAST_WORDS, told).await {
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last traces or metrics could not be sent"),
            Err(_) => tracing::warn!("the last traces or metrics could not be sent in time"),
            Ok(_) => {}
        }
    }
}

/// How long a stop waits for a collector.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(3);

/// Starts logging, and reporting, for the whole process. Call it once, at the start, within the runtime through which
/// reports are sent.
pub fn init(options: &TelemetryOptions) -> Result<Telemetry, InitError> {
    let resource = export::resource(&options.process);
    let courier = (options.traces.is_some() || options.metrics.is_some()).then(Courier::new).transpose()?;
    let mut telemetry = Telemetry::default();
    let mut spans = None;
    if let (Some((address, sampling)), Some(courier)) = (&options.traces, &courier) {
        let provider = export::traces(courier.clone(), address, *sampling, resource.clone())?;
        spans = Some(to(&provider));
        telemetry.traces = Some(provider);
    }
    subscriber(&options.logs, io::stderr, spans)?.try_init()?;
    if options.scraped || options.metrics.is_some() {
        let to = options.metrics.as_deref();
        let to = courier.zip(to);
        let registry = options.scraped.then(prometheus::Registry::new);
        let provider = export::metrics(to, registry.as_ref(), resource)?;
        global::set_meter_provider(provider.clone());
        metrics::begin(options.process.version, options.process.role);
        telemetry.metrics = Some(provider);
        telemetry.scraper = registry.map(Scraper);
    }
    Ok(telemetry)
}

/// Spans on their way to a collector.
type Spans = Box<dyn Layer<Registry> + Send + Sync>;

fn to(provider: &SdkTracerProvider) -> Spans {
    let spans = tracing_opentelemetry::layer::<Registry>().with_tracer(provider.tracer("wa-gateway"));
    spans.with_location(false).with_threads(false).with_target(false).boxed()
}

/// Who hears of log lines, and of spans where there is a collector.
type Listeners = Box<dyn Subscriber + Send + Sync>;

fn subscriber<W>(options: &Logs, writer: W, spans: Option<Spans>) -> Result<Listeners, InitError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = options.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| InitError::InvalidFilter { filter: filter.to_owned(), source })?;
    let lines = fmt::layer().with_writer(writer).with_ansi(options.colours);
    let format = options.format;
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .map_event_format(move |inner| WithTrace { inner, format })
            .boxed(),
        Format::Text => lines.map_event_format(move |inner| WithTrace { inner, format }).boxed(),
    };
    let no_span = filter_fn(|of| of.target() != trace::SPANS);
    Ok(match spans {
        // Without a collector nobody wants spans for traces: their callsites are switched off for good. The filters
        // are everybody's and not the lines' own, which would lose the line after a `log_enabled!` that was refused.
        None => Box::new(registry().with(lines).with(filter).with(no_span)),
        Some(spans) => {
            let wanted = filter_fn(|of| of.is_span() && of.target() == trace::SPANS);
            let layers: Vec<Spans> =
                vec![lines.with_filter(filter.and(no_span)).boxed(), spans.with_filter(wanted).boxed()];
            Box::new(registry().with(layers))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info, info_span, subscriber::with_default, warn};

    use super::*;
    use crate::span;

    /// What the events in `log` look like.
    fn written(format: Format, filter: Option<&str>, log: impl FnOnce()) -> String {
        written_with(None, format, filter, log)
    }

    fn written_with(
        spans: Option<Spans>,
        format: Format,
        filter: Option<&str>,
        log: impl FnOnce(),
    ) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let options = Logs { format, colours: false, filter: filter.map(str::to_owned) };
        let writer = Arc::clone(&lines);
        let subscriber = subscriber(&options, move || Lines(Arc::clone(&writer)), spans).unwrap();
        with_default(subscriber, log);
        String::from_utf8(lines.lock().unwrap().clone()).unwrap()
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_has_the_fields_at_its_top() {
        let line = written(Format::Json, None, || {
            let _span = info_span!("request", path = "/status").entered();
            info!(session.id = "ses_1", duration_ms = 7, "connected");
        });
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"connected".into()));
        assert_eq!((&line["session.id"], &line["duration_ms"]), (&"ses_1".into(), &7.into()));
        assert_eq!(line["span"]["path"], "/status");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_line_within_a_trace_names_it() {
        let log = || {
            let span = span!("server", "request", http.route = "/status");
            trace::follow(&span, Some(CALLER));
            let own = span.in_scope(|| {
                warn!(number = 7, "slow");
                trace::current().unwrap()
            });
            assert!(own.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && own.ends_with("-01"), "{own}");
            assert_ne!(own, CALLER);
            assert_eq!(trace::current(), None);
        };
        let spans = || Some(to(&SdkTracerProvider::builder().build()));
        // Whatever the filter of log lines says.
        let line = written_with(spans(), Format::Json, Some("warn"), log);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((line["span_id"].as_str().unwrap().len(), &line["number"]), (16, &7.into()));
        assert_eq!(line.get("span"), None, "spans for traces are no part of a line");
        let line = written_with(spans(), Format::Text, None, log);
        assert!(line.contains("number=7 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id="), "{line}");
    }

    #[test]
    fn what_cannot_be_read_begins_a_trace() {
        for parent in [None, Some(""), Some("nonsense"), Some("00-0-0-01"), Some(&*"0".repeat(9999))] {
            let log = || {
                let span = span!("server", "request");
                trace::follow(&span, parent);
                assert!(span.in_scope(trace::current).is_some(), "{parent:?}");
            };
            let spans = Some(to(&SdkTracerProvider::builder().build()));
            assert_eq!(written_with(spans, Format::Json, Some("trace"), log), "");
        }
    }

    #[test]
    fn a_trace_that_the_caller_does_not_keep_is_not_kept() {
        let log = || {
            let span = span!("server", "request");
            trace::follow(&span, Some(&CALLER.replace("-01", "-00")));
            let own = span.in_scope(trace::current).unwrap();
            assert!(own.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && own.ends_with("-00"), "{own}");
        };
        let sampling = Sampling { parent_based: true, ratio: 1.0 };
        let provider = SdkTracerProvider::builder().with_sampler(sampling.sampler()).build();
        written_with(Some(to(&provider)), Format::Json, None, log);
    }

    #[test]
    fn a_text_line_has_no_control_characters() {
        let line = written(Format::Text, None, || info!(number = 7, "con\u{1b}[31mnected"));
        assert!(line.contains("number=7") && !line.contains('\u{1b}'), "{line:?}");
    }

    #[test]
    fn the_filter_decides() {
        let log = || {
            debug!("one");
            info!(target: "whatsapp_rust::client", "two");
            warn!(target: "wacore_noise", "three");
            info!("four");
        };
        let words = |filter| -> Vec<String> {
            let lines = written(Format::Text, filter, log);
            lines.lines().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect()
        };
        assert_eq!(words(None), ["three", "four"]);
        assert_eq!(words(Some("debug")), ["one", "two", "three", "four"]);
        assert_eq!(words(Some("off")), Vec::<String>::new());
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error() {
        let options = Logs { format: Format::Text, colours: false, filter: Some("bus=loud".to_owned()) };
        let Err(error) = subscriber(&options, io::stderr, None) else { panic!("it is accepted") };
        assert!(error.to_string().starts_with("RUST_LOG=bus=loud is no filter"), "{error}");
    }
}
