//! What is wrong with the settings.

use std::{fmt, path::PathBuf};

use crate::Source;

/// One thing that is wrong. The text says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A value that cannot be.
    #[error("{name}{} from {from} must be {allowed}", value.as_ref().map(|value| format!("={value}")).unwrap_or_default())]
    Invalid {
        /// The setting.
        name: &'static str,
        /// What it was set to, when that is no secret.
        value: Option<String>,
        /// What it may be.
        allowed: String,
        /// Where the value comes from.
        from: Source,
    },
    /// A name that no setting has.
    #[error("{name} from {from} is no setting{}", closest.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    Unknown {
        /// The name as it was written.
        name: String,
        /// The setting that was probably meant.
        closest: Option<&'static str>,
        /// Where the name is.
        from: Source,
    },
    /// A value of the file that is neither text, a number, a truth value nor a list of these.
    #[error("{name} in the configuration file must be text, a number, true or false, or a list of these")]
    WrongShape {
        /// The key as it was written.
        name: String,
    },
    /// The file has a setting twice, such as `runner_name` and `name` under `[runner]`.
    #[error("{name} is there twice in the configuration file")]
    Repeated {
        /// The setting.
        name: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Conflict(String),
    /// A file that cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The configuration file is not TOML.
    #[error("the configuration file is not valid TOML in line {line}: {reason}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What the parser did not like.
        reason: String,
    },
}

/// Everything that is wrong, so that one start shows all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
