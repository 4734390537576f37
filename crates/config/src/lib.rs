//! The settings: read once at start, from defaults < a TOML file < `.env` < the environment, and checked all
//! at once, so that a wrong one is refused with its name and what is allowed instead of being guessed at.
//!
//! Every setting is one row of the table in `settings.rs`. To add one, add a row there and run
//! `UPDATE_DOCS=1 cargo test -p config`, which writes `docs/configuration.md` anew.

mod checks;
mod problem;
mod reference;
mod rule;
mod settings;
mod sources;

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

pub use checks::{Exposed, ListenAddress};
pub use problem::{Problem, Problems};
pub use reference::{Setting, markdown, reference};
pub use rule::{LogFormat, Sampled, SecretUrl, Synchronous, TraceSampler};
pub use settings::{
    Access, Config, Egress, Http, Kubernetes, Logging, Media, Nats, Runner, Send, Storage, Webhooks, Whatsapp,
};
pub use sources::Source;

/// A setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its name in the environment.
    pub name: &'static str,
    /// Its value, secrets left out; `None` when it is not set and has no default.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub enum DatabaseTarget {
    /// A file of this process alone.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(SecretUrl),
}

impl Config {
    /// Reads the file (when named here or by `WA_GATEWAY_CONFIG`), `.env` in the working directory (when there
    /// is one) and the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, Problems> {
        let sources = sources::read(file)?;
        Self::from_sources(sources.file.as_deref(), &sources.dotenv, &sources.environment)
    }

    /// Every setting with its value, secrets left out, and where it comes from, for `wa-gateway config check`.
    #[must_use]
    pub fn describe(&self) -> String {
        let width = self.in_force.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
        self.in_force.iter().fold(String::new(), |mut text, setting| {
            let value = setting.value.as_deref().unwrap_or("(not set)");
            let _ = writeln!(text, "{:width$} = {value}  [{}]", setting.name, setting.source);
            text
        })
    }

    /// Where the API listens: `HOST` and `PORT`. Without an admin password of its own the gateway is for this
    /// machine only; asked to be there for others nevertheless, it must not start.
    pub fn listen(&self) -> Result<ListenAddress, Exposed> {
        checks::listen(self.http.host, self.http.port, self.access.admin_password.as_ref())
    }

    /// `DATABASE_URL`, or the SQLite file in `DATA_DIR`.
    #[must_use]
    pub fn database(&self) -> DatabaseTarget {
        match &self.storage.database_url {
            None => DatabaseTarget::Sqlite(self.storage.data_dir.join("gateway.db")),
            Some(url) => match url.sqlite_path() {
                Some(path) => DatabaseTarget::Sqlite(path),
                None => DatabaseTarget::Postgres(url.clone()),
            },
        }
    }

    /// Checks what a process needs that is one of several, such as `api`: a database and a bus that it shares with
    /// the others, and the same keys. `role` is what it is started as.
    pub fn one_of_several(&self, role: &str) -> Result<(), Problems> {
        let problems = checks::one_of_several(self, role);
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// `LOG_FORMAT`, or text for a person at a terminal and JSON for a machine.
    #[must_use]
    pub fn log_format(&self, stderr_is_terminal: bool) -> LogFormat {
        let default = if stderr_is_terminal { LogFormat::Text } else { LogFormat::Json };
        self.logging.format.unwrap_or(default)
    }
}

/// Prints what [`Config::describe`] says: no secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const EVERYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests;
