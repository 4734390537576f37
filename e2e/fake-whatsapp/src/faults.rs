//! What a test has asked the server to do wrong.

use parking_lot::{Mutex, RwLock};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// 401: the companion has been unlinked.
    LoggedOut,
    /// 402: a temporary ban with its sub-code and its length in seconds.
    TemporaryBan {
        /// The reason for the ban, such as 101 (too many messages).
        code: u32,
        /// How long it lasts, in seconds.
        expire: u64,
    },
    /// 403: the account is locked.
    Locked,
    /// 406: banned for good.
    Banned,
    /// 405: the client is too old.
    Outdated,
    /// 503: try again later.
    Unavailable,
    /// Any other reason.
    Reason(u16),
}

impl Failure {
    /// The value of the `reason` attribute.
    pub fn reason(&self) -> u16 {
        match self {
            Self::LoggedOut => 401,
            Self::TemporaryBan { .. } => 402,
            Self::Locked => 403,
            Self::Outdated => 405,
            Self::Banned => 406,
            Self::Unavailable => 503,
            Self::Reason(reason) => *reason,
        }
    }
}

/// How a connection is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kick {
    /// The TCP stream ends, nothing else.
    #[serde(rename = "drop")]
    Drop,
    /// A WebSocket close frame, nothing else.
    #[serde(rename = "close")]
    Close,
    /// `conflict type="replaced"`: another connection of the same device took over.
    #[serde(rename = "replaced")]
    Replaced,
    /// 401 with `conflict type="device_removed"`, and the device is no longer linked.
    #[serde(rename = "removed")]
    Removed,
    /// 401 without a conflict, and the device is no longer linked.
    #[serde(rename = "401")]
    Unauthorized,
    /// 409.
    #[serde(rename = "409")]
    Conflict,
    /// 429: slow down.
    #[serde(rename = "429")]
    RateLimited,
    /// 503: the server is going away.
    #[serde(rename = "503")]
    Unavailable,
    /// 515: connect again.
    #[serde(rename = "515")]
    Restart,
    /// 516: the companion has been unlinked, and is no longer linked.
    #[serde(rename = "516")]
    Unlinked,
}

impl std::str::FromStr for Kick {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
    }
}

/// Slower answers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Delay {
    /// Which answers: a stanza's tag (`message`, `receipt`, `iq`), an iq's namespace (`encrypt`, `usync`, `w:g2`, …), or
    /// everything when missing.
    #[serde(default)]
    pub kind: Option<String>,
    /// How late they are, in milliseconds.
    pub millis: u64,
}

/// How the media host misbehaves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaFault {
    /// Answers with this status: 404 and 410 mean expired, 401 and 403 ask for new credentials.
    Status(u16),
    /// Answers this many milliseconds later.
    Slow(u64),
    /// Sends 16 KiB every so many milliseconds; downloads only.
    Trickle(u64),
    /// Ends the connection in the middle of the body.
    Cut,
    /// Serves other bytes than were stored.
    WrongBytes,
}

/// A media fault and how often it strikes.
#[derive(Debug, Clone)]
struct MediaRule {
    fault: MediaFault,
    uploads: bool,
    left: Option<u32>,
}

/// Faults of the whole server.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    delaying: AtomicBool,
    delays: RwLock<Vec<Delay>>,
    media: Mutex<Vec<MediaRule>>,
}

impl Faults {
    /// Delays answers from now on.
    pub(crate) fn delay(&self, delay: Delay) {
        let mut delays = self.delays.write();
        delays.retain(|other| other.kind != delay.kind);
        if delay.millis > 0 {
            delays.push(delay);
        }
        self.delaying.store(!delays.is_empty(), Ordering::Release);
    }

    /// By how much an answer of these kinds is delayed.
    pub(crate) fn delay_of(&self, kinds: &[&str]) -> Option<Duration> {
        if !self.delaying.load(Ordering::Acquire) {
            return None;
        }
        let delays = self.delays.read();
        let rule =
            delays.iter().find(|delay| delay.kind.as_deref().is_none_or(|kind| kinds.contains(&kind)))?;
        Some(Duration::from_millis(rule.millis))
    }

