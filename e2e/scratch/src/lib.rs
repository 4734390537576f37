//! What tests need from the machine: real PostgreSQL and NATS servers in a scratch folder, folders, ports,
//! processes to start and kill, and waiting for a condition.
//!
//! [`postgres_url`] and [`nats_url`] give the servers that `cargo xtask test` started for the whole run
//! (`TEST_POSTGRES_URL`, `TEST_NATS_URL`), or start one for this test process at the first call. Everything that
//! is started here ends with the value that stands for it, and with the test process however that ends.

mod guard;
mod nats;
mod postgres;
mod process;

use std::{
    fmt,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

pub use nats::{Nats, nats_url};
pub use postgres::{Postgres, postgres_url};
pub use process::Process;

/// What a test needs is not there, or does not start; the text says what to do.
#[derive(Debug, Clone)]
pub struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

impl Unavailable {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub struct Dir(tempfile::TempDir);

impl Dir {
    /// A new, empty one.
    ///
    /// # Panics
    /// When the system's folder for temporary files cannot be written to.
    #[must_use]
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub fn new() -> Self {
        let made = tempfile::Builder::new().prefix("wa-gateway-").tempdir();
        Self(made.expect("the folder for temporary files can be written to"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of something in it.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }
}

impl Default for Dir {
    fn default() -> Self {
        Self::new()
    }
}

/// A TCP port on 127.0.0.1 that was free a moment ago.
///
/// # Panics
/// When there is none.
#[must_use]
#[expect(clippy::expect_used, reason = "no test can go on without it")]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Waits until the condition holds.
///
/// # Panics
/// When it does not within `deadline`; the message names the caller's line.
#[track_caller]
pub fn wait_for<C: AsyncFnMut() -> bool>(deadline: Duration, mut condition: C) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + deadline;
        let mut pause = Duration::from_millis(2);
        while !condition().await {
            assert!(Instant::now() < end, "{caller}: what was waited for did not come within {deadline:?}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// The same without `async`, for what is started before there is a runtime.
fn wait_blocking(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// The address of a server: from the environment, else of the one that is started at the first call.
fn shared(
    variable: &str,
    cell: &OnceLock<Result<String, Unavailable>>,
    start: impl FnOnce() -> Result<String, Unavailable>,
) -> Result<String, Unavailable> {
    cell.get_or_init(|| match std::env::var(variable) {
        Ok(url) if !url.is_empty() => Ok(url),
        _ => start(),
    })
    .clone()
}

/// A program of this name in `folders` or on the `PATH`.
fn find_program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().cloned().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests;
