//! Why a benchmark could not be carried out.

use std::io;

/// What stopped it; the text says what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The machine refused something.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// What is to be measured is not there, or does not behave.
    #[error("{0}")]
    Setup(String),
    /// The gateway answered something else than what was expected.
    #[error("the gateway answered {request} with {status}: {body}")]
    Answer { request: String, status: u16, body: String },
    /// The fake WhatsApp refused something, or did not see it in time.
    #[error("fake WhatsApp: {0}")]
    WhatsApp(#[from] fake_whatsapp::Error),
    /// No PostgreSQL, or no NATS.
    #[error(transparent)]
    Database(#[from] scratch::Unavailable),
    /// A look into the database.
    #[error("the database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The gateway's own storage, driven by the benchmark.
    #[error("storage: {0}")]
    Storage(#[from] storage::Error),
    /// The database cannot be opened.
    #[error("storage: {0}")]
    Open(#[from] storage::OpenError),
}

pub(crate) type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// For `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
