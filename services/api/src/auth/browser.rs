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
