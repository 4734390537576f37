//! What the tests of handlers stand on: a router over a real database and the local bus, users and sessions in it,
//! and a [`Runner`], which is the other party: it takes sessions and answers commands as the real one does.

mod runner;
mod stream;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bus::Bus;
use dashboard::Dashboard;
use domain::{Clock as _, ManualClock, RunnerId, Timestamp, UserId, event::InboundMessage};
use media::{Links, MediaStore};
use secrets::{KeyRing, KeyedHash, Passwords};
use serde_json::Value;
use storage::{Database, NewUser, Options, RunnerRegistration, Started};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

pub(crate) use runner::{Runner, RunnerPlan};
use stream::EventStream;

use crate::{
    router,
    state::{ApiState, Parts, Settings},
};

pub(crate) struct Rig {
    pub(crate) state: ApiState,
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) shutdown: CancellationToken,
    pub(crate) passwords: Passwords,
    clock: Arc<ManualClock>,
    router: Router,
    folder: Arc<tempfile::TempDir>,
}

/// How long anything may take that should take a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something comes true.
pub(crate) async fn until(what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !probe().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what}: it did not come"));
}

/// An object with more fields, or with others.
pub(crate) fn with(object: &Value, fields: &Value) -> Value {
    let mut object = object.as_object().unwrap().clone();
    object.extend(fields.as_object().unwrap().clone());
    Value::Object(object)
}

/// A text that came in from a person.
pub(crate) fn received(id: &str, text: &str) -> InboundMessage {
    InboundMessage {
        message_id: id.into(),
        chat: "100200@lid".into(),
        sender: "100200@lid".into(),
        chat_alt: None,
        sender_alt: None,
        push_name: None,
        text: Some(text.into()),
        kind: "text".into(),
        detail: None,
        sent_at: Timestamp(1),
        replayed: false,
        media: None,
    }
}

/// A user, whose password is the name and `:pass`.
pub(crate) struct TestUser {
    pub(crate) id: UserId,
    pub(crate) username: String,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// With one user: `admin`, whose password is `admin`.
    pub(crate) async fn with(settings: Settings) -> Self {
        Self::with_dashboard(settings, Dashboard::default()).await
    }

