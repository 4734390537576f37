//! Fields that are numbers, lists, words of a few, or texts within limits.

use std::{
    fmt::Display,
    ops::{Bound, RangeBounds, RangeInclusive},
};

use serde_json::Value;

use super::{Fields, Invalid, Place};

impl Fields {
    /// A text that must be there, not empty, with at most so many characters.
    pub(crate) fn filled_text(&self, field: &'static str, most: usize) -> Result<String, Invalid> {
        let text = self.text_up_to(field, most)?;
        if text.is_empty() {
            return Err(self.unfit("String must contain at least 1 character(s)".to_owned(), field));
        }
        Ok(text)
    }

    /// A text that need not be there and has at most so many characters; an empty one counts as none.
    pub(crate) fn optional_text_up_to(
        &self,
        field: &'static str,
        most: usize,
    ) -> Result<Option<String>, Invalid> {
        if self.optional_text(field)?.is_none_or(|text| text.is_empty()) {
            return Ok(None);
        }
        self.text_up_to(field, most).map(Some)
    }

    /// A number that must be there.
    pub(crate) fn number(&self, field: &'static str, within: RangeInclusive<f64>) -> Result<f64, Invalid> {
        let number = match self.values.get(field) {
            None => return Err(Invalid::Missing { field, place: self.place }),
            Some(Value::Number(number)) => number.as_f64(),
            Some(other) => return Err(self.wrong_type("number", other, field)),
        };
        let number = number.ok_or_else(|| self.unfit("Number must be finite".to_owned(), field))?;
        self.within(number, within, field)
    }

    /// A whole number that need not be there; a query string says it in digits.
    pub(crate) fn optional_count(
        &self,
        field: &'static str,
        within: impl RangeBounds<i64>,
    ) -> Result<Option<i64>, Invalid> {
        let count = match (self.values.get(field), self.place) {
            (None, _) => return Ok(None),
            (Some(Value::Number(number)), _) => number.as_i64(),
            (Some(Value::String(digits)), Place::Query) => digits.parse().ok(),
            (Some(other), _) => return Err(self.wrong_type("number", other, field)),
        };
        let count = count.ok_or_else(|| self.unfit("Expected a whole number".to_owned(), field))?;
        self.within(count, within, field).map(Some)
    }

    /// A position in a list, as the page before gave it.
    pub(crate) fn position(&self, field: &'static str) -> Result<Option<i64>, Invalid> {
        let position =
            |text: String| text.parse().map_err(|_| self.unfit("Invalid cursor".to_owned(), field));
        self.optional_text(field)?.map(position).transpose()
    }

    /// One of a few words that must be there.
    pub(crate) fn word<W: Copy>(
        &self,
        field: &'static str,
        all: &[W],
        word_of: impl Fn(W) -> &'static str,
    ) -> Result<W, Invalid> {
        self.one_of(field, &self.text(field)?, all, word_of)
    }

