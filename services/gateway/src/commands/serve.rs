//! A process that serves until it is told to stop.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use config::{Config, LogFormat};
use wa_gateway::{Gateway, Roles, StartError, lifecycle::Signals};

use super::{Failure, block_on};

pub(super) fn run(roles: Roles, file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file).map_err(Failure::settings)?;
    let terminal = io::stderr().is_terminal();
    let _logs = telemetry::init(&telemetry::TelemetryOptions {
        colours: terminal,
        format: match config.log_format(terminal) {
            LogFormat::Json => telemetry::Format::Json,
            LogFormat::Text => telemetry::Format::Text,
        },
        filter: config.logging.filter.clone(),
    })
    .map_err(Failure::settings)?;
    block_on(async {
        let mut signals = Signals::listen().map_err(Failure::running)?;
        let gateway = tokio::select! {
            started = Gateway::start(&config, roles) => started.map_err(|error| match error {
                StartError::Settings(_) => Failure::settings(error),
                StartError::Running(_) => Failure::running(error),
            })?,
            // It may wait for its database for long.
            () = signals.next() => return Ok(()),
        };
        gateway.run_until(signals).await.map_err(Failure::running)
    })
}
