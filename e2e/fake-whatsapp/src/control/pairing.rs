//! Linking companions.

use super::{Answer, Control, within};
use crate::pairing::Linked;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

/// A QR code and who scans it.
#[derive(Debug, Deserialize)]
pub(super) struct Scan {
    phone: Option<String>,
    qr: String,
}

pub(super) async fn scan(State(control): State<Control>, Json(scan): Json<Scan>) -> Answer<Linked> {
    Ok(Json(control.server().scan(scan.phone.as_deref(), &scan.qr).await?))
}

/// A pairing code and who enters it.
#[derive(Debug, Deserialize)]
pub(super) struct Entered {
    phone: String,
    code: String,
    within_ms: Option<u64>,
}

pub(super) async fn enter_code(
    State(control): State<Control>,
    Json(entered): Json<Entered>,
) -> Answer<Linked> {
    let server = control.server();
    server.wait_code_requested(&entered.phone, within(entered.within_ms)).await?;
    Ok(Json(server.enter_code(&entered.phone, &entered.code).await?))
}