    /// Makes the media host misbehave, for uploads or for downloads, `times` times or until cleared.
    pub(crate) fn media(&self, fault: MediaFault, uploads: bool, times: Option<u32>) {
        self.media.lock().push(MediaRule { fault, uploads, left: times });
    }

    /// The media host is well again.
    pub(crate) fn clear_media(&self) {
        self.media.lock().clear();
    }

    /// What goes wrong with this transfer.
    pub(crate) fn next_media(&self, upload: bool) -> Option<MediaFault> {
        let mut rules = self.media.lock();
        let at = rules.iter().position(|rule| rule.uploads == upload)?;
        let rule = rules.get_mut(at)?;
        let fault = rule.fault.clone();
        if let Some(left) = &mut rule.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                rules.remove(at);
            }
        }
        Some(fault)
    }
}

/// Faults of one account.
#[derive(Debug, Default)]
pub(crate) struct AccountFaults {
    logins: Mutex<VecDeque<Failure>>,
    refuse: Mutex<Option<Failure>>,
    /// Fast path: whether `nacks` has anything.
    nacking: AtomicBool,
    nacks: Mutex<VecDeque<u16>>,
    swallow: AtomicU32,
}

impl AccountFaults {
    /// The next login is refused.
    pub(crate) fn fail_next_login(&self, failure: Failure) {
        self.logins.lock().push_back(failure);
    }

    /// All logins are refused until `None`.
    pub(crate) fn refuse_logins(&self, failure: Option<Failure>) {
        *self.refuse.lock() = failure;
    }

    /// Whether, and why, a login is refused now.
    pub(crate) fn next_login(&self) -> Option<Failure> {
        self.logins.lock().pop_front().or_else(|| self.refuse.lock().clone())
    }

    /// The next message is refused with this code.
    pub(crate) fn nack_next(&self, code: u16) {
        self.nacks.lock().push_back(code);
        self.nacking.store(true, Ordering::Release);
    }

    /// The code this message is refused with.
    pub(crate) fn next_nack(&self) -> Option<u16> {
        if !self.nacking.load(Ordering::Acquire) {
            return None;
        }
        let mut nacks = self.nacks.lock();
        let code = nacks.pop_front();
        self.nacking.store(!nacks.is_empty(), Ordering::Release);
        code
    }

    /// The next `count` messages are accepted and relayed, but their sender never hears of it.
    pub(crate) fn swallow_acks(&self, count: u32) {
        self.swallow.store(count, Ordering::Release);
    }

    /// Whether this acknowledgement is swallowed.
    pub(crate) fn swallows_ack(&self) -> bool {
        if self.swallow.load(Ordering::Acquire) == 0 {
            return false;
        }
        self.swallow.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_match_by_kind() {
        let faults = Faults::default();
        assert_eq!(faults.delay_of(&["iq"]), None);
        faults.delay(Delay { kind: Some("usync".into()), millis: 5 });
        assert_eq!(faults.delay_of(&["iq", "usync"]), Some(Duration::from_millis(5)));
        assert_eq!(faults.delay_of(&["message"]), None);
        faults.delay(Delay { kind: Some("usync".into()), millis: 0 });
        assert_eq!(faults.delay_of(&["iq", "usync"]), None);
    }

    #[test]
    fn nacks_and_failures_are_used_up() {
        let faults = AccountFaults::default();
        faults.nack_next(463);
        assert_eq!(faults.next_nack(), Some(463));
        assert_eq!(faults.next_nack(), None);
        faults.fail_next_login(Failure::Outdated);
        assert_eq!(faults.next_login(), Some(Failure::Outdated));
        assert_eq!(faults.next_login(), None);
        faults.swallow_acks(1);
        assert!(faults.swallows_ack());
        assert!(!faults.swallows_ack());
    }

    #[test]
    fn kicks_have_names() {
        assert_eq!("515".parse(), Ok(Kick::Restart));
        assert_eq!("removed".parse(), Ok(Kick::Removed));
    }
}
