//! Fields that need not be there: words of a few, lists of them, times, addresses, secrets.

use domain::{Timestamp, webhook::is_web_address};
use secrecy::SecretString;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use super::{Fields, Invalid, MAX_URL_CHARS};

/// The most words in a list of them.
const MOST_WORDS: usize = 100;

impl Fields {
    /// A text of at most so many characters; an empty one is a text, too.
    pub(crate) fn text_if_any(&self, field: &'static str, most: usize) -> Result<Option<String>, Invalid> {
        if self.values.contains_key(field) { self.text_up_to(field, most).map(Some) } else { Ok(None) }
    }

    /// A secret of at most so many characters.
    pub(crate) fn secret_if_any(
        &self,
        field: &'static str,
        most: usize,
    ) -> Result<Option<SecretString>, Invalid> {
        Ok(self.text_if_any(field, most)?.map(Into::into))
    }

    /// The address of a web server, or an empty text.
    pub(crate) fn url_if_any(&self, field: &'static str) -> Result<Option<String>, Invalid> {
        match self.text_if_any(field, MAX_URL_CHARS)? {
            Some(text) if !text.is_empty() && !is_web_address(&text) => {
                Err(Invalid::NotUrl { field, place: self.place })
            }
            text => Ok(text),
        }
    }

    /// The address of a web server that must be there.
    pub(crate) fn url(&self, field: &'static str) -> Result<String, Invalid> {
        let text = self.text_up_to(field, MAX_URL_CHARS)?;
        if is_web_address(&text) { Ok(text) } else { Err(Invalid::NotUrl { field, place: self.place }) }
    }

    /// Any absolute URL: people come back to applications, too.
    pub(crate) fn uri_if_any(&self, field: &'static str) -> Result<Option<String>, Invalid> {
        match self.text_if_any(field, MAX_URL_CHARS)? {
            Some(text) if text.contains(char::is_whitespace) || Url::parse(&text).is_err() => {
                Err(Invalid::NotUrl { field, place: self.place })
            }
            text => Ok(text),
        }
    }

    /// One of a few words.
    pub(crate) fn word_if_any<W: Copy>(
        &self,
        field: &'static str,
        all: &[W],
        word_of: impl Fn(W) -> &'static str,
    ) -> Result<Option<W>, Invalid> {
        self.optional_text(field)?.map(|given| self.one_of(field, &given, all, word_of)).transpose()
    }

    /// Some of a few words, at least one; each once, in the order of `all`.
    pub(crate) fn words_if_any<W: Copy + PartialEq>(
        &self,
        field: &'static str,
        all: &[W],
        word_of: impl Fn(W) -> &'static str,
    ) -> Result<Option<Vec<W>>, Invalid> {
        if !self.has(field) {
            return Ok(None);
        }
        let texts = self.texts(field, 1..=MOST_WORDS)?;
        let given = texts.iter().map(|given| self.one_of(field, given, all, &word_of));
        let given = given.collect::<Result<Vec<_>, _>>()?;
        Ok(Some(all.iter().copied().filter(|word| given.contains(word)).collect()))
    }

    /// A moment: RFC 3339, or milliseconds since 1970.
    pub(crate) fn time_if_any(&self, field: &'static str) -> Result<Option<Timestamp>, Invalid> {
        let at = match self.values.get(field) {
            None => return Ok(None),
            Some(Value::Number(millis)) => millis.as_i64(),
            Some(Value::String(text)) => millis(text),
            Some(other) => return Err(self.wrong_type("string", other, field)),
        };
        match at {
            Some(at) => Ok(Some(Timestamp(at))),
            None => Err(self.unfit("Expected a time such as 2026-11-22T19:36:11Z".to_owned(), field)),
        }
    }
}

