//! Stopping a session: its keys stay, so that it starts again without a scan.

use bus::{
    messages::{SessionCommand, SessionReply},
    subjects,
};
use domain::session::Session;

use crate::{announce, state::ApiState};

/// Stops a session, through whoever holds it; from one who does not answer it is taken away. Returns whether it was
/// still there.
pub(crate) async fn stop(state: &ApiState, session: &Session, reason: &str) -> storage::Result<bool> {
    let subject = subjects::session_command(session.id);
    let asked = state.bus.request(&subject, &SessionCommand::Stop, state.settings.logout_wait).await;
    let force = match asked {
        Ok(SessionReply::Done) => false,
        Ok(reply) => {
            tracing::warn!(session.id = %session.id, ?reply, "unexpected reply to a stop");
            true
        }
        // Nobody holds it, or not any more; or its holder is in a state in which only a lost claim ends it.
        Err(error) => {
            tracing::debug!(session.id = %session.id, %error, "stopped a session without its holder");
            true
        }
    };
    let there = state.database.stop_session(session.id, reason, force).await?;
    if there {
        announce::session_changed(&state.bus, session.id);
        announce::events_stored(&state.bus, session.user);
    }
    Ok(there)
}
