//! A program under test.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Dir, guard::Guarded, wait_for};

/// A running program; killed when dropped. Its output goes to a file, and is shown when the test fails.
#[derive(Debug)]
pub struct Process {
    name: String,
    // The program goes before its folder.
    program: Guarded,
    folder: Dir,
}

impl Process {
    /// Starts a program; `name` is what its output is shown under.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub fn start(name: &str, command: &Command) -> Self {
        let folder = Dir::new();
        let program = Guarded::start(command, "KILL", folder.path(), &folder.join("log"));
        let program = program.expect("a shell to start programs with");
        Self { name: name.to_owned(), program, folder }
    }

    /// Waits until a `GET` of this `http://host:port/path` is answered with 200.
    ///
    /// # Panics
    /// When it is not within `deadline`, or when the program ends before.
    pub async fn ready(&mut self, url: &str, deadline: Duration) {
        let url = url.to_owned();
        wait_for(deadline, async || {
            let code = self.exit_code();
            assert!(code.is_none(), "{} ended with {code:?}:\n{}", self.name, self.program.log_tail());
            let url = url.clone();
            tokio::task::spawn_blocking(move || answers(&url)).await.unwrap_or(false)
        })
        .await;
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.program.pid()
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        self.program.signal("KILL");
        self.program.wait(Duration::from_secs(10));
    }

    /// Asks it to stop, as a service manager does; [`Process::wait`] waits for the end.
    pub fn terminate(&self) {
        self.program.signal("TERM");
    }

    /// Sends any other signal by its name, such as `STOP` and `CONT` for a process that hangs for a while.
    pub fn signal(&self, name: &str) {
        self.program.signal(name);
    }

    /// Its exit code, or 128 and the number of the signal that ended it; `None` while it runs.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.program.exit_code()
    }

    /// Waits for its end, at most until `deadline`, and returns the exit code.
    pub async fn wait(&mut self, deadline: Duration) -> Option<i32> {
        let end = std::time::Instant::now() + deadline;
        while self.exit_code().is_none() && std::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.exit_code()
    }

    /// What it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// The file that it writes to.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        Path::new(self.folder.path()).join("log")
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test harness shows it for tests that fail")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- {} wrote ----\n{}\n----", self.name, self.program.log_tail());
        }
    }
}

fn answers(url: &str) -> bool {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let exchange = || {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        std::io::Result::Ok(status)
    };
    exchange().is_ok_and(|status| status.ends_with(b" 200"))
}
