//! A NATS server of our own.

use std::{
    net::TcpStream,
    process::Command,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use crate::{Dir, Unavailable, find_program, free_port, guard::Guarded, shared, wait_blocking};

/// A running `nats-server`; ends when dropped.
#[derive(Debug)]
pub struct Nats {
    // The server goes before its folder.
    server: Option<Guarded>,
    port: u16,
    arguments: Vec<String>,
    folder: Dir,
}

impl Nats {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start() -> Result<Self, Unavailable> {
        Self::start_with(&[])
    }

    /// Starts one with more arguments, such as `--user` and `--pass`.
    pub fn start_with(arguments: &[&str]) -> Result<Self, Unavailable> {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut nats = Self { server: None, port: free_port(), arguments, folder: Dir::new() };
        nats.restart()?;
        Ok(nats)
    }

    /// `nats://127.0.0.1:port`, without a login.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the server; the port stays its own in name only.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it again on the same port, killing the one before if it still runs.
    pub fn restart(&mut self) -> Result<(), Unavailable> {
        self.stop();
        let program = find_program("nats-server", &["/usr/sbin".into(), "/usr/local/bin".into()]);
        let program = program.ok_or_else(|| {
            Unavailable::new(
                "nats-server is not installed: `apt-get install nats-server`, or set TEST_NATS_URL",
            )
        })?;
        let mut command = Command::new(program);
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]).args(&self.arguments);
        let log = self.folder.join("nats.log");
        let server = Guarded::start(&command, "KILL", self.folder.path(), &log);
        let mut server = server.map_err(|error| Unavailable::new(format!("nats-server: {error}")))?;
        let ready = wait_blocking(Duration::from_secs(10), || {
            server.exit_code().is_some() || TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        if !ready || server.exit_code().is_some() {
            return Err(Unavailable::new(format!("nats-server did not start:\n{}", server.log_tail())));
        }
        self.server = Some(server);
        Ok(())
    }
}

/// The NATS server of this test run: `TEST_NATS_URL`, else one that lives as long as this process.
pub fn nats_url() -> Result<String, Unavailable> {
    static URL: OnceLock<Result<String, Unavailable>> = OnceLock::new();
    static SERVER: Mutex<Option<Nats>> = Mutex::new(None);
    shared("TEST_NATS_URL", &URL, || {
        let server = Nats::start()?;
        let url = server.url();
        if let Ok(mut place) = SERVER.lock() {
            *place = Some(server);
        }
        Ok(url)
    })
}
