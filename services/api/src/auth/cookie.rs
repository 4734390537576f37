//! The dashboard's cookie: what it looks like, and how it is read.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

/// The cookie that holds a login's token.
const NAME: &str = "wag_session";

/// What the requests of our own pages say of themselves. A page of another site cannot say it without asking first.
const REQUESTED_WITH: &str = "x-requested-with";

/// The token in a request's cookies.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .map(|(_, value)| value)
}

/// Sets the cookie. It lives as long as the login may; that it was idle for too long, the server finds out.
pub(super) fn set(token: &str, life: Duration, https: bool) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    let cookie =
        format!("{NAME}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", life.as_secs());
    let mut value = HeaderValue::try_from(cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes the cookie away.
pub(crate) const fn removed() -> HeaderValue {
    HeaderValue::from_static("wag_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}

/// The request is one of our own pages': a script's that says so, or that of something in the page that cannot say
/// it. What a browser adds to those by itself, such as a name and a password for this origin, is not what the person
/// on the page logged in with.
pub(super) fn is_for_page(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    is(REQUESTED_WITH, "dashboard")
        || (is("sec-fetch-site", "same-origin")
            && (is("sec-fetch-dest", "image") || is("accept", "text/event-stream")))
}

/// Whoever sent this deals with a refusal by themselves: a browser need not ask for a name and a password.
pub(super) fn needs_no_challenge(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text(REQUESTED_WITH) == "dashboard"
        || (text("accept").contains("application/json")
            && matches!(text("sec-fetch-mode"), "cors" | "same-origin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    type Headers = &'static [(&'static str, &'static str)];

    #[test]
    fn the_cookie_is_found_among_others() {
        let table: [(Headers, Option<&str>); 7] = [
            (&[("cookie", "wag_session=abc")], Some("abc")),
            (&[("cookie", "a=b; wag_session=abc;c=d")], Some("abc")),
            (&[("cookie", "a=b"), ("cookie", "wag_session=abc")], Some("abc")),
            (&[("cookie", "wag_sessions=abc; xwag_session=x")], None),
            (&[("cookie", "wag_session")], None),
            (&[("cookie", "=; ;;=")], None),
            (&[], None),
        ];
        for (list, expected) in table {
            assert_eq!(token(&headers(list)), expected, "{list:?}");
        }
    }

    #[test]
    fn it_is_for_this_site_and_not_for_scripts() {
        let plain = set("abc", Duration::from_mins(1), false).unwrap();
        assert_eq!(plain, "wag_session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
        let secure = set("abc", Duration::from_mins(1), true).unwrap();
        assert!(secure.to_str().unwrap().ends_with("; SameSite=Strict; Secure") && secure.is_sensitive());
        assert!(removed().to_str().unwrap().starts_with("wag_session=; Path=/; Max-Age=0;"));
    }

    #[test]
    fn pages_are_known_by_what_they_say() {
        type Case = (&'static [(&'static str, &'static str)], bool, bool);
        let table: [Case; 8] = [
            (&[("x-requested-with", "dashboard")], true, true),
            (&[("x-requested-with", "XMLHttpRequest")], false, false),
            (&[("accept", "application/json"), ("sec-fetch-mode", "cors")], false, true),
            (&[("accept", "application/json")], false, false),
            (&[("accept", "text/html"), ("sec-fetch-mode", "navigate")], false, false),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "image")], true, false),
            (&[("sec-fetch-site", "same-origin"), ("accept", "text/event-stream")], true, false),
            (&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")], false, false),
        ];
        for (list, page, quiet) in table {
            let headers = headers(list);
            assert_eq!((is_for_page(&headers), needs_no_challenge(&headers)), (page, quiet), "{list:?}");
        }
    }
}
