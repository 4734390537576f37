//! `GET /ready`: the process can serve. Says in words what is in the way.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{extract::State, http::StatusCode, response::Response};
use moka::future::Cache;
use serde::Serialize;
use storage::Error;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{json, state::ApiState};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How old an answer may be: nobody can load the database by asking.
const FRESH: Duration = Duration::from_millis(500);

/// The last answer.
pub(crate) struct Readiness {
    last: Cache<(), Answer>,
    /// The bus was there once: its address is right, so that what is wrong with it may pass.
    once_connected: AtomicBool,
}

impl Default for Readiness {
    fn default() -> Self {
        let last = Cache::builder().max_capacity(1).time_to_live(FRESH).build();
        Self { last, once_connected: AtomicBool::new(false) }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Ready)]
pub(crate) struct Answer {
    ready: bool,
    /// `ok`, or what is wrong with it.
    #[schema(example = "ok")]
    database: &'static str,
    /// `ok`, or what is wrong with it. Once it was there, its loss keeps nobody out: messages are taken and wait.
    #[schema(example = "ok")]
    bus: &'static str,
    /// The first of these that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// Can the process serve?
#[utoipa::path(
    get, path = "/ready", tag = "system", operation_id = "ready", security(()),
    responses(
        (status = 200, description = "It can", body = Answer),
        (status = 503, description = "It cannot; `message` says why", body = Answer,
            example = json!({"ready": false, "database": "it did not answer within 2 s", "bus": "ok",
                "message": "The database: it did not answer within 2 s", "code": "not_ready"})),
    )
)]
pub(crate) async fn handler(State(state): State<ApiState>) -> Response {
    let ready = state.readiness.last.get_with((), look(&state)).await;
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json::answer(status, &ready)
}

async fn look(state: &ApiState) -> Answer {
    let database = match timeout(PATIENCE, state.database.ping()).await {
        Ok(Ok(())) => "ok",
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database does not work");
            in_words(&error)
        }
        Err(_) => "it did not answer within 2 s",
    };
    let connected = state.bus.is_connected();
    let once_connected = state.readiness.once_connected.fetch_or(connected, Ordering::Relaxed);
    Answer::of(database, connected, once_connected)
}

impl Answer {
    fn of(database: &'static str, connected: bool, once_connected: bool) -> Self {
        let bus = if connected { "ok" } else { "there is no connection to NATS" };
        let parts = [("database", database, database == "ok"), ("bus", bus, connected || once_connected)];
        let wrong = parts.into_iter().find(|(.., serves)| !serves);
        Self {
            ready: wrong.is_none(),
            database,
            bus,
            message: wrong.map(|(part, words, _)| format!("The {part}: {words}")),
            code: wrong.map(|_| "not_ready"),
        }
    }
}

/// What anybody may know: the details are in the log.
pub(crate) const fn in_words(error: &Error) -> &'static str {
    match error {
        Error::Unavailable(_) => "it cannot be reached, or it is overloaded",
        Error::Full(_) => "it has no room left",
        Error::LeaseLost | Error::Unreadable { .. } | Error::Refused(_) => "it does not work as it should",
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use crate::testing::Rig;

    #[test]
    fn the_bus_must_have_been_there_once() {
        let gone = "there is no connection to NATS";
        for (database, connected, once_connected, ready, bus) in [
            ("ok", true, false, true, "ok"),
            ("ok", false, true, true, gone),
            ("ok", false, false, false, gone),
            ("it has no room left", true, true, false, "ok"),
        ] {
            let answer = Answer::of(database, connected, once_connected);
            assert_eq!((answer.ready, answer.bus), (ready, bus), "{database} {connected} {once_connected}");
            assert_eq!(answer.message.is_none(), ready);
        }
    }

    #[tokio::test]
    async fn it_says_what_is_wrong() {
        let rig = Rig::new().await;
        let ready = rig.get("/ready").anonymous().send().await;
        ready.is(200, r#"{"ready":true,"database":"ok","bus":"ok"}"#);

        let rig = Rig::new().await;
        rig.database.close().await;
        let answer = rig.get("/ready").anonymous().send().await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["message"], "The database: it cannot be reached, or it is overloaded");
        assert_eq!(answer.json()["code"], "not_ready");
    }
}
