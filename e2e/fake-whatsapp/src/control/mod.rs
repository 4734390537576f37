//! The control API: what a test in another process, or a person with `curl`, can do. Everything here is also a method of
//! [`FakeWhatsApp`] or of [`AccountHandle`].

mod account;
mod faults;
mod overview;
mod pairing;

use crate::error::Error;
use crate::handle::AccountHandle;
use crate::inner::Inner;
use crate::server::FakeWhatsApp;
use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// All routes, for people: what `GET /` answers.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("GET /", "this list, and the addresses of the server"),
    ("POST /scan", "{phone?, qr}: scan a QR code with the phone of a number, or with a new phone"),
    ("POST /pair-code", "{phone, code}: enter a pairing code; waits up to 10 s for a client to ask for one"),
    ("GET /accounts", "accounts with their devices, connections and counts"),
    ("POST /accounts", "{phone, push_name?}: register a number"),
    ("GET /accounts/{phone}", "one account"),
    ("GET /accounts/{phone}/inbox", "what its phone has received"),
    ("GET /accounts/{phone}/receipts", "the receipts its phone has got"),
    ("GET /accounts/{phone}/journal", "its last stanzas (needs --journal)"),
    (
        "GET /accounts/{phone}/wait",
        "?connected=&received=&text=&settled=&within_ms=: long-poll for a condition",
    ),
    (
        "POST /accounts/{phone}/say",
        "{to, text, id?, corrupt?}: send a text from the phone; to is a number or an address",
    ),
    ("POST /accounts/{phone}/read", "{id}: the phone reads a message"),
    ("POST /accounts/{phone}/typing", "{to, on}: the phone types to somebody"),
    (
        "POST /accounts/{phone}/kick",
        "{kind, device?}: drop, close, replaced, removed, 401, 409, 429, 503, 515, 516; all companions without device",
    ),
    ("POST /accounts/{phone}/stall", "{on}: sockets stay open, nothing is read or written"),
    ("POST /accounts/{phone}/hold", "{on}: nothing is relayed to the companions until released"),
    (
        "POST /accounts/{phone}/fail-login",
        "{failure, always?}: logged-out, banned, outdated, locked, unavailable, {\"temporary-ban\":{code,expire}}, \
         {\"reason\":n}; with always until failure is null",
    ),
    ("POST /accounts/{phone}/ban", "end the connections, refuse logins for good"),
    ("POST /accounts/{phone}/outdate", "end the connections, refuse logins as too old"),
    ("POST /accounts/{phone}/nack", "{code, times?}: refuse the next messages (463, 406, 429, …)"),
    ("POST /accounts/{phone}/swallow-acks", "{count}: accept messages without saying so"),
    ("POST /accounts/{phone}/exhaust-prekeys", "{device?, notify?}: take the one-time prekeys away"),
    ("POST /accounts/{phone}/change-identity", "set the phone up anew; companions are unlinked"),
    ("POST /groups", "{creator, subject, members}: make a group"),
    ("GET /groups/{phone}", "the groups an account is in"),
    ("POST /delay", "{kind?, millis}: delay answers, all or of one kind; 0 ends it"),
    (
        "POST /media/fault",
        "{fault, upload?, times?}: {\"status\":404}, {\"slow\":ms}, {\"trickle\":ms}, cut, wrong-bytes",
    ),
    ("DELETE /media/fault", "the media host is well again"),
    ("POST /media/expire", "forget all files"),
    ("GET /ledger", "every accepted message and what became of it on each device"),
    ("GET /unhandled", "stanzas that nobody handled"),
];

/// What a control request fails with.
pub(crate) struct Refused(Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match &self.0 {
            Error::Unknown(_) => StatusCode::NOT_FOUND,
            Error::Deadline { .. } => StatusCode::REQUEST_TIMEOUT,
            Error::PairingCode(_) => StatusCode::BAD_REQUEST,
            Error::PairingRefused(_) => StatusCode::CONFLICT,
            Error::Listen(_) | Error::Certificate(_) | Error::Signal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({"error": self.0.to_string()}))).into_response()
    }
}

type Answer<T = serde_json::Value> = Result<Json<T>, Refused>;

#[expect(clippy::unnecessary_wraps, reason = "the last expression of handlers that can fail")]
fn done() -> Answer {
    Ok(Json(json!({"ok": true})))
}

fn within(millis: Option<u64>) -> Duration {
    Duration::from_millis(millis.unwrap_or(10_000))
}

/// What the handlers work on.
#[derive(Clone)]
pub(crate) struct Control(Arc<Inner>);

impl Control {
    fn server(&self) -> FakeWhatsApp {
        FakeWhatsApp::from_inner(&self.0)
    }

    fn account(&self, number: &str) -> Result<AccountHandle, Refused> {
        Ok(self.server().account(number)?)
    }
}

/// All routes.
pub(crate) fn router(inner: &Arc<Inner>) -> Router {
    Router::new()
        .route("/", get(overview::index))
        .route("/ledger", get(overview::ledger))
        .route("/unhandled", get(overview::unhandled))
        .route("/scan", post(pairing::scan))
        .route("/pair-code", post(pairing::enter_code))
        .route("/accounts", get(account::list).post(account::create))
        .route("/accounts/{phone}", get(account::show))
        .route("/accounts/{phone}/inbox", get(account::inbox))
        .route("/accounts/{phone}/receipts", get(account::receipts))
        .route("/accounts/{phone}/journal", get(account::journal))
        .route("/accounts/{phone}/wait", get(account::wait))
        .route("/accounts/{phone}/say", post(account::say))
        .route("/accounts/{phone}/read", post(account::read))
        .route("/accounts/{phone}/typing", post(account::typing))
        .route("/accounts/{phone}/kick", post(faults::kick))
        .route("/accounts/{phone}/stall", post(faults::stall))
        .route("/accounts/{phone}/hold", post(faults::hold))
        .route("/accounts/{phone}/fail-login", post(faults::fail_login))
        .route("/accounts/{phone}/ban", post(faults::ban))
        .route("/accounts/{phone}/outdate", post(faults::outdate))
        .route("/accounts/{phone}/nack", post(faults::nack))
        .route("/accounts/{phone}/swallow-acks", post(faults::swallow_acks))
        .route("/accounts/{phone}/exhaust-prekeys", post(faults::exhaust_prekeys))
        .route("/accounts/{phone}/change-identity", post(faults::change_identity))
        .route("/groups", post(overview::create_group))
        .route("/groups/{phone}", get(overview::groups))
        .route("/delay", post(faults::delay))
        .route("/media/fault", post(faults::media).delete(faults::clear_media))
        .route("/media/expire", post(faults::expire_media))
        .with_state(Control(Arc::clone(inner)))
}
