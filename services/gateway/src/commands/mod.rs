//! One file a subcommand.

pub(crate) mod all;
pub(crate) mod api;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod healthcheck;
pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod restore;
pub(crate) mod session_runner;
pub(crate) mod webhook_dispatcher;

mod serve;

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

/// Why a subcommand did not do its work, and the exit code for it.
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// The settings are wrong: trying again does not help.
    pub(crate) fn settings(problem: impl Display) -> Self {
        Self { message: problem.to_string(), code: 2 }
    }

    /// It went wrong while running.
    pub(crate) fn running(problem: impl Display) -> Self {
        Self { message: problem.to_string(), code: 1 }
    }

    /// Says so on standard error.
    pub(crate) fn report(self) -> ExitCode {
        let _ = writeln!(io::stderr(), "wa-gateway: {}", self.message);
        ExitCode::from(self.code)
    }
}

/// Writes a result to standard output. A reader that went away is no error.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::running(error)),
        _ => Ok(()),
    }
}

/// Runs something that waits.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Answers of the database come from threads that are none of the runtime's: with the default such an answer
        // waits behind up to 60 tasks.
        .global_queue_interval(4)
        .build();
    runtime.map_err(Failure::running)?.block_on(work)
}
