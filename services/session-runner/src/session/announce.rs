//! Hints to the other processes, after the commit that made them true.

use bus::{Bus, messages::Hint, subjects};
use domain::{SessionId, UserId};

/// A session's row changed; that is an event, and webhooks may be due because of it.
pub(super) fn session_changed(bus: &Bus, session: SessionId, user: UserId) {
    bus.publish(&subjects::session_changed(session), &Hint::SessionChanged { session });
    events_stored(bus, user);
    deliveries_due(bus);
}

/// Events of a user's sessions are stored.
pub(super) fn events_stored(bus: &Bus, user: UserId) {
    bus.publish(&subjects::events_stored(user), &Hint::EventsStored { user });
}

/// Webhooks are due.
pub(super) fn deliveries_due(bus: &Bus) {
    bus.publish(&subjects::deliveries_due(), &Hint::DeliveriesDue);
}
