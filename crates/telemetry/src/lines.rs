//! Log lines that name the trace they belong to.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{Format, trace};

/// Adds `trace_id` and `span_id` to the lines of another format, where there is a trace.
pub(crate) struct WithTrace<F> {
    pub inner: F,
    pub format: Format,
}

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // A line cannot be coloured in a buffer; who looks at colours does not look traces up.
        let coloured = self.format == Format::Text && writer.has_ansi_escapes();
        let Some((trace, span)) = trace::ids().filter(|_| !coloured) else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        match (self.format, line.strip_prefix('{')) {
            (Format::Json, Some(rest)) => {
                write!(writer, r#"{{"trace_id":"{trace}","span_id":"{span}",{rest}"#)
            }
            _ => writeln!(writer, "{} trace_id={trace} span_id={span}", line.trim_end()),
        }
    }
}
