//! Pages for people, and the files that belong to them.

pub(crate) mod admin;
pub(crate) mod asset;
pub(crate) mod dashboard;
pub(crate) mod docs;

use axum::{
    body::Body,
    http::{Response, Uri, header},
};
use domain::access::AuditAction;

use crate::{
    audit,
    auth::{By, Caller, Origin},
    routes::app,
    state::ApiState,
};

/// The dashboard, if there is one, for somebody who came by an address of old: their name and password log them in.
async fn dashboard_for(
    state: &ApiState,
    caller: &Caller,
    origin: &Origin,
    uri: &Uri,
) -> Option<Response<Body>> {
    let mut page = app::shown(&state.dashboard, uri)?;
    if caller.by() == By::Basic {
        match state.credentials.stay_logged_in(caller, origin).await {
            Ok(None) => {}
            Ok(Some(begun)) => {
                page.headers_mut().insert(header::SET_COOKIE, begun.cookie);
                audit::note(state, caller, AuditAction::LogIn, None).await;
            }
            // The page asks for the password itself.
            Err(error) => tracing::warn!(user.id = %caller.id, %error, "nobody was logged in by a page"),
        }
    }
    Some(page)
}
