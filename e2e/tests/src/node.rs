//! Node.js programs of `e2e/interop` and `e2e/dashboard`, with what they need installed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use parking_lot::Mutex;
use scratch::Dir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    task::JoinSet,
};

/// A running program; it ends when this is dropped, or with us: its standard input is a pipe that we hold.
pub struct Node {
    name: &'static str,
    _child: Child,
    stdin: ChildStdin,
    lines: Arc<Mutex<Vec<String>>>,
    _reader: JoinSet<()>,
    errors: PathBuf,
    _folder: Dir,
}

/// The folder of the programs.
#[must_use]
pub fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop")
}

/// `node`, in the folder of the programs.
///
/// # Panics
/// When their packages are not installed; the message says how to do it.
#[must_use]
pub fn node() -> Command {
    node_in(&interop())
}

/// `node`, in a folder with packages of its own.
///
/// # Panics
/// When they are not installed; the message says how to do it.
#[must_use]
pub fn node_in(folder: &Path) -> Command {
    assert!(
        folder.join("node_modules").is_dir(),
        "the packages of {} are not installed: run `cargo xtask test --only npm`, or `npm ci` there",
        folder.display()
    );
    let mut node = Command::new("node");
    node.current_dir(folder);
    node
}

impl Node {
    /// Starts a command of [`node`]; `name` is what its output is shown under.
    ///
    /// # Panics
    /// When it cannot be started.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub fn start(name: &'static str, mut command: Command) -> Self {
        let folder = Dir::new();
        let errors = folder.join("errors");
        let log = File::create(&errors).expect("a file for what it complains about");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().expect("Node.js 20 or newer is installed");
        let stdin = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, kept) = (JoinSet::new(), Arc::clone(&lines));
        reader.spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                kept.lock().push(line);
            }
        });
        Self { name, _child: child, stdin, lines, _reader: reader, errors, _folder: folder }
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// When it has ended.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub async fn write(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.stdin.write_all(line.as_bytes()).await.expect("it still runs");
    }

    /// What it wrote to its standard output so far, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }
}

impl Drop for Node {
    #[expect(clippy::print_stderr, reason = "the test harness shows it for tests that fail")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
            eprintln!("---- {} wrote ----\n{}\n{errors}\n----", self.name, self.lines().join("\n"));
        }
    }
}
