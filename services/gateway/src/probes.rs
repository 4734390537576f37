//! `/health` and `/ready` where there is no API: of a runner, of a dispatcher, and of anything that is still starting.
//! A process that waits for its database is alive, and says what it waits for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bus::Bus;
use session_runner::Alive;
use storage::Database;
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How old an answer may be: nobody can load the database by asking.
const FRESH: Duration = Duration::from_millis(500);

/// Probes are few.
const MAX_CONNECTIONS: usize = 64;

/// What is asked about.
#[derive(Clone)]
pub(crate) struct Probes(Arc<Mutex<Stage>>);

enum Stage {
    /// It waits for this.
    Starting(&'static str),
    Running(Arc<Running>),
}

/// What must be well for a process to be ready.
pub(crate) struct Running {
    pub database: Database,
    pub bus: Bus,
    /// Of a session runner.
    pub runner: Option<Alive>,
    pub stopping: CancellationToken,
    last: tokio::sync::Mutex<Option<(Instant, Wrong)>>,
}

/// What is in the way, if anything is.
type Wrong = Option<&'static str>;

impl Running {
    pub(crate) fn new(
        database: Database,
        bus: Bus,
        runner: Option<Alive>,
        stopping: CancellationToken,
    ) -> Self {
        Self { database, bus, runner, stopping, last: tokio::sync::Mutex::default() }
    }

    async fn wrong(&self) -> Wrong {
        if self.stopping.is_cancelled() {
            return Some("it is stopping");
        }
        let mut last = self.last.lock().await;
        if let Some((at, wrong)) = *last
            && at.elapsed() < FRESH
        {
            return wrong;
        }
        let wrong = self.look().await;
        *last = Some((Instant::now(), wrong));
        wrong
    }

    async fn look(&self) -> Wrong {
        if !matches!(timeout(PATIENCE, self.database.ping()).await, Ok(Ok(()))) {
            return Some("the database does not answer");
        }
        if !self.bus.is_connected() {
            return Some("there is no connection to NATS");
        }
        if self.runner.as_ref().is_some_and(|runner| !runner.is_alive()) {
            return Some("the runner has no lease");
        }
        None
    }
}

impl Probes {
    /// Of a process that waits for its database.
    pub(crate) fn starting() -> Self {
        Self(Arc::new(Mutex::new(Stage::Starting("it waits for the database or for NATS"))))
    }

    /// From now on the process is asked itself.
    pub(crate) fn running(&self, running: Running) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Running(Arc::new(running));
    }

    /// Answers on `listener` until `stop`.
    pub(crate) async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let settings = api::Settings {
            max_connections: MAX_CONNECTIONS,
            drain_wait: Duration::from_secs(1),
            ..api::Settings::default()
        };
        let router = Router::new()
            .route("/health", get(health))
            .route("/ready", get(ready))
            .fallback(starting)
            .with_state(self);
        api::serve(listener, router, &settings, stop).await;
    }

    async fn wrong(&self) -> Wrong {
        let running = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Stage::Starting(what) => return Some(what),
            Stage::Running(running) => Arc::clone(running),
        };
        running.wrong().await
    }
}

async fn health() -> Response {
    json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())
}

async fn ready(State(probes): State<Probes>) -> Response {
    match probes.wrong().await {
        None => json(StatusCode::OK, r#"{"ready":true}"#.to_owned()),
        Some(wrong) => not_ready(wrong),
    }
}

/// Anything else: the API is not there yet, or never.
async fn starting(State(probes): State<Probes>) -> Response {
    match probes.wrong().await {
        None => json(
            StatusCode::NOT_FOUND,
            r#"{"message":"Route not found","code":"route_not_found"}"#.to_owned(),
        ),
        Some(wrong) => not_ready(wrong),
    }
}

fn not_ready(wrong: &str) -> Response {
    json(
        StatusCode::SERVICE_UNAVAILABLE,
        format!(r#"{{"ready":false,"message":"Not ready: {wrong}","code":"not_ready"}}"#),
    )
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    async fn ask(listener: &std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_process_that_starts_is_alive_and_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let asking = async {
            assert!(ask(&address, "/health").await.starts_with("HTTP/1.1 200"));
            let ready = ask(&address, "/ready").await;
            assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("waits for"), "{ready}");
            assert!(ask(&address, "/session").await.starts_with("HTTP/1.1 503"));
            stop.cancel();
        };
        tokio::join!(Probes::starting().serve(listener, stop.clone()), asking);
    }
}
