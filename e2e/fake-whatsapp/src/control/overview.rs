//! The server as a whole, and its groups.

use super::{Answer, Control, ROUTES};
use crate::ledger::Ledger;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) async fn index(State(control): State<Control>) -> Json<Value> {
    let server = control.server();
    let routes: serde_json::Map<String, Value> =
        ROUTES.iter().map(|(route, what)| ((*route).to_owned(), Value::from(*what))).collect();
    Json(json!({
        "chat_url": server.chat_url(),
        "chat_tls_url": server.chat_tls_url(),
        "media_host": server.media_host(),
        "media_tls_host": server.media_tls_host(),
        "certificate": server.certificate(),
        "root_key": server.root_key(),
        "connections": server.connections(),
        "accepted": server.accepted(),
        "unhandled": server.unhandled_count(),
        "routes": routes,
    }))
}

pub(super) async fn ledger(State(control): State<Control>) -> Json<Ledger> {
    Json(control.server().ledger())
}

pub(super) async fn unhandled(State(control): State<Control>) -> Json<Value> {
    let server = control.server();
    Json(json!({"count": server.unhandled_count(), "stanzas": server.unhandled()}))
}

/// A group to be made.
#[derive(Debug, Deserialize)]
pub(super) struct NewGroup {
    creator: String,
    subject: String,
    #[serde(default)]
    members: Vec<String>,
}

pub(super) async fn create_group(State(control): State<Control>, Json(group): Json<NewGroup>) -> Answer {
    let members: Vec<&str> = group.members.iter().map(String::as_str).collect();
    let jid = control.server().create_group(&group.creator, &group.subject, &members)?;
    Ok(Json(json!({"jid": jid})))
}

pub(super) async fn groups(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    Ok(Json(json!(control.account(&phone)?.groups())))
}
