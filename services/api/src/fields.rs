//! What callers send, field by field: JSON bodies and query strings, with the words of the contract for what is
//! wrong. A handler reads its fields in the order in which the contract lists them, so the first that is wrong is
//! the one that is named.

mod choices;
mod form;
mod lists;

use std::fmt;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
};
use bytes::BytesMut;
use futures::StreamExt as _;
use serde_json::{Map, Value};
use tokio::time::timeout;

pub(crate) use form::{BodyPart, Form, Patience};

use crate::{
    error::{Problem, answers_as_problem},
    state::ApiState,
};

/// The longest address, in characters.
const MAX_URL_CHARS: usize = 2048;

/// Where fields came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Json,
    Query,
    /// `multipart/form-data`.
    Form,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Query => "query",
            Self::Form => "form",
        })
    }
}

/// What is wrong with what a caller sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("Required field '{field}' on {place}")]
    Missing { field: &'static str, place: Place },
    #[error("Expected {expected}, received {received} field '{field}' on {place}")]
    WrongType { expected: &'static str, received: &'static str, field: &'static str, place: Place },
    #[error("String must contain at least {least} character(s) field '{field}' on {place}")]
    TooShort { least: usize, field: &'static str, place: Place },
    #[error("Invalid url field '{field}' on {place}")]
    NotUrl { field: &'static str, place: Place },
    #[error("String must contain at most {most} character(s) field '{field}' on {place}")]
    TooLong { most: usize, field: &'static str, place: Place },
    /// Any other rule that a value breaks.
    #[error("{rule} field '{field}' on {place}")]
    Unfit { rule: String, field: &'static str, place: Place },
    #[error("Expected object, received {received} on json")]
    NotAnObject { received: &'static str },
    #[error("Malformed JSON in request body")]
    Malformed,
    #[error("Malformed multipart/form-data in request body")]
    MalformedForm,
    #[error("Only one file can come with a request")]
    SeveralFiles,
    #[error("The request body must not be larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("The request body did not arrive in time")]
    TooSlow,
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let (status, code) = match &invalid {
            Invalid::Missing { .. }
            | Invalid::WrongType { .. }
            | Invalid::TooShort { .. }
            | Invalid::TooLong { .. }
            | Invalid::NotUrl { .. }
            | Invalid::Unfit { .. } => (StatusCode::BAD_REQUEST, "invalid_field"),
            Invalid::NotAnObject { .. } | Invalid::SeveralFiles => (StatusCode::BAD_REQUEST, "invalid_body"),
            Invalid::Malformed => (StatusCode::BAD_REQUEST, "malformed_json"),
            Invalid::MalformedForm => (StatusCode::BAD_REQUEST, "malformed_form"),
            Invalid::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Invalid::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
        };
        Self::new(status, code, invalid.to_string())
    }
}

answers_as_problem!(Invalid);

/// The fields of a body or of a query string. Those that nobody asks for are ignored.
#[derive(Debug)]
pub(crate) struct Fields {
    place: Place,
    values: Map<String, Value>,
}

impl Fields {
    /// A text that must be there.
    pub(crate) fn text(&self, field: &'static str) -> Result<String, Invalid> {
        self.optional_text(field)?.ok_or(Invalid::Missing { field, place: self.place })
    }

    /// A text that must be there and has at most so many characters.
    pub(crate) fn text_up_to(&self, field: &'static str, most: usize) -> Result<String, Invalid> {
        let text = self.text(field)?;
        // Bytes are never fewer than characters: long texts are counted, short ones need not be.
        if text.len() > most && text.chars().count() > most {
            return Err(Invalid::TooLong { most, field, place: self.place });
        }
        Ok(text)
    }

    /// A text that must be there, with a number of characters within these bounds.
    pub(crate) fn text_within(
        &self,
        field: &'static str,
        least: usize,
        most: usize,
    ) -> Result<String, Invalid> {
        let text = self.text_up_to(field, most)?;
        if text.chars().count() < least {
            return Err(Invalid::TooShort { least, field, place: self.place });
        }
        Ok(text)
    }

    /// The address of a web server that must be there, or `null` in its place.
    pub(crate) fn url_or_null(&self, field: &'static str) -> Result<Option<String>, Invalid> {
        if self.values.get(field).is_some_and(Value::is_null) {
            return Ok(None);
        }
        self.url(field).map(Some)
    }

    /// Whether there is such a field, whatever it holds.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }

    /// A text that need not be there.
    pub(crate) fn optional_text(&self, field: &'static str) -> Result<Option<String>, Invalid> {
        match self.values.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong_type("string", other, field)),
        }
    }

    /// Yes or no; a query string and a form say it with a word or a digit.
    pub(crate) fn optional_flag(&self, field: &'static str) -> Result<Option<bool>, Invalid> {
        match (self.values.get(field), self.place) {
            (None, _) => Ok(None),
            (Some(Value::Bool(flag)), _) => Ok(Some(*flag)),
            (Some(Value::String(word)), Place::Query | Place::Form) if matches!(&**word, "true" | "1") => {
                Ok(Some(true))
            }
            (Some(Value::String(word)), Place::Query | Place::Form) if matches!(&**word, "false" | "0") => {
                Ok(Some(false))
            }
            (Some(other), _) => Err(self.wrong_type("boolean", other, field)),
        }
    }

    fn wrong_type(&self, expected: &'static str, value: &Value, field: &'static str) -> Invalid {
        Invalid::WrongType { expected, received: type_name(value), field, place: self.place }
    }

    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Invalid> {
        match serde_json::from_slice(body).map_err(|_| Invalid::Malformed)? {
            Value::Object(values) => Ok(Self { place: Place::Json, values }),
            other => Err(Invalid::NotAnObject { received: type_name(&other) }),
        }
    }

    pub(crate) fn from_query(uri: &Uri) -> Self {
        let mut values = Map::new();
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let value = Value::String(value.into_owned());
            // A name that comes twice is a list, and no route takes one.
            values
                .entry(name.into_owned())
                .and_modify(|earlier| *earlier = Value::Array(Vec::new()))
                .or_insert(value);
        }
        Self { place: Place::Query, values }
    }
}

/// The words of the contract for JSON's types.
const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The fields of a JSON body. A body of another content type counts as an empty object.
pub(crate) struct JsonFields(pub(crate) Fields);

impl FromRequest<ApiState> for JsonFields {
    type Rejection = Invalid;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Invalid> {
        if !is_json(request.headers()) {
            return Ok(Self(Fields { place: Place::Json, values: Map::new() }));
        }
        let body = read_body(request, state.settings.body_limit);
        let body = timeout(state.settings.body_wait, body).await.map_err(|_| Invalid::TooSlow)??;
        Fields::from_json(&body).map(Self)
    }
}

async fn read_body(request: Request, limit: usize) -> Result<BytesMut, Invalid> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > limit {
        return Err(Invalid::TooLarge { limit });
    }
    let mut body = BytesMut::with_capacity(announced);
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Invalid::Malformed)?;
        if body.len() + chunk.len() > limit {
            return Err(Invalid::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The media type of a body, without its parameters.
fn essence(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// `application/json` and `application/…+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    essence(headers)
        .as_deref()
        .and_then(|essence| essence.strip_prefix("application/"))
        .is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

/// The fields of the query string.
pub(crate) struct QueryFields(pub(crate) Fields);

impl<S: Sync> FromRequestParts<S> for QueryFields {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Fields::from_query(&parts.uri)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_field_is_named_in_the_contracts_words() {
        let table = [
            (r#"{"to":1}"#, "Expected string, received number field 'to' on json"),
            (r#"{"to":null}"#, "Expected string, received null field 'to' on json"),
            (r#"{"to":[]}"#, "Expected string, received array field 'to' on json"),
            (r#"{"to":{}}"#, "Expected string, received object field 'to' on json"),
            (r#"{"to":true}"#, "Expected string, received boolean field 'to' on json"),
            (r#"{"text":"x","extra":1}"#, "Required field 'to' on json"),
            (r#"{"to":"ab"}"#, "ok"),
            (r#"{"to":"äöü"}"#, "ok"),
            (r#"{"to":"äöüß"}"#, "String must contain at most 3 character(s) field 'to' on json"),
            (r#"{"to":"a","to":"b"}"#, "ok"),
            ("[]", "Expected object, received array on json"),
            ("\"to\"", "Expected object, received string on json"),
            ("", "Malformed JSON in request body"),
            ("{", "Malformed JSON in request body"),
            ("{\"to\":\"\u{0}\"}", "Malformed JSON in request body"),
        ];
        for (body, expected) in table {
            let answer = Fields::from_json(body.as_bytes()).and_then(|fields| fields.text_up_to("to", 3));
            let words = answer.map_or_else(|invalid| invalid.to_string(), |_| "ok".to_owned());
            assert_eq!(words, expected, "{body}");
        }
    }

    #[test]
    fn bounds_and_addresses_have_the_contracts_words() {
        let long = format!(r#"{{"to":"http://a/{}"}}"#, "x".repeat(3000));
        let table = [
            (r#"{"to":"äö"}"#, "String must contain at least 3 character(s) field 'to' on json"),
            (r#"{"to":""}"#, "String must contain at least 3 character(s) field 'to' on json"),
            (r#"{"to":"äöü"}"#, "ok"),
            (r#"{"to":"12345"}"#, "String must contain at most 4 character(s) field 'to' on json"),
            ("{}", "Required field 'to' on json"),
        ];
        for (body, expected) in table {
            let answer = Fields::from_json(body.as_bytes()).and_then(|fields| fields.text_within("to", 3, 4));
            assert_eq!(
                answer.map_or_else(|invalid| invalid.to_string(), |_| "ok".into()),
                expected,
                "{body}"
            );
        }
        let table = [
            (r#"{"to":null}"#, "none"),
            (r#"{"to":"https://hook.example/a?b=c"}"#, "https://hook.example/a?b=c"),
            (r#"{"to":"http://10.0.0.1:8080"}"#, "http://10.0.0.1:8080"),
            (r#"{"to":""}"#, "Invalid url field 'to' on json"),
            (r#"{"to":"hook.example"}"#, "Invalid url field 'to' on json"),
            (r#"{"to":"ftp://hook.example"}"#, "Invalid url field 'to' on json"),
            (r#"{"to":"javascript:alert(1)"}"#, "Invalid url field 'to' on json"),
            (r#"{"to":"file:///etc/passwd"}"#, "Invalid url field 'to' on json"),
            (r#"{"to":"http://"}"#, "Invalid url field 'to' on json"),
            (r#"{"to":" http://a"}"#, "Invalid url field 'to' on json"),
            (r#"{"to":"http://a\nb"}"#, "Invalid url field 'to' on json"),
            (r#"{"to":7}"#, "Expected string, received number field 'to' on json"),
            ("{}", "Required field 'to' on json"),
            (&long, "String must contain at most 2048 character(s) field 'to' on json"),
        ];
        for (body, expected) in table {
            let answer = Fields::from_json(body.as_bytes()).and_then(|fields| fields.url_or_null("to"));
            let words = match answer {
                Ok(url) => url.unwrap_or_else(|| "none".into()),
                Err(invalid) => invalid.to_string(),
            };
            assert_eq!(words, expected, "{body}");
        }
    }

    #[test]
    fn deep_or_broken_bodies_are_malformed_and_nothing_worse() {
        for body in [vec![b'['; 100_000], vec![0xff; 10], b"{\"a\":1e999}".to_vec()] {
            assert_eq!(Fields::from_json(&body).unwrap_err(), Invalid::Malformed);
        }
    }

    #[test]
    fn a_query_string_is_read_like_a_body() {
        let fields =
            Fields::from_query(&"/x?to=%2B62%20811&is_group=true&twice=1&twice=2&empty".parse().unwrap());
        assert_eq!(fields.text("to").as_deref(), Ok("+62 811"));
        assert_eq!(fields.text("empty").as_deref(), Ok(""));
        assert_eq!(fields.optional_flag("is_group"), Ok(Some(true)));
        assert_eq!(fields.text("text").unwrap_err().to_string(), "Required field 'text' on query");
        assert_eq!(
            fields.text("twice").unwrap_err().to_string(),
            "Expected string, received array field 'twice' on query"
        );
        assert_eq!(
            fields.optional_flag("to").unwrap_err().to_string(),
            "Expected boolean, received string field 'to' on query"
        );
    }

    #[test]
    fn addresses_of_the_web_only() {
        for address in
            ["ftp://a.example", "file:///etc/passwd", "/etc/passwd", "data:image/png;base64,AA", ""]
        {
            let fields = Fields::from_json(format!(r#"{{"u":"{address}"}}"#).as_bytes()).unwrap();
            let words = fields.url("u").unwrap_err().to_string();
            assert_eq!(words, "Invalid url field 'u' on json", "{address}");
        }
        let fields = Fields::from_query(&"/?u=https://a.example/x".parse().unwrap());
        assert_eq!(fields.url("u").as_deref(), Ok("https://a.example/x"));
    }

    #[test]
    fn content_types_of_json() {
        let table = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/jsonp", false),
        ];
        for (value, expected) in table {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
