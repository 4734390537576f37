//! The table of settings for people: the source of `docs/configuration.md`.

use std::fmt::Write as _;

use crate::{
    rule::{Kind, Rule},
    settings::table,
};

/// What there is to know about a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the environment; in the TOML file in lower case.
    pub name: &'static str,
    /// What it does.
    pub help: String,
    /// Completes "must be …".
    pub allowed: String,
    /// Its default, as it would be written.
    pub default: Option<&'static str>,
    /// What happens without it, when there is no default.
    pub unset: &'static str,
    /// It is or may contain a secret.
    pub secret: bool,
}

pub(crate) fn setting<R: Rule>(name: &'static str, help: &str, rule: &R) -> Setting {
    let (kind, default, unset) = (rule.kind(), rule.default(), rule.unset());
    let (allowed, secret) = (kind.allowed(), kind.secret());
    Setting { name, help: help.trim().to_owned(), allowed, default, unset, secret }
}

/// Every setting there is, in groups: what a group is about, and its settings.
#[must_use]
pub fn reference() -> Vec<(&'static str, Vec<Setting>)> {
    table()
}

/// `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for (about, settings) in reference() {
        let (title, rest) = about.trim().trim_end_matches('.').split_once(": ").unwrap_or((about.trim(), ""));
        let _ = write!(text, "\n## {}\n\n", title.trim_end_matches('.'));
        if let Some(first) = rest.chars().next() {
            let _ = write!(text, "{}{}.\n\n", first.to_uppercase(), &rest[first.len_utf8()..]);
        }
        text.push_str("| Setting | Default | What it does | Allowed |\n|---|---|---|---|\n");
        for setting in settings {
            let default = match setting.default {
                Some("") => "none".to_owned(),
                Some(default) => format!("`{default}`"),
                None => setting.unset.to_owned(),
            };
            let secret = if setting.secret { " (secret)" } else { "" };
            let Setting { name, help, allowed, .. } = setting;
            let _ = writeln!(text, "| `{name}`{secret} | {default} | {help} | {allowed} |");
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `UPDATE_DOCS=1 cargo test -p config` from crates/config/src/settings.rs. -->

Every setting is an environment variable. It can also stand in a file `.env` in the working directory, or in a
TOML file named by `--config` or `WA_GATEWAY_CONFIG`; the environment wins over `.env`, and `.env` over the TOML
file. In TOML the names are in lower case, and a prefix can be a table: `runner_capacity = 100` is the same as
`capacity = 100` under `[runner]`. An empty value is as good as none.

The gateway does not start with a value that it does not understand, nor with a name in the TOML file, or one in
the environment with a prefix of ours (`RUNNER_`, `SEND_`, `WEBHOOK_`, `WHATSAPP_`, `SQLITE_`, `EGRESS_`,
`BCRYPT_`, `LOGIN_FAILURES_`, `AUTOSCALE_`), that it does not know. It says what is wrong, all of it at once.
`wa-gateway config check` shows what is in force and where it comes from, without secrets.
\"secret\" marks what is never shown or logged; of a URL only the login and the query are hidden.
";
