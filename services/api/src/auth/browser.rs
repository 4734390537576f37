//! Requests that a browser may have sent without its user's will.
//!
//! The contract has `GET`s that change things, and a browser that knows the Basic credentials of this origin adds
//! them to any request, whichever site caused it. `Sec-Fetch-Site` says so, and pages cannot forge it. What a page
//! of another site sends *with a preflight* is let through: the answer to a preflight allows any origin (`*`),
//! which browsers accept only for requests without ambient credentials, so such a page knew the password.

use axum::http::{HeaderMap, Method, header};

/// Whether ambient credentials may be all that vouches for this request.
pub(super) fn may_be_forged(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    is("sec-fetch-site", "cross-site") && !(is("sec-fetch-mode", "cors") && had_preflight(method, headers))
}

/// Whether a page of this origin sent this, or, for what changes nothing by its method, the person at the browser.
/// Asked of requests whose credentials are a cookie: what has no such header is refused.
pub(super) fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || (site == "none" && method.is_safe());
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| Some(origin.split_once("://")?.1));
    origin.is_some() && origin == text(header::HOST)
}

/// Browsers ask first before they send other methods than these, or content of other types than forms have.
fn had_preflight(method: &Method, headers: &HeaderMap) -> bool {
    let simple = matches!(*method, Method::GET | Method::HEAD | Method::POST);
    let json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    !simple || json
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, headers, and whether a cookie counts.
    type Case = (&'static str, Vec<(&'static str, &'static str)>, bool);

    #[test]
    fn a_cookie_is_taken_from_our_own_pages_only() {
        let (host, evil) = (("host", "wa.example:5001"), ("origin", "https://evil.example"));
        let table: [Case; 10] = [
            ("POST", vec![("sec-fetch-site", "same-origin")], true),
            ("POST", vec![("sec-fetch-site", "none")], false),
            ("GET", vec![("sec-fetch-site", "none")], true),
            ("GET", vec![("sec-fetch-site", "same-site")], false),
            (
                "POST",
                vec![("sec-fetch-site", "cross-site"), ("origin", "http://wa.example:5001"), host],
                false,
            ),
            ("POST", vec![("origin", "http://wa.example:5001"), host], true),
            ("POST", vec![evil, host], false),
            ("POST", vec![("origin", "null"), host], false),
            ("POST", vec![host], false),
            ("POST", vec![], false),
        ];
        for (method, list, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in &list {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_own(&method.parse().unwrap(), &headers), expected, "{method} {list:?}");
        }
    }

    #[test]
    fn only_what_needs_no_preflight_can_be_forged() {
        let json = "application/json";
        let form = "application/x-www-form-urlencoded";
        let table = [
            ("GET", "", "", "", false),
            ("GET", "none", "navigate", "", false),
            ("GET", "same-origin", "cors", "", false),
            ("GET", "cross-site", "navigate", "", true),
            ("GET", "cross-site", "no-cors", "", true),
            ("GET", "cross-site", "cors", "", true),
            ("POST", "cross-site", "navigate", form, true),
            ("POST", "cross-site", "cors", form, true),
            ("POST", "cross-site", "", json, true),
            ("POST", "cross-site", "cors", json, false),
            ("DELETE", "cross-site", "cors", "", false),
        ];
        for (method, site, mode, kind, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("content-type", kind)]
            {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(may_be_forged(&method.parse().unwrap(), &headers), expected, "{method} {headers:?}");
        }
    }
}
