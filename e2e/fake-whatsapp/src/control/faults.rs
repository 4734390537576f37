//! What goes wrong on purpose.

use super::{Answer, Control, done};
use crate::faults::{Delay, Failure, Kick, MediaFault};
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

/// A connection to be taken away.
#[derive(Debug, Deserialize)]
pub(super) struct KickRequest {
    kind: Kick,
    device: Option<u16>,
}

pub(super) async fn kick(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(request): Json<KickRequest>,
) -> Answer {
    let account = control.account(&phone)?;
    let kicked = match request.device {
        Some(device) => usize::from(account.kick(device, request.kind)),
        None => account.kick_all(request.kind),
    };
    Ok(Json(json!({"kicked": kicked})))
}

/// Something to be switched on or off.
#[derive(Debug, Deserialize)]
pub(super) struct Switch {
    on: bool,
}

pub(super) async fn stall(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(switch): Json<Switch>,
) -> Answer {
    control.account(&phone)?.stall(switch.on);
    done()
}

pub(super) async fn hold(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(switch): Json<Switch>,
) -> Answer {
    let account = control.account(&phone)?;
    if switch.on {
        account.hold();
    } else {
        account.release();
    }
    done()
}

/// A login to be refused.
#[derive(Debug, Deserialize)]
pub(super) struct FailLogin {
    failure: Option<Failure>,
    #[serde(default)]
    always: bool,
}

pub(super) async fn fail_login(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(request): Json<FailLogin>,
) -> Answer {
    let account = control.account(&phone)?;
    match request.failure {
        Some(failure) if !request.always => account.fail_next_login(failure),
        failure => account.refuse_logins(failure),
    }
    done()
}

pub(super) async fn ban(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    control.account(&phone)?.ban();
    done()
}

pub(super) async fn outdate(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    control.account(&phone)?.outdate();
    done()
}

/// Messages to be refused.
#[derive(Debug, Deserialize)]
pub(super) struct Nack {
    code: u16,
    times: Option<u32>,
}

pub(super) async fn nack(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(nack): Json<Nack>,
) -> Answer {
    let account = control.account(&phone)?;
    for _ in 0..nack.times.unwrap_or(1) {
        account.nack_next(nack.code);
    }
    done()
}

/// Acknowledgements to be kept back.
#[derive(Debug, Deserialize)]
pub(super) struct Swallow {
    count: u32,
}

pub(super) async fn swallow_acks(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(swallow): Json<Swallow>,
) -> Answer {
    control.account(&phone)?.swallow_acks(swallow.count);
    done()
}

/// Whose prekeys to take away.
#[derive(Debug, Deserialize)]
pub(super) struct Exhaust {
    #[serde(default)]
    device: u16,
    #[serde(default)]
    notify: bool,
}

pub(super) async fn exhaust_prekeys(
    State(control): State<Control>,
    Path(phone): Path<String>,
    Json(exhaust): Json<Exhaust>,
) -> Answer {
    let taken = control.account(&phone)?.exhaust_prekeys(exhaust.device, exhaust.notify)?;
    Ok(Json(json!({"taken": taken})))
}

pub(super) async fn change_identity(State(control): State<Control>, Path(phone): Path<String>) -> Answer {
    control.account(&phone)?.change_identity()?;
    done()
}

pub(super) async fn delay(State(control): State<Control>, Json(delay): Json<Delay>) -> Answer {
    control.server().delay(delay);
    done()
}

/// How the media host is to misbehave.
#[derive(Debug, Deserialize)]
pub(super) struct MediaRequest {
    fault: MediaFault,
    #[serde(default)]
    upload: bool,
    times: Option<u32>,
}

pub(super) async fn media(State(control): State<Control>, Json(request): Json<MediaRequest>) -> Answer {
    control.server().media_fault(request.fault, request.upload, request.times);
    done()
}

pub(super) async fn clear_media(State(control): State<Control>) -> Answer {
    control.server().clear_media_faults();
    done()
}

pub(super) async fn expire_media(State(control): State<Control>) -> Answer {
    control.server().expire_media();
    done()
}
