//! An account: a phone number with its LID, its devices, and what the server keeps for it.

pub(crate) mod device;
pub(crate) mod directory;
pub(crate) mod keys;
pub(crate) mod profile;

use crate::account::device::Device;
use crate::account::profile::Profile;
use crate::appstate::AppState;
use crate::faults::AccountFaults;
use crate::journal::Journal;
use crate::ledger::AccountLedger;
use crate::phone::Phone;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use tokio::sync::Notify;
use wacore_binary::{Jid, Server};

/// An account. Each part has a lock of its own, so that thousands of accounts do not wait for each other. Whoever
/// holds [`Self::phone`] may take [`Self::state`] of any account, never the other way round, and nobody holds two
/// `phone` or two `state` locks at once.
pub(crate) struct Account {
    /// The number, digits only.
    pub(crate) number: String,
    /// The user part of the LID.
    pub(crate) lid: String,
    pub(crate) state: Mutex<State>,
    pub(crate) phone: Mutex<Phone>,
    pub(crate) app_state: Mutex<AppState>,
    pub(crate) ledger: Mutex<AccountLedger>,
    pub(crate) faults: AccountFaults,
    pub(crate) journal: Mutex<Journal>,
    /// Something that a test may be waiting for has changed.
    pub(crate) changed: Notify,
}

/// What changes when devices come and go.
pub(crate) struct State {
    /// Stays the same for the life of the account; a change means a new identity.
    pub(crate) raw_id: u32,
    /// When the list of devices last changed.
    pub(crate) devices_changed: u64,
    pub(crate) devices: BTreeMap<u16, Device>,
    pub(crate) next_device: u16,
    pub(crate) next_key_index: u32,
    pub(crate) profile: Profile,
    pub(crate) held: bool,
    pub(crate) stalled: bool,
    /// Whether the account is shown as online, and when it last was.
    pub(crate) online: bool,
    pub(crate) last_seen: u64,
    /// Numbers of the accounts that asked for this one's presence.
    pub(crate) subscribers: HashSet<String>,
}

/// Which of its two names an account is addressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressing {
    Pn,
    Lid,
}

impl Addressing {
    pub(crate) fn of(server: Server) -> Self {
        if server.is_lid_family() { Self::Lid } else { Self::Pn }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Pn => Self::Lid,
            Self::Lid => Self::Pn,
        }
    }
}

impl Account {
    /// The account's address, without a device.
    pub(crate) fn jid(&self, addressing: Addressing) -> Jid {
        self.device_jid(addressing, 0)
    }

    /// The address of one of its devices.
    pub(crate) fn device_jid(&self, addressing: Addressing, device: u16) -> Jid {
        match addressing {
            Addressing::Pn => Jid::pn_device(self.number.as_str(), device),
            Addressing::Lid => Jid::lid_device(self.lid.as_str(), device),
        }
    }

    /// Numbers of the devices, the phone (0) first.
    pub(crate) fn device_ids(&self) -> Vec<u16> {
        self.state.lock().devices.keys().copied().collect()
    }
}

/// The LID of a number: fifteen digits that do not resemble it, the same in every server.
pub(crate) fn lid_of(number: &str) -> String {
    let hash = Sha256::digest(number.as_bytes());
    let number = hash.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    (100_000_000_000_000 + number % 900_000_000_000_000).to_string()
}

/// The digits of a number as people write it.
pub(crate) fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lid_has_fifteen_digits_and_is_stable() {
        let lid = lid_of("628110000001");
        assert_eq!(lid.len(), 15);
        assert_eq!(lid, lid_of("628110000001"));
        assert_ne!(lid, lid_of("628110000002"));
    }
}
