//! Hints to the other processes, after the commit that made them true.

use bus::{Bus, messages::Hint, subjects};
use domain::{SessionId, UserId};

/// A session was started: runners may take it, and its webhook is due.
pub(crate) fn session_started(bus: &Bus, session: SessionId) {
    bus.publish(&subjects::sessions_available(), &Hint::SessionsAvailable);
    session_changed(bus, session);
}

/// A session's row changed, or is gone; its webhook is due.
pub(crate) fn session_changed(bus: &Bus, session: SessionId) {
    bus.publish(&subjects::session_changed(session), &Hint::SessionChanged { session });
    bus.publish(&subjects::deliveries_due(), &Hint::DeliveriesDue);
}

/// A user's password or settings changed, or the user is gone.
pub(crate) fn user_changed(bus: &Bus, user: UserId) {
    bus.publish(&subjects::user_changed(user), &Hint::UserChanged { user });
}

/// Events of a user's sessions are stored.
pub(crate) fn events_stored(bus: &Bus, user: UserId) {
    bus.publish(&subjects::events_stored(user), &Hint::EventsStored { user });
}

/// Webhooks are due.
pub(crate) fn deliveries_due(bus: &Bus) {
    bus.publish(&subjects::deliveries_due(), &Hint::DeliveriesDue);
}
