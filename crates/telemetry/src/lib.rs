//! Log lines on standard error: JSON for machines, text for people. Libraries that write through the `log`
//! crate (the WhatsApp client does) end up in the same lines.

use std::io;

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::ParseError,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
    util::{SubscriberInitExt as _, TryInitError},
};

/// What is logged when nobody says otherwise: libraries only speak up when something is wrong.
pub const DEFAULT_FILTER: &str = "info,whatsapp_rust=warn,wacore=warn,waproto=warn,async_nats=warn,sqlx=warn,hyper=warn,h2=warn,rustls=warn";

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
pub struct TelemetryOptions {
    /// How a line looks.
    pub format: Format,
    /// Whether text may have colours, as a terminal shows them.
    pub colours: bool,
    /// Which lines are written, in `RUST_LOG`'s form; [`DEFAULT_FILTER`] when `None`.
    pub filter: Option<String>,
}

/// Logging could not be set up.
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
}

/// Keep it until the end of `main`: what is on its way out is written when it is dropped.
#[derive(Debug)]
#[must_use = "what is on its way out is written when it is dropped"]
pub struct Guard(());

/// Starts logging for the whole process. Call it once, at the start of `main`.
pub fn init(options: &TelemetryOptions) -> Result<Guard, InitError> {
    subscriber(options, io::stderr)?.try_init()?;
    Ok(Guard(()))
}

fn subscriber<W>(
    options: &TelemetryOptions,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, InitError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = options.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| InitError::InvalidFilter { filter: filter.to_owned(), source })?;
    let lines = fmt::layer().with_writer(writer).with_ansi(options.colours);
    let lines = match options.format {
        Format::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        Format::Text => lines.boxed(),
    };
    Ok(registry().with(filter).with(lines))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info, info_span, subscriber::with_default, warn};

    use super::*;

    /// What the events in `log` look like.
    fn written(format: Format, filter: Option<&str>, log: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let options = TelemetryOptions { format, colours: false, filter: filter.map(str::to_owned) };
        let writer = Arc::clone(&lines);
        let subscriber = subscriber(&options, move || Lines(Arc::clone(&writer))).unwrap();
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
        let options =
            TelemetryOptions { format: Format::Text, colours: false, filter: Some("bus=loud".to_owned()) };
        let error = init(&options).unwrap_err();
        assert!(error.to_string().starts_with("RUST_LOG=bus=loud is no filter"), "{error}");
    }
}