    /// The same, in a program with a dashboard.
    pub(crate) async fn with_dashboard(settings: Settings, dashboard: Dashboard) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_795_376_171_500)));
        let keys = Arc::new(KeyRing::parse(&KeyRing::generate()).unwrap());
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let database = Database::open(&Options::new(url), Arc::clone(&keys), clock.clone()).await.unwrap();
        let passwords = Passwords::new(4, 2);
        database.put_admin("admin", &passwords.hash(&"admin".into()).await.unwrap()).await.unwrap();
        let (bus, shutdown) = (Bus::local(), CancellationToken::new());
        let (media, links) = files(&folder);
        let parts = Parts {
            webhooks: sender(&database, &keys, &clock),
            keys: KeyRing::clone(&keys),
            egress: egress(),
            database,
            bus,
            media,
            links,
            passwords,
            keyed_hash: KeyedHash::random(),
            clock: clock.clone(),
            dashboard,
            settings,
            shutdown,
        };
        Self::assemble(parts, clock, Arc::new(folder))
    }

    /// Another process on the same database and bus.
    pub(crate) fn another(&self) -> Self {
        let (media, links) = files(&self.folder);
        let parts = Parts {
            keys: self.state.keys.clone(),
            egress: self.state.egress.clone(),
            database: self.database.clone(),
            bus: self.bus.clone(),
            media,
            links,
            passwords: self.passwords.clone(),
            keyed_hash: KeyedHash::random(),
            clock: self.clock.clone(),
            webhooks: self.state.webhooks.clone(),
            dashboard: self.state.dashboard.clone(),
            settings: self.state.settings.clone(),
            shutdown: self.shutdown.clone(),
        };
        Self::assemble(parts, Arc::clone(&self.clock), Arc::clone(&self.folder))
    }

    fn assemble(parts: Parts, clock: Arc<ManualClock>, folder: Arc<tempfile::TempDir>) -> Self {
        let Parts { database, bus, passwords, shutdown, .. } = &parts;
        let (database, bus) = (database.clone(), bus.clone());
        let (passwords, shutdown) = (passwords.clone(), shutdown.clone());
        let state = ApiState::new(parts);
        let router = router(state.clone());
        Self { state, database, bus, shutdown, passwords, clock, router, folder }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) async fn user(&self, username: &str) -> TestUser {
        let password_hash = self.passwords.hash(&format!("{username}:pass").into()).await.unwrap();
        let user = NewUser { username: username.to_owned(), password_hash };
        let user = self.database.create_user(&user).await.unwrap().unwrap();
        TestUser { id: user.id, username: user.username }
    }

    /// Logs a user in; returns the cookie.
    pub(crate) async fn log_in(&self, user: &TestUser) -> String {
        let body =
            serde_json::json!({"username": user.username, "password": format!("{}:pass", user.username)});
        let answer = self.post("/auth/login", &body).anonymous().send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// Makes a key of a user.
    pub(crate) async fn key(&self, user: &TestUser, scopes: &[&str]) -> String {
        made_key(&self.post("/api-keys", &new_key(scopes)).by(user).send().await)
    }

    /// Makes a key of the admin.
    pub(crate) async fn admin_key(&self, scopes: &[&str]) -> String {
        made_key(&self.post("/api-keys", &new_key(scopes)).send().await)
    }

    /// A session of the admin's that is wanted and not connected.
    pub(crate) async fn session(&self, name: &str) {
        self.make_session(UserId::ADMIN, name).await;
    }

    pub(crate) async fn session_of(&self, user: &TestUser, name: &str) {
        self.make_session(user.id, name).await;
    }

    async fn make_session(&self, user: UserId, name: &str) {
        let started = self.database.start_session(user, name).await.unwrap();
        assert!(matches!(started, Started::Session(_)), "{name} is taken");
    }

    /// A session of the admin's that is on line, and the runner that holds it.
    pub(crate) async fn linked(&self, name: &str) -> Runner {
        let runner = self.runner().connects().start().await;
        let answer = self.post("/session/start", &serde_json::json!({"session": name})).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        runner
    }

    /// Says that events of the admin's sessions are stored.
    pub(crate) fn hint_events(&self) {
        crate::announce::events_stored(&self.bus, UserId::ADMIN);
    }

    pub(crate) fn hint_events_of(&self, user: &TestUser) {
        crate::announce::events_stored(&self.bus, user.id);
    }

    pub(crate) fn runner(&self) -> RunnerPlan {
        RunnerPlan::new(self.database.clone(), self.bus.clone(), self.clock.clone())
    }

    /// A runner that is registered and does nothing.
    pub(crate) async fn idle_runner(&self, name: &str) -> RunnerId {
        let id = RunnerId::new();
        let runner = RunnerRegistration {
            id,
            name: name.into(),
            version: "0".into(),
            capacity: 100,
            place: storage::Placement::default(),
        };
        self.database.register_runner(&runner, Duration::from_hours(1)).await.unwrap();
        id
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Call {
        self.request("POST", path).header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Call {
        self.request("PUT", path).header("content-type", "application/json").body(body.to_string())
    }

    /// A request by the admin.
    pub(crate) fn request(&self, method: &str, path: &str) -> Call {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        Call { router: self.router(), request }.basic("admin", "admin")
    }
}

/// Waits for something that happens sooner than memory ages by itself.
pub(crate) async fn soon(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(Duration::from_secs(3), wait).await.is_ok(), "{what}");
}

fn new_key(scopes: &[&str]) -> Value {
    serde_json::json!({"name": "a key", "scopes": scopes})
}

fn made_key(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["data"]["key"].as_str().unwrap().to_owned()
}

/// Where files are, and what signs links to them.
fn files(folder: &tempfile::TempDir) -> (MediaStore, Links) {
    let media = MediaStore::in_folder(&folder.path().join("media")).unwrap();
    let base = "https://gateway.example".parse().unwrap();
    let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
    (media, Links::new(Some(base), Duration::from_hours(1), keys))
}

fn egress() -> egress::Client {
    let allow = vec!["127.0.0.1/32".parse().unwrap()];
    egress::Client::new(egress::EgressOptions { allow, ..Default::default() }).unwrap()
}

/// Sends webhooks, also to this machine by 127.0.0.1.
fn sender(database: &Database, keys: &KeyRing, clock: &Arc<ManualClock>) -> webhooks::Sender {
    let parts = webhooks::Parts {
        database: database.clone(),
        egress: egress(),
        keys: keys.clone(),
        clock: Arc::<ManualClock>::clone(clock),
    };
    webhooks::Sender::new(parts, &webhooks::Settings::default()).unwrap()
}

/// A request to be.
pub(crate) struct Call {
    router: Router,
    request: Request<Body>,
}

impl Call {
    pub(crate) fn by(self, user: &TestUser) -> Self {
        let password = format!("{}:pass", user.username);
        self.basic(&user.username, &password)
    }

    pub(crate) fn basic(self, name: &str, password: &str) -> Self {
        self.header("authorization", &format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
    }

    /// From a page of this gateway, with the cookie of a login.
    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.anonymous().header("cookie", cookie).header("sec-fetch-site", "same-origin")
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        let value = format!("Bearer {token}");
        let mut call = self;
        let value = axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        call.request.headers_mut().insert(header::AUTHORIZATION, value);
        call
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.request.headers_mut().remove(header::AUTHORIZATION);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn extension<T: Clone + Send + Sync + 'static>(mut self, extension: T) -> Self {
        self.request.extensions_mut().insert(extension);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// The body, when it is no text.
    pub(crate) async fn bytes(self) -> Vec<u8> {
        let response = self.router.oneshot(self.request).await.unwrap();
        assert_eq!(response.status(), 200);
        to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    /// Server-sent events, read as they come.
    pub(crate) async fn open(self) -> EventStream {
        let response = self.router.oneshot(self.request).await.unwrap();
        assert_eq!(response.status(), 200);
        EventStream::new(response)
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.router.oneshot(self.request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }

    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: &str, message: &str) {
        assert_eq!((self.status, self.code().as_str(), self.message().as_str()), (status, code, message));
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
