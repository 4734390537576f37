//! How the process ends: softly, or at once.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinError,
};
use tokio_util::sync::CancellationToken;

use crate::RoleEnded;

/// The longest a soft stop takes where no sessions are handed over; Kubernetes kills after 30 s by default.
pub(crate) const SOFT_STOP: Duration = Duration::from_secs(25);

/// Who may tell the process to stop.
pub enum Signals {
    /// SIGTERM and SIGINT.
    Process { terminate: Signal, interrupt: Signal },
    /// Another part of the program, for one that embeds the gateway.
    Token(CancellationToken),
}

impl Signals {
    /// Listens for SIGTERM and SIGINT.
    pub fn listen() -> io::Result<Self> {
        Ok(Self::Process {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        match self {
            Self::Process { terminate, interrupt } => tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            },
            Self::Token(token) => token.cancelled().await,
        }
    }

    /// Waits for one that says "at once".
    async fn again(&mut self) {
        match self {
            Self::Process { .. } => self.next().await,
            Self::Token(_) => std::future::pending().await,
        }
    }
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Everything was handed over.
    Soft,
    /// It was cut short, by a second signal or by its deadline.
    Hard,
}

/// Waits for `work` to end by itself, at most for `longest`, unless somebody insists.
pub async fn stop_softly(work: impl Future<Output = ()>, longest: Duration, signals: &mut Signals) -> Stop {
    tokio::select! {
        () = work => Stop::Soft,
        () = tokio::time::sleep(longest) => Stop::Hard,
        () = signals.again() => Stop::Hard,
    }
}

/// What to say of a role that ended by itself.
pub(crate) fn unexpected(ended: Result<(&'static str, Result<(), String>), JoinError>) -> RoleEnded {
    let (role, reason) = match ended {
        Ok((role, Ok(()))) => (role, "it returned".to_owned()),
        Ok((role, Err(reason))) => (role, reason),
        Err(error) => ("role", error.to_string()),
    };
    tracing::error!(role, reason, "a role ended unexpectedly");
    RoleEnded { role, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stop_is_soft_until_its_deadline() {
        let mut signals = Signals::Token(CancellationToken::new());
        assert_eq!(stop_softly(async {}, SOFT_STOP, &mut signals).await, Stop::Soft);
        assert_eq!(stop_softly(std::future::pending(), SOFT_STOP, &mut signals).await, Stop::Hard);
    }
}