    pub(super) fn one_of<W: Copy>(
        &self,
        field: &'static str,
        given: &str,
        all: &[W],
        word_of: impl Fn(W) -> &'static str,
    ) -> Result<W, Invalid> {
        all.iter().copied().find(|word| word_of(*word) == given).ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|word| format!("'{}'", word_of(*word))).collect();
            let shown: String = given.chars().take(64).collect();
            let rule = format!("Invalid enum value. Expected {}, received '{shown}'", words.join(" | "));
            self.unfit(rule, field)
        })
    }

    /// Texts that must be there, so many of them. A query string and a form separate them with commas.
    pub(crate) fn texts(
        &self,
        field: &'static str,
        many: RangeInclusive<usize>,
    ) -> Result<Vec<String>, Invalid> {
        let texts = match (self.values.get(field), self.place) {
            (None, _) => return Err(Invalid::Missing { field, place: self.place }),
            (Some(Value::Array(items)), Place::Json) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(self.wrong_type("string", other, field)),
                })
                .collect::<Result<Vec<_>, _>>()?,
            (Some(Value::String(text)), Place::Query | Place::Form) => {
                text.split(',').map(str::to_owned).collect()
            }
            (Some(other), _) => return Err(self.wrong_type("array", other, field)),
        };
        if texts.len() < *many.start() {
            let rule = format!("Array must contain at least {} element(s)", many.start());
            return Err(self.unfit(rule, field));
        }
        if texts.len() > *many.end() {
            let rule = format!("Array must contain at most {} element(s)", many.end());
            return Err(self.unfit(rule, field));
        }
        Ok(texts)
    }

    /// Texts that need not be there, at most so many.
    pub(crate) fn optional_texts(&self, field: &'static str, most: usize) -> Result<Vec<String>, Invalid> {
        if self.values.contains_key(field) { self.texts(field, 0..=most) } else { Ok(Vec::new()) }
    }

    /// Says that a field is not there.
    pub(crate) const fn missing(&self, field: &'static str) -> Invalid {
        Invalid::Missing { field, place: self.place }
    }

    /// Says what rule a field breaks.
    pub(crate) fn unfit(&self, rule: String, field: &'static str) -> Invalid {
        Invalid::Unfit { rule, field, place: self.place }
    }

    fn within<N: PartialOrd + Display>(
        &self,
        number: N,
        range: impl RangeBounds<N>,
        field: &'static str,
    ) -> Result<N, Invalid> {
        if range.contains(&number) {
            return Ok(number);
        }
        let rule = match (range.start_bound(), range.end_bound()) {
            (Bound::Included(least), _) if number < *least => {
                format!("Number must be greater than or equal to {least}")
            }
            (_, Bound::Included(most)) => format!("Number must be less than or equal to {most}"),
            _ => "Number is out of range".to_owned(),
        };
        Err(self.unfit(rule, field))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(body: &Value) -> Fields {
        Fields::from_json(body.to_string().as_bytes()).unwrap()
    }

    fn words<T: std::fmt::Debug>(result: Result<T, Invalid>) -> String {
        result.map_or_else(|invalid| invalid.to_string(), |value| format!("{value:?}"))
    }

    #[test]
    fn numbers_have_limits() {
        let table = [
            (json!({"n": 1.5}), "1.5"),
            (json!({"n": -90}), "-90.0"),
            (json!({"n": -90.1}), "Number must be greater than or equal to -90 field 'n' on json"),
            (json!({"n": 1e300}), "Number must be less than or equal to 90 field 'n' on json"),
            (json!({"n": "1"}), "Expected number, received string field 'n' on json"),
            (json!({"n": null}), "Expected number, received null field 'n' on json"),
            (json!({}), "Required field 'n' on json"),
        ];
        for (body, expected) in table {
            assert_eq!(words(fields(&body).number("n", -90.0..=90.0)), expected);
        }
    }

    #[test]
    fn counts_are_whole() {
        let table = [
            (json!({}), "None"),
            (json!({"n": 3}), "Some(3)"),
            (json!({"n": 0}), "Number must be greater than or equal to 1 field 'n' on json"),
            (json!({"n": 9}), "Number must be less than or equal to 5 field 'n' on json"),
            (json!({"n": 1.5}), "Expected a whole number field 'n' on json"),
            (json!({"n": "3"}), "Expected number, received string field 'n' on json"),
            (json!({"n": u64::MAX}), "Expected a whole number field 'n' on json"),
        ];
        for (body, expected) in table {
            assert_eq!(words(fields(&body).optional_count("n", 1..=5)), expected);
        }
        let query = |uri: &str| Fields::from_query(&uri.parse().unwrap());
        assert_eq!(query("/?n=4").optional_count("n", 1..), Ok(Some(4)));
        let text = words(query("/?n=x").optional_count("n", 1..));
        assert_eq!(text, "Expected a whole number field 'n' on query");
        let twice = words(query("/?n=1&n=2").optional_count("n", 1..));
        assert_eq!(twice, "Expected number, received array field 'n' on query");
    }

    #[test]
    fn lists_have_items_of_one_kind_and_not_too_many() {
        let table = [
            (json!({"l": ["a", "b"]}), r#"["a", "b"]"#),
            (json!({"l": ["a"]}), "Array must contain at least 2 element(s) field 'l' on json"),
            (json!({"l": ["a", "b", "c", "d"]}), "Array must contain at most 3 element(s) field 'l' on json"),
            (json!({"l": ["a", 1]}), "Expected string, received number field 'l' on json"),
            (json!({"l": "a"}), "Expected array, received string field 'l' on json"),
            (json!({}), "Required field 'l' on json"),
        ];
        for (body, expected) in table {
            assert_eq!(words(fields(&body).texts("l", 2..=3)), expected);
        }
        assert_eq!(fields(&json!({})).optional_texts("l", 3), Ok(Vec::new()));
        let query = Fields::from_query(&"/?l=a,b".parse().unwrap());
        assert_eq!(query.texts("l", 1..=3), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn words_and_texts() {
        let word = |body: Value| words(fields(&body).word("w", &["on", "off"], |word| word));
        assert_eq!(word(json!({"w": "off"})), "\"off\"");
        assert_eq!(
            word(json!({"w": "maybe"})),
            "Invalid enum value. Expected 'on' | 'off', received 'maybe' field 'w' on json"
        );
        let empty = fields(&json!({"t": ""}));
        assert_eq!(
            words(empty.filled_text("t", 5)),
            "String must contain at least 1 character(s) field 't' on json"
        );
        assert_eq!(empty.optional_text_up_to("t", 5), Ok(None));
        let long = fields(&json!({"t": "123456"}));
        let expected = "String must contain at most 5 character(s) field 't' on json";
        assert_eq!(words(long.filled_text("t", 5)), expected);
        assert_eq!(words(long.optional_text_up_to("t", 5)), expected);
    }
}
