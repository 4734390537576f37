//! The gateway as several processes: APIs, session runners and webhook dispatchers on one PostgreSQL and one NATS.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use fake_whatsapp::FakeWhatsApp;
use scratch::{Dir, Process, free_port};
use serde_json::{Value, json};

use crate::{
    Exit, PATIENCE, Proxy, Rest, eventually,
    gateway::{binary, clean_environment},
};

/// The same in all processes of a cluster.
const KEY: &str = "3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Api,
    SessionRunner,
    WebhookDispatcher,
}

impl Role {
    /// The subcommand.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::SessionRunner => "session-runner",
            Self::WebhookDispatcher => "webhook-dispatcher",
        }
    }
}

/// What the processes of a cluster share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// `postgres://user@host:port/name`.
    pub database: String,
    /// `nats://host:port`.
    pub nats: String,
    /// `ws://host:port/path`.
    pub whatsapp: String,
    /// Where webhooks go.
    pub webhooks: String,
    /// More settings, or others, for all of them.
    pub settings: Vec<(String, String)>,
}

/// One process, with wires of its own to what it needs.
#[derive(Debug)]
pub struct Member {
    role: Role,
    name: String,
    // Ends before its folder goes.
    process: Option<Process>,
    /// The processes before; their output is shown when the test fails.
    ended: Vec<Process>,
    settings: BTreeMap<String, String>,
    port: u16,
    folder: Dir,
    /// To PostgreSQL.
    pub to_database: Proxy,
    /// To NATS.
    pub to_nats: Proxy,
    /// To WhatsApp.
    pub to_whatsapp: Proxy,
}

impl Member {
    /// One that is not started.
    pub async fn prepare(shared: &Shared, role: Role, name: &str) -> Self {
        let to_database = Proxy::start(&host(&shared.database)).await;
        let to_nats = Proxy::start(&host(&shared.nats)).await;
        let to_whatsapp = Proxy::start(&host(&shared.whatsapp)).await;
        let through = |url: &str, proxy: &Proxy| url.replacen(&host(url), &proxy.address(), 1);
        let port = free_port();
        let mut settings = BTreeMap::new();
        let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
        // A name of its own also in PostgreSQL's eyes.
        let database = format!("{}?application_name={name}", through(&shared.database, &to_database));
        set("DATABASE_URL", database);
        set("NATS_URL", through(&shared.nats, &to_nats));
        set("WHATSAPP_URL", through(&shared.whatsapp, &to_whatsapp));
        set("WEBHOOK_BASE_URL", shared.webhooks.clone());
        set("SECRET_KEYS", KEY.to_owned());
        set("RUNNER_NAME", name.to_owned());
        set("HOST", "127.0.0.1".to_owned());
        set("EGRESS_ALLOW", "127.0.0.0/8".to_owned());
        set("BCRYPT_COST", "4".to_owned());
        set("DATABASE_MAX_CONNECTIONS", "8".to_owned());
        set("RUST_LOG", "info,whatsapp_rust=warn,wacore=warn,sqlx=warn".to_owned());
        set("LOG_FORMAT", "text".to_owned());
        match role {
            Role::Api => set("PORT", port.to_string()),
            Role::SessionRunner | Role::WebhookDispatcher => set("HEALTH_ADDR", format!("127.0.0.1:{port}")),
        };
        for (name, value) in &shared.settings {
            settings.insert(name.clone(), value.clone());
        }
        Self {
            role,
            name: name.to_owned(),
            process: None,
            ended: Vec::new(),
            settings,
            port,
            folder: Dir::new(),
            to_database,
            to_nats,
            to_whatsapp,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Sets a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Leaves a setting out at the next start.
    pub fn unset(&mut self, name: &str) {
        self.settings.remove(name);
    }

    /// Starts it without waiting.
    pub fn launch(&mut self) {
        self.process = Some(self.start());
    }

    /// Starts it and waits until it is ready.
    pub async fn up(&mut self) {
        self.launch();
        self.ready().await;
    }

    /// Waits until it is ready.
    pub async fn ready(&mut self) {
        let url = self.url("/ready");
        if let Some(process) = &mut self.process {
            process.ready(&url, PATIENCE).await;
        }
    }

    /// A URL of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Somebody who calls it; only an API says more than how it is.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::admin(self.port)
    }

    /// Starts a process that should end by itself, and waits for that.
    pub async fn run_to_its_end(&self) -> Exit {
        let mut process = self.start();
        let code = process.wait(PATIENCE).await;
        Exit { code, said: process.log() }
    }

    /// Runs another subcommand with the same settings.
    pub async fn run(&self, arguments: &[&str]) -> Exit {
        let mut process = Process::start(&self.name, &self.command(arguments));
        let code = process.wait(PATIENCE).await;
        Exit { code, said: process.log() }
    }

    fn start(&self) -> Process {
        Process::start(&self.name, &self.command(&[self.role.name()]))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("wa-gateway"));
        clean_environment(&mut command);
        command.args(arguments).envs(&self.settings);
        command.env("DATA_DIR", self.folder.path()).current_dir(self.folder.path());
        command
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
        tokio::task::block_in_place(|| process.terminate());
        let code = process.wait(PATIENCE).await;
        self.ended.push(process);
        (code, began.elapsed())
    }

    /// `STOP`, `CONT` and the like.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            tokio::task::block_in_place(|| process.signal(name));
        }
    }

    /// All that it and those before it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        self.ended.iter().chain(&self.process).map(Process::log).collect()
    }

    /// The id of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Process::pid)
    }

    /// Whether its process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.exit_code().is_none())
    }

    /// Keeps what it wrote, for a look after the test.
    pub fn save_log(&self, folder: &std::path::Path) -> std::io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.log", self.name));
        fs::write(&path, self.log())?;
        Ok(path)
    }
}

/// `host:port` of a URL.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// Links a number through one API: starts a session, scans its QR code with the phone, waits until it is connected.
///
/// # Panics
/// When any of it does not happen in time.
#[expect(clippy::expect_used, reason = "the test cannot go on without it")]
pub async fn link(api: &Rest, whatsapp: &FakeWhatsApp, name: &str, phone: &str) {
    let answer = eventually("an answer to a start", PATIENCE, async || {
        let answer = api.post("/session/start", json!({"session": name})).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    let qr = answer.json["qr"].as_str().unwrap_or_default().to_owned();
    assert!(!qr.is_empty(), "a session that is not linked has a QR code: {}", answer.text);
    whatsapp.scan(Some(phone), &qr).await.expect("the phone accepts the QR code");
    connected(api, name).await;
}

/// Waits until a session is connected; returns what is said about it.
///
/// # Panics
/// When it is not in time.
pub async fn connected(api: &Rest, name: &str) -> Value {
    eventually(&format!("session {name} connected"), PATIENCE, async || {
        let status = api.get(&format!("/status/{name}")).await;
        (status.json["state"] == "connected").then_some(status.json)
    })
    .await
}
