//! What follows from what happens to a session's client: pure decisions.

use std::time::Duration;

use domain::{
    Timestamp,
    session::{PairingCode, SessionState},
};
use whatsapp::Happened;

use super::Ending;

/// How often a pairing is offered anew when nobody scanned; each offer lives a little under three minutes.
const PAIRING_OFFERS: u32 = 5;

/// After "replaced", while the claim is still ours: how long to wait before trying once more.
const AFTER_REPLACED: Duration = Duration::from_secs(10);

/// A second "replaced" within this time is no accident: somebody else uses the link.
const REPLACED_AGAIN_WITHIN: Duration = Duration::from_mins(10);

/// A pause before the client is opened again from what is stored.
const STORE_AGAIN: Duration = Duration::from_secs(2);

/// A pause before pairing is offered anew.
const OFFER_AGAIN: Duration = Duration::from_millis(500);

/// A change that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub to: SessionState,
    pub reason: Option<String>,
    pub phone: Option<String>,
    /// Whether the session is linked, when that changed.
    pub linked: Option<bool>,
    pub qr: Option<PairingCode>,
    /// Messages can be sent now.
    pub connected: bool,
}

impl Step {
    /// A step that changes nothing but what is set on top.
    pub(crate) const fn stay(to: SessionState) -> Self {
        Self { to, reason: None, phone: None, linked: None, qr: None, connected: false }
    }

    fn because(to: SessionState, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::stay(to) }
    }
}

/// Where a session's task goes from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// On with the same client.
    Stay,
    /// On with a new client.
    Reopen { after: Duration },
    /// To its end.
    End(Ending),
}

/// What a session has been through, as far as decisions need it.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle {
    linked: bool,
    was_connected: bool,
    offers: u32,
    replaced_at: Option<Timestamp>,
}

impl Lifecycle {
    /// Of a session that was in `state` when it was claimed: its last owner may have held it on line.
    pub(crate) const fn new(linked: bool, state: SessionState) -> Self {
        let was_connected = matches!(state, SessionState::Connected | SessionState::Reconnecting);
        Self { linked, was_connected, offers: 0, replaced_at: None }
    }

    /// What to store when a session that was taken over as connected is not on line in time: a hand-over is no news, an
    /// owner that died is.
    pub(crate) fn overdue(&self) -> Step {
        Step::because(self.on_the_way(), "its runner is gone; connecting again")
    }

    /// Whether it can connect without a scan.
    pub(crate) const fn linked(&self) -> bool {
        self.linked
    }

    /// What to store, and where to go.
    pub(crate) fn follow(&mut self, happened: Happened, now: Timestamp) -> (Option<Step>, Course) {
        match happened {
            Happened::Qr { text, lifetime } => {
                let qr = Some(PairingCode { text, expires_at: now + lifetime });
                let step = Step { qr, ..Step::because(SessionState::Pairing, "waiting for a scan") };
                (Some(step), Course::Stay)
            }
            Happened::QrExhausted => self.offer_again(),
            // The one who asked for the code is answered directly; receipts change messages, not the session.
            Happened::PairingCode { .. } | Happened::PairingCodeFailed { .. } | Happened::Receipt { .. } => {
                (None, Course::Stay)
            }
            Happened::NeedsPasskey => {
                let step = Step::because(
                    SessionState::NeedsPasskey,
                    "confirm the link with the passkey on the phone",
                );
                (Some(step), Course::Stay)
            }
            Happened::StoreFailed { reason } => {
                let step =
                    Step::because(self.on_the_way(), format!("its keys could not be stored: {reason}"));
                (Some(step), Course::Reopen { after: STORE_AGAIN })
            }
            Happened::Paired { phone, .. } => {
                self.linked = true;
                let step = Step {
                    phone: Some(phone),
                    linked: Some(true),
                    ..Step::because(SessionState::Connecting, "linked")
                };
                (Some(step), Course::Stay)
            }
            Happened::PairFailed { reason } => {
                let step = Step::because(SessionState::Connecting, format!("the scan failed: {reason}"));
                (Some(step), Course::Reopen { after: OFFER_AGAIN })
            }
            Happened::Connected => {
                self.was_connected = true;
                // Also should the news of the link have been missed: what is on line is linked, and must never be
                // opened as a fresh one again.
                self.linked = true;
                let step =
                    Step { connected: true, linked: Some(true), ..Step::stay(SessionState::Connected) };
                (Some(step), Course::Stay)
            }
            Happened::Disconnected { reason } | Happened::ConnectFailed { reason } => {
                (Some(Step::because(self.on_the_way(), reason)), Course::Stay)
            }
            Happened::LoggedOut { reason } => {
                self.linked = false;
                let step = Step { linked: Some(false), ..Step::because(SessionState::LoggedOut, reason) };
                (Some(step), Course::End(Ending::Over))
            }
            Happened::Replaced => self.replaced(now),
            Happened::Banned { reason, until } => {
                let reason = until
                    .map_or_else(|| reason.clone(), |until| format!("{reason} until {}", until.to_rfc3339()));
                (Some(Step::because(SessionState::Banned, reason)), Course::End(Ending::Over))
            }
            Happened::Outdated => {
                let step = Step::because(
                    SessionState::Outdated,
                    "WhatsApp no longer accepts this version of the client: update the gateway",
                );
                (Some(step), Course::End(Ending::Over))
            }
        }
    }

