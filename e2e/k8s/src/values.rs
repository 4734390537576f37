//! `values.yaml` says everything once: what a value is, what it may be, and what it is for. From it come
//! `values.schema.json` and the table in the chart's README.
//!
//! Every value has a comment `# -- what it is`, and one `# @schema {…}` in JSON Schema where its default does not say
//! what it may be. Lists and maps that users fill have a comment; sections that only hold other values have none.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A value that users set.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// `sessionRunner.autoscaling.enabled`.
    pub path: Vec<String>,
    pub default: Value,
    pub about: String,
    /// What the schema says beyond the type of the default.
    pub schema: Map<String, Value>,
}

/// Why `values.yaml` cannot be read.
#[derive(Debug)]
pub struct Unreadable(String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// All values, in their order.
pub fn read(text: &str) -> Result<Vec<Described>, Unreadable> {
    let defaults: Value = serde_saphyr::from_str(text).map_err(|error| Unreadable(error.to_string()))?;
    let mut found: Vec<Described> = Vec::new();
    // The sections around a line, with their indents.
    let mut around: Vec<(usize, String)> = Vec::new();
    // Lines that are indented more belong to the default of a value.
    let mut within: Option<usize> = None;
    let mut about = String::new();
    let mut schema = Map::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| Unreadable(format!("line {}: {what}: {line}", number + 1));
        let indent = line.len() - line.trim_start().len();
        let line_text = line.trim();
        if line_text.is_empty() || within.is_some_and(|leaf| indent > leaf) {
            continue;
        }
        within = None;
        if let Some(comment) = line_text.strip_prefix('#') {
            if let Some(words) = comment.strip_prefix(" -- ") {
                words.clone_into(&mut about);
            } else if let Some(json) = comment.strip_prefix(" @schema ") {
                schema = serde_json::from_str(json).map_err(|error| wrong(&error.to_string()))?;
            }
            continue;
        }
        let (key, rest) = line_text.split_once(':').ok_or_else(|| wrong("not a key"))?;
        while around.last().is_some_and(|(outer, _)| *outer >= indent) {
            around.pop();
        }
        if about.is_empty() {
            if !rest.trim().is_empty() || !schema.is_empty() {
                return Err(wrong("a value without a comment `# -- …`"));
            }
            around.push((indent, key.to_owned()));
            continue;
        }
        let path: Vec<String> =
            around.iter().map(|(_, section)| section.clone()).chain([key.to_owned()]).collect();
        let default = path.iter().try_fold(&defaults, |value, key| value.get(key));
        found.push(Described {
            default: default.cloned().ok_or_else(|| wrong("not found again"))?,
            path,
            about: std::mem::take(&mut about),
            schema: std::mem::take(&mut schema),
        });
        within = Some(indent);
    }
    Ok(found)
}

/// The schema: types of the defaults, what the comments say, and nothing that is not there.
#[must_use]
pub fn schema(values: &[Described]) -> Value {
    let mut root = section();
    // Of a chart that has this one in it.
    root["properties"]["global"] = json!({"type": "object"});
    for value in values {
        let Some((name, sections)) = value.path.split_last() else { continue };
        let mut at = &mut root;
        for outer in sections {
            let properties = &mut at["properties"];
            if properties.get(outer).is_none() {
                properties[outer] = section();
            }
            at = &mut properties[outer];
        }
        let mut leaf = json!({"description": value.about, "type": kind(&value.default)});
        for (key, rule) in &value.schema {
            leaf[key] = rule.clone();
        }
        at["properties"][name] = leaf;
    }
    let mut schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": "wa-gateway"});
    for (key, value) in root.as_object_mut().into_iter().flat_map(std::mem::take) {
        schema[key] = value;
    }
    schema
}

fn section() -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

const fn kind(default: &Value) -> &'static str {
    match default {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The table for the README.
#[must_use]
pub fn table(values: &[Described]) -> String {
    let mut text = "| Value | Default | What it does |\n|---|---|---|\n".to_owned();
    for value in values {
        let default = match &value.default {
            Value::String(empty) if empty.is_empty() => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let allowed = value.schema.get("enum").and_then(Value::as_array).map_or(String::new(), |allowed| {
            let names: Vec<_> =
                allowed.iter().filter_map(Value::as_str).map(|name| format!("`{name}`")).collect();
            format!(" One of {}.", names.join(", "))
        });
        let about = value.about.replace('|', "\\|");
        let _ = writeln!(text, "| `{}` | {default} | {about}{allowed} |", value.path.join("."));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;

    const BEGIN: &str = "<!-- values -->\n";
    const END: &str = "<!-- /values -->\n";

    #[test]
    fn values_are_read_with_their_comments() {
        let text = "# Of the file.\n\n# -- First.\n# @schema {\"enum\": [\"a\", \"b\"]}\none: a\ntwo:\n  # -- Second.\n  \
                    three:\n    deep: {x: 1}\n  # -- Third.\n  four: []\n# -- Fourth.\nfive: 5\n";
        let values = read(text).unwrap();
        let paths: Vec<_> = values.iter().map(|value| value.path.join(".")).collect();
        assert_eq!(paths, ["one", "two.three", "two.four", "five"]);
        assert_eq!(values[1].default, json!({"deep": {"x": 1}}));
        let schema = schema(&values);
        assert_eq!(schema["properties"]["one"]["enum"], json!(["a", "b"]));
        assert_eq!(schema["properties"]["two"]["properties"]["four"]["type"], "array");
        assert_eq!(schema["properties"]["two"]["additionalProperties"], json!(false));
        assert!(table(&values).contains("| `one` | `a` | First. One of `a`, `b`. |\n"));
        for wrong in ["a: 1\n", "# -- A.\n# @schema nothing\na: 1\n", "a: [\n"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_generated_is_up_to_date() {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/wa-gateway");
        let values = read(&fs::read_to_string(chart.join("values.yaml")).unwrap()).unwrap();
        assert!(values.len() > 100, "{}", values.len());
        let schema = serde_json::to_string_pretty(&schema(&values)).unwrap() + "\n";
        let readme = fs::read_to_string(chart.join("README.md")).unwrap();
        let (before, rest) = readme.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let readme_now = format!("{before}{BEGIN}{}{END}{after}", table(&values));
        for (name, now) in [("values.schema.json", schema), ("README.md", readme_now)] {
            let path = chart.join(name);
            if env::var_os("UPDATE_CHART").is_some() {
                fs::write(&path, &now).unwrap();
            }
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(there == now, "{name} is out of date: UPDATE_CHART=1 cargo test -p k8s writes it");
        }
    }
}
