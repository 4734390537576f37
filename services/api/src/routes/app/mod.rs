//! The dashboard: one page under many addresses, which reads its own address and asks this API, and its files.
//!
//! Nothing in it knows where the gateway is: the page's base is relative to the address that was asked for, so
//! it is right behind any proxy that takes a prefix off the path.

pub(crate) mod get;
pub(crate) mod link;
#[cfg(test)]
mod tests;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dashboard::{Dashboard, Encoding, File};
use domain::access::AuditAction;

use crate::{
    audit,
    auth::{AuthError, By, Caller, Origin},
    page,
    state::ApiState,
};

/// What is shown instead in a program that was built without it.
const ABSENT: &str = include_str!("../../../pages/no-dashboard.html");

/// Files in here have a hash of their content in their names.
const HASHED: &str = "assets/";

/// The dashboard's page, if there is a dashboard.
fn shown(dashboard: &Dashboard, uri: &Uri) -> Option<Response<Body>> {
    let nonce = URL_SAFE_NO_PAD.encode(secrets::random_bytes::<16>());
    let base = base(uri.path());
    let head = format!(r#"<base href="{base}"><meta property="csp-nonce" nonce="{nonce}">"#);
    let sources = format!(
        "script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; font-src 'self'; \
         media-src 'self' blob:; manifest-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'self'"
    );
    Some(page::html(dashboard.page(&head)?, &sources))
}

/// The same at one of the Node gateway's addresses. Whoever came with a name and a password gets the cookie that the
/// page's own requests need: they do not use what the browser remembers for the old pages.
pub(crate) async fn shown_to(
    caller: &Caller,
    origin: Origin,
    state: &ApiState,
    uri: &Uri,
) -> Result<Option<Response<Body>>, AuthError> {
    let Some(mut page) = shown(&state.dashboard, uri) else { return Ok(None) };
    // A link on another site may lead here: it logs nobody in.
    if caller.by() == By::Basic && origin.was_meant() {
        let begun = state.credentials.log_in(caller, origin).await?;
        page.headers_mut().insert(header::SET_COOKIE, begun.cookie);
        audit::note(state, caller, AuditAction::LogIn, None).await;
    }
    Ok(Some(page))
}

/// The dashboard's page, or how to get one.
fn shown_or_explained(dashboard: &Dashboard, uri: &Uri) -> Response<Body> {
    shown(dashboard, uri)
        .unwrap_or_else(|| page::page(ABSENT, &[("root", base(uri.path()).trim_end_matches("app/"))]))
}

/// Where `/app/` is, seen from a page at `path`.
fn base(path: &str) -> String {
    let depth = path.matches('/').count().saturating_sub(1);
    format!("{}app/", "../".repeat(depth))
}

/// A file, in the form that the browser takes, or that the one it has is still the same.
fn file(path: &str, file: &File, request: &HeaderMap) -> Response<Body> {
    let form = file.form(|encoding| accepts(request, encoding));
    let is_known = request.get(header::IF_NONE_MATCH).is_some_and(|known| known == form.tag.as_str());
    let (status, content) = if is_known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, Body::from(form.content.clone()))
    };
    let mut response = page::file(content, file.media_type);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&form.tag) {
        headers.insert(header::ETAG, tag);
    }
    if path.starts_with(HASHED) {
        let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
        headers.insert(header::CACHE_CONTROL, forever);
    }
    if let Some(encoding) = form.encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    response
}

/// Whether a browser says that it understands an encoding.
fn accepts(request: &HeaderMap, encoding: Encoding) -> bool {
    let lines = request.get_all(header::ACCEPT_ENCODING).into_iter();
    let mut named = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    named.any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case(encoding.name()) && !refused
    })
}
