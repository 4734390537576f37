//! What a link to a session's code opens, to whoever has it.

pub(crate) mod pair_code;
pub(crate) mod qr_events;
pub(crate) mod state;
#[cfg(test)]
mod tests;

use domain::session::{Session, SessionState};

/// Whether somebody with a link may start a session: there is nothing to scan, and nothing is linked.
fn may_start(session: &Session) -> bool {
    match session.state {
        SessionState::LoggedOut => true,
        SessionState::Stopped => !session.credentials_present,
        _ => false,
    }
}