fn millis(text: &str) -> Option<i64> {
    if let Ok(millis) = text.parse() {
        return Some(millis);
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use domain::webhook_auth::AuthType;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn outcome<T>(
        body: &str,
        read: impl Fn(&Fields) -> Result<T, Invalid>,
        shown: impl Fn(T) -> String,
    ) -> String {
        let fields = Fields::from_json(body.as_bytes()).unwrap();
        read(&fields).map_or_else(|invalid| invalid.to_string(), shown)
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let word = |fields: &Fields| fields.word_if_any("x", AuthType::ALL, AuthType::as_str);
        let weird = "Invalid enum value. Expected 'none' | 'basic' | 'bearer' | 'oauth2', received 'weird' \
                     field 'x' on json";
        let table = [
            ("{}", "None"),
            (r#"{"x":"basic"}"#, "Some(Basic)"),
            (r#"{"x":"weird"}"#, weird),
            (r#"{"x":1}"#, "Expected string, received number field 'x' on json"),
            (r#"{"x":null}"#, "Expected string, received null field 'x' on json"),
        ];
        for (body, expected) in table {
            assert_eq!(outcome(body, word, |word| format!("{word:?}")), expected, "{body}");
        }
        let words = |fields: &Fields| fields.words_if_any("x", AuthType::ALL, AuthType::as_str);
        let table = [
            ("{}", "None"),
            (r#"{"x":["basic","none","basic"]}"#, "Some([None, Basic])"),
            (r#"{"x":[]}"#, "Array must contain at least 1 element(s) field 'x' on json"),
            (r#"{"x":["weird"]}"#, weird),
            (r#"{"x":[1]}"#, "Expected string, received number field 'x' on json"),
            (r#"{"x":"none"}"#, "Expected array, received string field 'x' on json"),
        ];
        for (body, expected) in table {
            assert_eq!(outcome(body, words, |words| format!("{words:?}")), expected, "{body}");
        }
    }

    #[test]
    fn times() {
        let time = |fields: &Fields| fields.time_if_any("x");
        let wrong = "Expected a time such as 2026-11-22T19:36:11Z field 'x' on json";
        let table = [
            (r#"{"x":"2026-11-22T19:36:11.5Z"}"#, "1795376171500"),
            (r#"{"x":"2026-11-22T20:36:11+01:00"}"#, "1795376171000"),
            (r#"{"x":"1795376171500"}"#, "1795376171500"),
            (r#"{"x":1795376171500}"#, "1795376171500"),
            (r#"{"x":"yesterday"}"#, wrong),
            (r#"{"x":1e300}"#, wrong),
            (r#"{"x":true}"#, "Expected string, received boolean field 'x' on json"),
        ];
        for (body, expected) in table {
            assert_eq!(outcome(body, time, |time| time.unwrap().0.to_string()), expected, "{body}");
        }
    }

    #[test]
    fn addresses_and_secrets() {
        let url = |fields: &Fields| fields.url_if_any("x");
        let table = [
            ("{}", "None"),
            (r#"{"x":""}"#, "Some(\"\")"),
            (r#"{"x":"https://a.example/b"}"#, "Some(\"https://a.example/b\")"),
            (r#"{"x":"ftp://a.example/b"}"#, "Invalid url field 'x' on json"),
            (r#"{"x":"http:// a"}"#, "Invalid url field 'x' on json"),
        ];
        for (body, expected) in table {
            assert_eq!(outcome(body, url, |url| format!("{url:?}")), expected, "{body}");
        }
        assert_eq!(outcome("{}", |fields| fields.url("x"), |url| url), "Required field 'x' on json");
        let secret = |fields: &Fields| fields.secret_if_any("x", 3);
        let shown = |secret: Option<SecretString>| secret.unwrap().expose_secret().to_owned();
        assert_eq!(outcome(r#"{"x":""}"#, secret, shown), "");
        let long = "String must contain at most 3 character(s) field 'x' on json";
        assert_eq!(outcome(r#"{"x":"long"}"#, secret, shown), long);
    }
}
