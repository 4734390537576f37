//! A process that serves until it is told to stop.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use config::{Config, LogFormat, Sampled};
use telemetry::{Logs, Process, Sampling, Telemetry, TelemetryOptions};
use wa_gateway::{Gateway, MetricsEndpoint, Roles, StartError, lifecycle::Signals};

use super::{Failure, block_on};

pub(super) fn run(roles: Roles, file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file).map_err(Failure::settings)?;
    block_on(async {
        // Within the runtime: traces and metrics leave through it.
        let telemetry = telemetry::init(&options(&config, roles)).map_err(Failure::settings)?;
        let served = serve(&config, roles, &telemetry).await;
        telemetry.end().await;
        served
    })
}

async fn serve(config: &Config, roles: Roles, telemetry: &Telemetry) -> Result<(), Failure> {
    let start_failure = |error| match error {
        StartError::Settings(_) => Failure::settings(error),
        StartError::Running(_) => Failure::running(error),
    };
    let mut signals = Signals::listen().map_err(Failure::running)?;
    // From the first moment on, also while the database is waited for.
    let metrics = match config.http.metrics.zip(telemetry.scraper()) {
        Some((address, scraper)) => Some(MetricsEndpoint::open(address, scraper).map_err(start_failure)?),
        None => None,
    };
    let gateway = tokio::select! {
        started = Gateway::start(config, roles) => started.map_err(start_failure)?,
        // It may wait for its database for long.
        () = signals.next() => return Ok(()),
    };
    let ended = gateway.run_until(signals).await.map_err(Failure::running);
    if let Some(metrics) = metrics {
        metrics.close().await;
    }
    ended
}

fn options(config: &Config, roles: Roles) -> TelemetryOptions {
    let terminal = io::stderr().is_terminal();
    let logging = &config.logging;
    let collector = |signal: &str| {
        let base = logging.otlp_endpoint.as_ref()?.expose();
        Some(format!("{}/v1/{signal}", base.trim_end_matches('/')))
    };
    let sampling = Sampling {
        parent_based: logging.trace_sampler.parent_based,
        ratio: match logging.trace_sampler.others {
            Sampled::All => 1.0,
            Sampled::None => 0.0,
            Sampled::Part => logging.trace_ratio,
        },
    };
    TelemetryOptions {
        logs: Logs {
            colours: terminal,
            format: match config.log_format(terminal) {
                LogFormat::Json => telemetry::Format::Json,
                LogFormat::Text => telemetry::Format::Text,
            },
            filter: logging.filter.clone(),
        },
        process: Process {
            role: roles.name(),
            version: env!("CARGO_PKG_VERSION"),
            instance: wa_gateway::process_name(config),
        },
        traces: collector("traces").filter(|_| logging.otlp_traces).map(|address| (address, sampling)),
        metrics: collector("metrics").filter(|_| logging.otlp_metrics),
        scraped: config.http.metrics.is_some(),
    }
}
