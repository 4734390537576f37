//! One gateway process: started, killed, and started again on the same data.

use std::{
    collections::BTreeMap,
    env, fs,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use scratch::{Dir, Process, free_port, postgres_url};
use serde_json::{Value, json};

use crate::{PATIENCE, Rest, Storage, World, eventually};

/// What of the test's own environment the gateway gets to see.
const INHERITED: &[&str] = &["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE", "LD_LIBRARY_PATH"];

/// How a process ended.
#[derive(Debug)]
pub struct Exit {
    pub code: Option<i32>,
    /// All that it wrote.
    pub said: String,
}

/// A gateway with a folder, a port and a database of its own. Calls its API as the admin.
pub struct Gateway {
    // Ends before its folder goes.
    process: Option<Process>,
    /// The processes before; kept because their output is shown when the test fails.
    ended: Vec<Process>,
    folder: Dir,
    data: PathBuf,
    settings: BTreeMap<String, String>,
    whatsapp: fake_whatsapp::FakeWhatsApp,
    rest: Rest,
}

impl Gateway {
    /// Starts one and waits until it is ready.
    pub async fn start(world: &World) -> Self {
        Self::start_with(world, &[]).await
    }

    /// The same with more settings, or with others.
    pub async fn start_with(world: &World, settings: &[(&str, &str)]) -> Self {
        let mut gateway = Self::prepare(world);
        for (name, value) in settings {
            gateway.set(name, value);
        }
        gateway.up().await;
        gateway
    }

    /// One that is not started.
    #[must_use]
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub fn prepare(world: &World) -> Self {
        let folder = Dir::new();
        let data = folder.join("data");
        fs::create_dir(&data).expect("a folder for data");
        let port = free_port();
        let mut gateway = Self {
            process: None,
            ended: Vec::new(),
            folder,
            data,
            settings: BTreeMap::new(),
            whatsapp: world.whatsapp.clone(),
            rest: Rest::admin(port),
        };
        gateway.set("HOST", "127.0.0.1");
        gateway.set("PORT", &port.to_string());
        gateway.set("WHATSAPP_URL", &world.whatsapp.chat_url());
        gateway.set("WEBHOOK_BASE_URL", &world.webhooks.url());
        gateway.set("EGRESS_ALLOW", "127.0.0.0/8");
        gateway.set("BCRYPT_COST", "4");
        gateway.set("RUST_LOG", "info,whatsapp_rust=warn,wacore=warn,sqlx=warn");
        gateway.set("LOG_FORMAT", "text");
        if world.storage == Storage::Postgres {
            gateway.set("DATABASE_URL", &postgres_url().expect("PostgreSQL"));
        }
        gateway
    }

    /// Sets a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Leaves a setting out at the next start.
    pub fn unset(&mut self, name: &str) {
        self.settings.remove(name);
    }

    /// Keeps its data in another folder from the next start on.
    pub fn keep_data_in(&mut self, folder: &Path) {
        folder.clone_into(&mut self.data);
    }

    /// The folder that it runs in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.settings["PORT"])
    }

    /// Its `DATA_DIR`.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The file of its SQLite database.
    #[must_use]
    pub fn database_file(&self) -> PathBuf {
        self.data.join("gateway.db")
    }

    /// The URL of its PostgreSQL database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.settings.get("DATABASE_URL").map_or("", String::as_str)
    }

    /// Starts the process and waits until it is ready to serve; returns how long that took.
    pub async fn up(&mut self) -> Duration {
        let began = Instant::now();
        let mut process = self.launch();
        process.ready(&format!("http://127.0.0.1:{}/ready", self.settings["PORT"]), PATIENCE).await;
        self.process = Some(process);
        began.elapsed()
    }

    /// Starts a process that should end by itself, and waits for that.
    pub async fn run_to_its_end(&self) -> Exit {
        let mut process = self.launch();
        let code = process.wait(PATIENCE).await;
        Exit { code, said: process.log() }
    }

    /// Runs the program with a subcommand on the same data, and waits for its end.
    pub async fn run(&self, arguments: &[&str]) -> Exit {
        let mut command = self.command();
        command.args(arguments);
        let mut process = Process::start("wa-gateway", &command);
        let code = process.wait(PATIENCE).await;
        Exit { code, said: process.log() }
    }

    fn launch(&self) -> Process {
        Process::start("wa-gateway", &self.command())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary("wa-gateway"));
        clean_environment(&mut command);
        // Its own folder, so that no `.env` of the developer's is found.
        command.envs(&self.settings).env("DATA_DIR", &self.data).current_dir(self.folder.path());
        command
    }

    /// A file in its folder, beside its data.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        tokio::task::block_in_place(|| process.kill());
        self.ended.push(process);
    }

    /// SIGTERM, then waits for the end; returns the exit code, and how long that took.
    pub async fn terminate(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let Some(mut process) = self.process.take() else { return (None, Duration::ZERO) };
        process.terminate();
        let code = process.wait(PATIENCE).await;
        self.ended.push(process);
        (code, began.elapsed())
    }

    /// SIGTERM and another start.
    pub async fn restart(&mut self) {
        self.terminate().await;
        self.up().await;
    }

    /// Stops it in the middle of what it does, until [`Gateway::kill`] or [`Gateway::thaw`].
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            tokio::task::block_in_place(|| process.signal(name));
        }
    }

    /// The id of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Process::pid)
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.exit_code().is_none())
    }

    /// Waits until its log has a line with these words.
    #[track_caller]
    pub fn logged(&self, words: &str) -> impl Future<Output = ()> {
        let what = format!("{words:?} in the gateway's log");
        let found =
            move || self.process.as_ref().is_some_and(|process| process.log().contains(words)).then_some(());
        eventually(&what, PATIENCE, async move || found())
    }

    /// Starts a session; returns the QR code to scan.
    pub async fn offer(&self, name: &str) -> String {
        let answer = self.post("/session/start", json!({"session": name})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["session"], name, "{}", answer.text);
        let qr = answer.json["qr"].as_str().unwrap_or_default();
        assert!(!qr.is_empty(), "a session that is not linked has a QR code: {}", answer.text);
        qr.to_owned()
    }

    /// Links a number: starts a session, scans its QR code with the phone, waits until it is connected.
    #[expect(clippy::expect_used, reason = "the test cannot go on without it")]
    pub async fn link(&self, name: &str, phone: &str) {
        let qr = self.offer(name).await;
        self.whatsapp.scan(Some(phone), &qr).await.expect("the phone accepts the QR code");
        self.connected(name).await;
    }

    /// What the gateway says about a session.
    pub async fn status(&self, name: &str) -> Value {
        let answer = self.get(&format!("/status/{name}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json
    }

    /// Waits until a session is connected; returns what is said about it.
    #[track_caller]
    pub fn connected(&self, name: &str) -> impl Future<Output = Value> {
        self.state(name, "connected")
    }

    /// Waits until a session is in this state; returns what is said about it.
    #[track_caller]
    pub fn state(&self, name: &str, state: &str) -> impl Future<Output = Value> {
        let what = format!("session {name} in state {state}");
        eventually(&what, PATIENCE, async move || {
            let status = self.status(name).await;
            (status["state"] == state).then_some(status)
        })
    }

    /// Somebody who calls the API and does not notice when the process is another one.
    #[must_use]
    pub fn rest(&self) -> Rest {
        self.rest.clone()
    }
}

impl Deref for Gateway {
    type Target = Rest;

    fn deref(&self) -> &Rest {
        &self.rest
    }
}

/// Leaves nothing of the test's own environment but what every program needs.
pub(crate) fn clean_environment(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if !INHERITED.iter().any(|inherited| name == *inherited) {
            command.env_remove(name);
        }
    }
}

/// A program of this workspace, built in the same folder as the tests, which are in a folder in there, or as another
/// program.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let us = env::current_exe().unwrap_or_default();
    let mut folder = us.parent().unwrap_or(Path::new(""));
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    let binary = folder.join(name);
    assert!(
        binary.is_file(),
        "{} is not there; build it with: cargo build --workspace --bins --features wa-gateway/fake-whatsapp",
        binary.display()
    );
    binary
}
