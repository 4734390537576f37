//! Rows of a contract: a request and the answer it must get, checked one after the other, all failures told at once.

use std::{fmt::Write as _, panic::Location};

use http::{HeaderName, Method};
use serde_json::Value;

use crate::{Answer, Rest};

/// One row: what is asked, by whom, and what must come back.
#[derive(Debug, Clone)]
pub struct Row {
    request: &'static str,
    place: &'static Location<'static>,
    caller: Caller,
    headers: Vec<(&'static str, String)>,
    body: Option<(&'static str, String)>,
    status: u16,
    expected: Body,
    expected_headers: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone)]
enum Caller {
    /// Whoever the table is checked with.
    Default,
    Nobody,
    User(&'static str, &'static str),
}

#[derive(Debug, Clone)]
enum Body {
    Any,
    Empty,
    Json(Value),
    Contains(&'static str),
}

/// A row for a request such as `POST /session/start`; until told otherwise it must be answered with 200.
#[must_use]
#[track_caller]
pub fn row(request: &'static str) -> Row {
    Row {
        request,
        place: Location::caller(),
        caller: Caller::Default,
        headers: Vec::new(),
        body: None,
        status: 200,
        expected: Body::Any,
        expected_headers: Vec::new(),
    }
}

impl Row {
    /// Without credentials.
    #[must_use]
    pub fn nobody(self) -> Self {
        Self { caller: Caller::Nobody, ..self }
    }

    /// By this user.
    #[must_use]
    pub fn login(self, user: &'static str, password: &'static str) -> Self {
        Self { caller: Caller::User(user, password), ..self }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With a body of JSON.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "tables are written with json!")]
    pub fn json(self, body: Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    /// With any body.
    #[must_use]
    pub fn body(self, content_type: &'static str, body: &str) -> Self {
        Self { body: Some((content_type, body.to_owned())), ..self }
    }

    /// Must be answered with this status and a body that [matches](mismatch).
    #[must_use]
    pub fn is(self, status: u16, expected: Value) -> Self {
        Self { status, expected: Body::Json(expected), ..self }
    }

    /// Must be answered with this status and the contract's sentence; a stable code stands beside it.
    #[must_use]
    pub fn fails(self, status: u16, message: &str) -> Self {
        self.is(status, serde_json::json!({"message": message, "code": "<word>"}))
    }

    /// Must be answered with this status and nothing.
    #[must_use]
    pub fn is_empty(self, status: u16) -> Self {
        Self { status, expected: Body::Empty, ..self }
    }

    /// Must be answered with this status and a text that contains these words.
    #[must_use]
    pub fn contains(self, status: u16, words: &'static str) -> Self {
        Self { status, expected: Body::Contains(words), ..self }
    }

    /// The answer must have this header; `*` is any value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.expected_headers.push((name, value));
        self
    }

    async fn send(&self, rest: &Rest) -> Answer {
        let rest = match self.caller {
            Caller::Default => rest.clone(),
            Caller::Nobody => rest.authorization(None),
            Caller::User(user, password) => rest.login(user, password),
        };
        let (method, path) = self.request.split_once(' ').unwrap_or(("GET", self.request));
        let mut call = rest.call(Method::from_bytes(method.as_bytes()).unwrap_or_default(), path);
        for (name, value) in &self.headers {
            call = call.header(HeaderName::from_static(name), value);
        }
        if let Some((content_type, body)) = &self.body {
            call = call.body(content_type, body.clone());
        }
        call.answered().await
    }