    const fn on_the_way(&self) -> SessionState {
        if self.was_connected { SessionState::Reconnecting } else { SessionState::Connecting }
    }

    fn offer_again(&mut self) -> (Option<Step>, Course) {
        self.offers += 1;
        if self.offers < PAIRING_OFFERS {
            let step = Step::because(SessionState::Pairing, "offering a new code");
            (Some(step), Course::Reopen { after: OFFER_AGAIN })
        } else {
            let step =
                Step::because(SessionState::Stopped, "nobody scanned the code; start the session again");
            (Some(step), Course::End(Ending::Over))
        }
    }

    fn replaced(&mut self, now: Timestamp) -> (Option<Step>, Course) {
        let again = self.replaced_at.is_some_and(|before| now.since(before) < REPLACED_AGAIN_WITHIN);
        self.replaced_at = Some(now);
        if again {
            let step = Step::because(
                SessionState::Replaced,
                "another client uses this link; stop that one, or link this session again",
            );
            (Some(step), Course::End(Ending::Over))
        } else {
            let step =
                Step::because(self.on_the_way(), "another client took the link over; trying once more");
            (Some(step), Course::Reopen { after: AFTER_REPLACED })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn follow(lifecycle: &mut Lifecycle, happened: Happened) -> (Option<SessionState>, Course) {
        let (step, course) = lifecycle.follow(happened, NOW);
        (step.map(|step| step.to), course)
    }

    #[test]
    fn a_number_is_linked_and_connects() {
        let mut lifecycle = Lifecycle::new(false, SessionState::Connecting);
        let qr = Happened::Qr { text: "2@x".into(), lifetime: Duration::from_mins(1) };
        let (step, course) = lifecycle.follow(qr, NOW);
        assert_eq!(step.unwrap().qr.unwrap().expires_at, NOW + Duration::from_mins(1));
        assert_eq!(course, Course::Stay);
        let paired = Happened::Paired { phone: "62811".into(), lid: None };
        assert_eq!(follow(&mut lifecycle, paired), (Some(SessionState::Connecting), Course::Stay));
        assert!(lifecycle.linked());
        assert_eq!(
            follow(&mut lifecycle, Happened::Connected),
            (Some(SessionState::Connected), Course::Stay)
        );
    }

    #[test]
    fn a_lost_connection_is_connecting_or_reconnecting() {
        let mut lifecycle = Lifecycle::new(true, SessionState::Connecting);
        let drop = || Happened::Disconnected { reason: "closed".into() };
        assert_eq!(follow(&mut lifecycle, drop()), (Some(SessionState::Connecting), Course::Stay));
        follow(&mut lifecycle, Happened::Connected);
        assert_eq!(follow(&mut lifecycle, drop()), (Some(SessionState::Reconnecting), Course::Stay));
    }

    #[test]
    fn a_session_that_was_taken_over_is_reconnecting() {
        let mut lifecycle = Lifecycle::new(true, SessionState::Connected);
        assert_eq!(lifecycle.overdue().to, SessionState::Reconnecting);
        let failed = Happened::ConnectFailed { reason: "refused".into() };
        assert_eq!(follow(&mut lifecycle, failed), (Some(SessionState::Reconnecting), Course::Stay));
    }

    #[test]
    fn a_logged_out_session_is_never_tried_again() {
        let mut lifecycle = Lifecycle::new(true, SessionState::Connecting);
        let (step, course) = lifecycle.follow(Happened::LoggedOut { reason: "unlinked".into() }, NOW);
        assert_eq!((step.unwrap().linked, course), (Some(false), Course::End(Ending::Over)));
    }

    #[test]
    fn replaced_is_tried_once_more() {
        let mut lifecycle = Lifecycle::new(true, SessionState::Connecting);
        assert!(matches!(
            follow(&mut lifecycle, Happened::Replaced),
            (Some(SessionState::Connecting), Course::Reopen { .. })
        ));
        assert_eq!(
            follow(&mut lifecycle, Happened::Replaced),
            (Some(SessionState::Replaced), Course::End(Ending::Over))
        );
        let much_later = NOW + REPLACED_AGAIN_WITHIN;
        assert!(matches!(lifecycle.follow(Happened::Replaced, much_later).1, Course::Reopen { .. }));
    }

    #[test]
    fn pairing_is_offered_for_a_while() {
        let mut lifecycle = Lifecycle::new(false, SessionState::Connecting);
        for _ in 1..PAIRING_OFFERS {
            assert!(matches!(
                follow(&mut lifecycle, Happened::QrExhausted),
                (Some(SessionState::Pairing), Course::Reopen { .. })
            ));
        }
        assert_eq!(
            follow(&mut lifecycle, Happened::QrExhausted),
            (Some(SessionState::Stopped), Course::End(Ending::Over))
        );
    }
}
