//! HTML pages: no external hosts, and a policy under which nothing runs but what stands in them, or in files of this
//! gateway.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const NO_DEVICES: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";

/// What a page may not do that has its addresses and no forms of the browser's own.
const CLOSED: &str = "; connect-src 'self'; base-uri 'none'; form-action 'none'";

/// A page; `{{name}}` in its text stands for a value, which is escaped, and `{{nonce}}` for the policy's nonce.
pub(crate) fn page(template: &str, values: &[(&str, &str)]) -> Response<Body> {
    let nonce = URL_SAFE_NO_PAD.encode(secrets::random_bytes::<16>());
    let sources = format!("script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:");
    html(filled(template, &nonce, values), &format!("{sources}{CLOSED}"))
}

/// A page whose script and style are files of this gateway: nothing that stands in the page itself runs.
pub(crate) fn page_with_files(template: &str, values: &[(&str, &str)]) -> Response<Body> {
    let sources = "script-src 'self'; style-src 'self'; img-src 'self' data:";
    html(filled(template, "", values), &format!("{sources}{CLOSED}"))
}

/// A page that may load from `sources` and nothing else, and that no other page can show or reach into.
pub(crate) fn html(text: String, sources: &str) -> Response<Body> {
    let policy = format!("default-src 'none'; {sources}; frame-ancestors 'none'");
    let mut response = file(text, "text/html; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(NO_DEVICES));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A file that belongs to a page. Browsers ask for it again each time, so that it is never older than the page.
pub(crate) fn file(content: impl Into<Body>, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(content.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// One pass over the template, so that a value that looks like a placeholder stays what it is.
fn filled(template: &str, nonce: &str, values: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(template.len() + 1024);
    let mut rest = template;
    while let Some((before, name, after)) = next_placeholder(rest) {
        page.push_str(before);
        if name == "nonce" {
            page.push_str(nonce);
        } else if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            escape_into(&mut page, value);
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

/// Text as it may stand in an element or in a quoted attribute.
fn escape_into(page: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            c => page.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out() {
        let page = filled(
            r#"<p title="{{name}}" nonce="{{nonce}}">{{name}}{{unknown}}</p>"#,
            "N",
            &[("name", r#""><script>'{{nonce}}&"#)],
        );
        let name = "&quot;&gt;&lt;script&gt;&#39;{{nonce}}&amp;";
        assert_eq!(page, format!(r#"<p title="{name}" nonce="N">{name}</p>"#));
    }
}