    fn difference(&self, answer: &Answer) -> Option<String> {
        if answer.status != self.status {
            return Some(format!("status {} instead of {}", answer.status, self.status));
        }
        let body = match &self.expected {
            Body::Any => None,
            Body::Empty => (!answer.text.is_empty()).then(|| "the body should be empty".to_owned()),
            Body::Json(expected) if answer.header("content-type") == "application/json" => {
                mismatch(expected, &answer.json)
            }
            Body::Json(_) => Some(format!("content type {:?}", answer.header("content-type"))),
            Body::Contains(words) => (!answer.text.contains(words)).then(|| format!("{words:?} is missing")),
        };
        let header = self.expected_headers.iter().find_map(|(name, value)| {
            let found = answer.header(name);
            let wrong = found.is_empty() || (*value != "*" && found != *value);
            wrong.then(|| format!("header {name}: {found:?} instead of {value:?}"))
        });
        body.or(header)
    }
}

/// Sends the rows in their order and compares.
///
/// # Panics
/// When any answer is not the expected one; the message names the line of each such row.
pub async fn check(rest: &Rest, rows: &[Row]) {
    let mut failures = String::new();
    for row in rows {
        let answer = row.send(rest).await;
        if let Some(difference) = row.difference(&answer) {
            let Row { request, place, body, .. } = row;
            let body = body.as_ref().map_or("", |(_, body)| body);
            let _ = write!(
                failures,
                "\n{place}: {request} {body}\n    {difference}\n    answered: {} {}",
                answer.status, answer.text
            );
        }
    }
    assert!(failures.is_empty(), "the contract is broken:{failures}");
}

/// Where a JSON value differs from the expected one; `None` when it does not.
///
/// In the expected one a text in angle brackets stands for a kind of value: `<text>` (not empty), `<word>` (letters,
/// digits, `_`), `<digits>`, `<number>`, `<time>` (RFC 3339), `<any>`, or two of them with `|` between, such as
/// `<text|null>`. An object has exactly the expected fields, unless one of the expected is called `...`.
#[must_use]
pub fn mismatch(expected: &Value, found: &Value) -> Option<String> {
    differs(expected, found, "$")
}

fn differs(expected: &Value, found: &Value, path: &str) -> Option<String> {
    let wrong = || Some(format!("{path}: {found} instead of {expected}"));
    match (expected, found) {
        (Value::String(kinds), found)
            if kinds.len() > 2 && kinds.starts_with('<') && kinds.ends_with('>') =>
        {
            let kinds = &kinds[1..kinds.len() - 1];
            if kinds.split('|').any(|kind| is_a(kind, found)) { None } else { wrong() }
        }
        (Value::Object(expected), Value::Object(found)) => {
            let open = expected.contains_key("...");
            let more = found.keys().find(|key| !open && !expected.contains_key(*key));
            if let Some(key) = more {
                return Some(format!("{path}.{key} should not be there"));
            }
            let mut expected = expected.iter().filter(|(key, _)| *key != "...");
            expected.find_map(|(key, value)| match found.get(key) {
                Some(found) => differs(value, found, &format!("{path}.{key}")),
                None => Some(format!("{path}.{key} is missing")),
            })
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.find_map(|(at, (expected, found))| differs(expected, found, &format!("{path}[{at}]")))
        }
        (expected, found) if expected == found => None,
        _ => wrong(),
    }
}

fn is_a(kind: &str, found: &Value) -> bool {
    let text = |holds: fn(char) -> bool| {
        found.as_str().is_some_and(|text| !text.is_empty() && text.chars().all(holds))
    };
    match kind {
        "any" => true,
        "null" => found.is_null(),
        "text" => text(|_| true),
        "word" => text(|c| c.is_ascii_alphanumeric() || c == '_'),
        "digits" => text(|c| c.is_ascii_digit()),
        "time" => text(|c| c.is_ascii_digit() || "-:.TZ".contains(c)),
        "number" => found.is_number(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_match_by_kind_and_objects_by_their_fields() {
        let expected = json!({"data": {"id": "<word>", "at": "<digits>", "left": "<number|null>", "list": [1, "<any>"]}});
        let good = json!({"data": {"id": "msg_1", "at": "17", "left": null, "list": [1, {"x": 1}]}});
        assert_eq!(mismatch(&expected, &good), None);
        let table = [
            (json!({"data": {"id": "", "at": "17", "left": 1, "list": [1, 2]}}), "$.data.id"),
            (json!({"data": {"id": "a", "at": "1.7", "left": 1, "list": [1, 2]}}), "$.data.at"),
            (json!({"data": {"id": "a", "at": "1", "left": "1", "list": [1, 2]}}), "$.data.left"),
            (json!({"data": {"id": "a", "at": "1", "left": 1, "list": [1]}}), "$.data.list"),
            (json!({"data": {"id": "a", "at": "1", "left": 1}}), "$.data.list is missing"),
            (
                json!({"data": {"id": "a", "at": "1", "left": 1, "list": [1, 2], "x": 1}}),
                "$.data.x should not",
            ),
            (json!({"data": null}), "$.data"),
        ];
        for (found, words) in table {
            let difference = mismatch(&expected, &found).unwrap_or_default();
            assert!(difference.starts_with(words), "{found}: {difference}");
        }
        assert_eq!(mismatch(&json!({"a": 1, "...": 0}), &json!({"a": 1, "b": 2})), None);
    }
}
