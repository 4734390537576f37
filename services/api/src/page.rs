//! HTML pages: one file each, no external hosts, and a policy under which nothing runs but what stands in them.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// A page; `{{name}}` in its text stands for a value, which is escaped, and `{{nonce}}` for the policy's nonce.
pub(crate) fn page(template: &str, values: &[(&str, &str)]) -> Response<Body> {
    let nonce = URL_SAFE_NO_PAD.encode(secrets::random_bytes::<16>());
    let mut response = Response::new(Body::from(filled(template, &nonce, values)));
    *response.status_mut() = StatusCode::OK;
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
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
