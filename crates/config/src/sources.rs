//! Where values come from.

use std::{collections::BTreeMap, fmt, path::Path};

use crate::{
    InForce, Problem, Problems,
    rule::{Kind, Rule},
    settings::OWN_PREFIXES,
};

/// Where a value comes from; a later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File,
    /// `.env` in the working directory.
    Dotenv,
    /// The environment of the process.
    Environment,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "the default",
            Self::File => "the configuration file",
            Self::Dotenv => ".env",
            Self::Environment => "the environment",
        })
    }
}

/// What was read, before anything is made of it.
pub(crate) struct Sources {
    pub(crate) file: Option<String>,
    pub(crate) dotenv: Vec<(String, String)>,
    pub(crate) environment: Vec<(String, String)>,
}

/// Reads from the disk and the process's environment.
pub(crate) fn read(file: Option<&Path>) -> Result<Sources, Problems> {
    let unreadable = |path: &Path, reason: String| Problem::Unreadable { path: path.to_owned(), reason };
    // Names and values that are not UTF-8 are not ours.
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let path = Path::new(".env");
    let dotenv = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines.collect::<Result<_, _>>().map_err(|error| unreadable(path, reason(&error)))?,
        Err(error) if error.not_found() => Vec::new(),
        Err(error) => return Err(unreadable(path, reason(&error)).into()),
    };
    let named = environment.iter().chain(&dotenv).find(|(name, _)| name == "WA_GATEWAY_CONFIG");
    let named = named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()).map(Path::new);
    let file = file
        .or(named)
        .map(|path| std::fs::read_to_string(path).map_err(|error| unreadable(path, error.to_string())))
        .transpose()?;
    Ok(Sources { file, dotenv, environment })
}

/// What is wrong with `.env`, without the line itself, which may hold a secret.
fn reason(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(..) => "a line is not of the form NAME=value".to_owned(),
        error => error.to_string(),
    }
}

/// The texts in force, by name.
pub(crate) struct Values {
    texts: BTreeMap<String, (String, Source)>,
    problems: Vec<Problem>,
}

impl Values {
    pub(crate) fn collect(
        file: Option<&str>,
        dotenv: &[(String, String)],
        environment: &[(String, String)],
        names: &'static [&'static str],
    ) -> Self {
        let mut values = Self { texts: BTreeMap::new(), problems: Vec::new() };
        values.add_file(file.unwrap_or_default(), names);
        for (pairs, from) in [(dotenv, Source::Dotenv), (environment, Source::Environment)] {
            for (name, value) in pairs {
                if names.contains(&name.as_str()) {
                    values.put(name, value, from);
                } else if is_mistaken(name, value) {
                    let closest = closest(name, names);
                    values.problems.push(Problem::Unknown { name: name.clone(), closest, from });
                }
            }
        }
        values
    }

    fn put(&mut self, name: &str, value: &str, source: Source) {
        // `KEY=` is what a compose file or a chart writes for "not set".
        if !value.trim().is_empty() {
            self.texts.insert(name.to_owned(), (value.trim().to_owned(), source));
        }
    }

    fn add_file(&mut self, text: &str, names: &'static [&'static str]) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                return self.problems.push(Problem::Syntax { line, reason: error.message().to_owned() });
            }
        };
        let mut leaves = Vec::new();
        flatten("", table, &mut leaves);
        for (written, value) in leaves {
            let name = written.replace('.', "_").to_uppercase();
            if !names.contains(&name.as_str()) {
                let closest = closest(&name, names);
                self.problems.push(Problem::Unknown { name: written, closest, from: Source::File });
            } else if self.texts.contains_key(&name) {
                self.problems.push(Problem::Repeated { name });
            } else if let Some(text) = plain(&value) {
                self.put(&name, &text, Source::File);
            } else {
                self.problems.push(Problem::WrongShape { name: written });
            }
        }
    }
}

/// `[runner] name` and `runner_name` are the same setting.
fn flatten(path: &str, table: toml::Table, leaves: &mut Vec<(String, toml::Value)>) {
    for (key, value) in table {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        match value {
            toml::Value::Table(table) => flatten(&path, table, leaves),
            value => leaves.push((path, value)),
        }
    }
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            items.iter().map(plain).collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

fn closest(name: &str, names: &'static [&'static str]) -> Option<&'static str> {
    let scored = names.iter().map(|known| (strsim::normalized_damerau_levenshtein(name, known), *known));
    let (score, known) = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (score > 0.6).then_some(known)
}

/// Whether an unknown name in the environment is a mistake of ours. The environment is shared: only names with
/// one of our prefixes can be, and of these not what others are known to put there.
fn is_mistaken(name: &str, value: &str) -> bool {
    OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !is_service_link(name, value)
        && !is_ci_runner(name)
}

/// Kubernetes and container links describe a service called `webhook-…` by `WEBHOOK_…_SERVICE_HOST`,
/// `WEBHOOK_…_PORT=tcp://…` and `WEBHOOK_…_PORT_80_TCP_ADDR`.
fn is_service_link(name: &str, value: &str) -> bool {
    let address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let part = |part: &str| name.contains(part) && name.contains("_PORT_");
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (address && name.contains("_PORT"))
        || part("_TCP_")
        || part("_UDP_")
        || part("_SCTP_")
}

/// What the runners of CI services say about themselves.
fn is_ci_runner(name: &str) -> bool {
    matches!(
        name,
        "RUNNER_ARCH"
            | "RUNNER_DEBUG"
            | "RUNNER_ENVIRONMENT"
            | "RUNNER_GENERATE_ARTIFACTS_METADATA"
            | "RUNNER_OS"
            | "RUNNER_PERFLOG"
            | "RUNNER_TEMP"
            | "RUNNER_TEMP_PROJECT_DIR"
            | "RUNNER_TOOL_CACHE"
            | "RUNNER_TRACKING_ID"
            | "RUNNER_USER"
            | "RUNNER_WORKSPACE"
    )
}

/// Makes values of the texts, one setting at a time.
pub(crate) struct Reader {
    values: Values,
    in_force: Vec<InForce>,
}

impl Reader {
    pub(crate) const fn new(values: Values) -> Self {
        Self { values, in_force: Vec::new() }
    }

    /// `None` when the text is not allowed, which is noted.
    pub(crate) fn read<R: Rule>(&mut self, name: &'static str, rule: &R) -> Option<R::Value> {
        let kind = rule.kind();
        let set = self.values.texts.get(name).map(|(text, source)| (text.as_str(), *source));
        let Some((text, from)) = set.or_else(|| rule.default().map(|text| (text, Source::Default))) else {
            self.in_force.push(InForce { name, value: None, source: Source::Default });
            return rule.finish(None);
        };
        let hidden = || "***".to_owned();
        let value = Some(kind.shown(text).unwrap_or_else(hidden));
        self.in_force.push(InForce { name, value, source: from });
        let parsed = kind.parse(text);
        if parsed.is_none() {
            let value = if kind.secret() { None } else { Some(text.to_owned()) };
            self.values.problems.push(Problem::Invalid { name, value, allowed: kind.allowed(), from });
            return None;
        }
        rule.finish(parsed)
    }

    pub(crate) fn finish(self) -> (Vec<InForce>, Vec<Problem>) {
        (self.in_force, self.values.problems)
    }
}
