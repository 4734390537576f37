//! One account: what it has, and what its phone does.

use super::{Answer, Control, done, within};
use crate::handle::AccountHandle;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use waproto::whatsapp::Message;

fn describe(account: &AccountHandle) -> Value {
    json!({
        "phone": account.number(),
        "jid": account.jid(),
        "lid": account.lid(),
        "push_name": account.push_name(),
        "online": account.is_online(),
        "connected": account.connected(),
        "queued": account.queued(),
        "accepted": account.accepted(),
        "arrived": account.arrived(),
        "devices": account.devices(),
    })
}

pub(super) async fn list(State(control): State<Control>) -> Json<Value> {
    Json(control.server().accounts().iter().map(describe).collect())
}

pub(super) async fn show(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    Ok(Json(describe(&control.account(&phone)?)))
}

/// A number to be registered.
#[derive(Debug, Deserialize)]
pub(super) struct NewAccount {
    phone: String,
    push_name: Option<String>,
}

pub(super) async fn create(State(control): State<Control>, Json(new): Json<NewAccount>) -> Answer {
    let account = control.server().create_account(&new.phone).await;
    if let Some(name) = &new.push_name {
        account.set_push_name(name);
    }
    Ok(Json(describe(&account)))
}

pub(super) async fn inbox(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    Ok(Json(json!(control.account(&phone)?.received())))
}

pub(super) async fn receipts(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    Ok(Json(json!(control.account(&phone)?.receipts())))
}

pub(super) async fn journal(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    Ok(Json(json!(control.account(&phone)?.journal())))
}

/// What to wait for; all that is given must hold.
#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    connected: Option<usize>,
    received: Option<u64>,
    text: Option<String>,
    settled: Option<bool>,
    within_ms: Option<u64>,
}

pub(super) async fn wait(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Query(condition): Query<Condition>,
) -> Answer {
    let account = control.account(&phone)?;
    let holds = |account: &AccountHandle| {
        let text = condition.text.as_deref();
        condition.connected.is_none_or(|wanted| account.connected() == wanted)
            && condition.received.is_none_or(|wanted| {
                account.received();
                account.arrived() >= wanted
            })
            && condition.settled.is_none_or(|wanted| (account.queued() == 0) == wanted)
            && text.is_none_or(|text| {
                account.received().iter().any(|message| message.text.as_deref() == Some(text))
            })
    };
    account
        .wait(format!("{condition:?}"), within(condition.within_ms), |account| holds(account).then_some(()))
        .await?;
    Ok(Json(describe(&account)))
}

/// A text to be sent.
#[derive(Debug, Deserialize)]
pub(super) struct Say {
    to: String,
    text: String,
    id: Option<String>,
    #[serde(default)]
    corrupt: bool,
}

pub(super) async fn say(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(say): Json<Say>,
) -> Answer {
    let account = control.account(&phone)?;
    if say.corrupt {
        let id = account.say_corrupted(&say.to, &say.text)?;
        return Ok(Json(json!({"id": id})));
    }
    let message = Message { conversation: Some(say.text), ..Message::default() };
    let id = account.send(&say.to, &message, say.id.as_deref())?;
    Ok(Json(json!({"id": id})))
}

/// A message to be read.
#[derive(Debug, Deserialize)]
pub(super) struct Read {
    id: String,
}

pub(super) async fn read(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(read): Json<Read>,
) -> Answer {
    control.account(&phone)?.read(&read.id)?;
    done()
}

/// Whom to type to.
#[derive(Debug, Deserialize)]
pub(super) struct Typing {
    to: String,
    on: bool,
}

pub(super) async fn typing(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(typing): Json<Typing>,
) -> Answer {
    control.account(&phone)?.typing(&typing.to, typing.on)?;
    done()
}
