//! Which accounts there are, by number and by LID.

use crate::account::device::Device;
use crate::account::profile::Profile;
use crate::account::{Account, State, digits, lid_of};
use crate::error::Error;
use crate::faults::AccountFaults;
use crate::offline::Queue;
use crate::options::Options;
use crate::phone::Phone;
use crate::{appstate, clock, journal, ledger};
use dashmap::DashMap;
use parking_lot::Mutex;
use rand::RngExt as _;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::sync::Notify;
use wacore_binary::{Jid, JidExt as _};

/// All accounts of a server.
#[derive(Default)]
pub(crate) struct Directory {
    by_number: DashMap<String, Arc<Account>>,
    by_lid: DashMap<String, Arc<Account>>,
}

impl Directory {
    /// The account of a number (digits).
    pub(crate) fn by_number(&self, number: &str) -> Option<Arc<Account>> {
        self.by_number.get(number).map(|account| Arc::clone(&account))
    }

    /// The account an address belongs to, by whichever of its names.
    pub(crate) fn by_jid(&self, jid: &Jid) -> Option<Arc<Account>> {
        let user = jid.user_base();
        if jid.server().is_lid_family() {
            self.by_lid.get(user).map(|account| Arc::clone(&account))
        } else if jid.server().is_pn_family() {
            self.by_number(user)
        } else {
            None
        }
    }

    /// The account of a number, made if there is none.
    pub(crate) fn get_or_create(&self, number: &str, options: &Options) -> Result<Arc<Account>, Error> {
        let number = digits(number);
        if let Some(account) = self.by_number(&number) {
            return Ok(account);
        }
        let account = Arc::new(new_account(&number, options)?);
        let account = Arc::clone(&self.by_number.entry(number).or_insert(account));
        self.by_lid.insert(account.lid.clone(), Arc::clone(&account));
        Ok(account)
    }

    /// All accounts, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        self.by_number.iter().map(|account| Arc::clone(account.value())).collect()
    }
}

fn new_account(number: &str, options: &Options) -> Result<Account, Error> {
    let phone = Phone::new(number, options)?;
    let device = Device {
        noise_key: [0; 32],
        keys: phone.public_keys(),
        key_index: 0,
        signed_identity: Vec::new(),
        connection: None,
        queue: Queue::new(options.window, options.ledger),
        has_sync_key: true,
        logins: 0,
    };
    Ok(Account {
        number: number.to_owned(),
        lid: lid_of(number),
        state: Mutex::new(State {
            raw_id: rand::rng().random_range(1..=u32::MAX >> 1),
            devices_changed: clock::unix_seconds(),
            devices: BTreeMap::from([(0, device)]),
            next_device: 1,
            next_key_index: 1,
            profile: Profile::default(),
            held: false,
            stalled: false,
            online: false,
            last_seen: clock::unix_seconds(),
            subscribers: HashSet::new(),
        }),
        phone: Mutex::new(phone),
        app_state: Mutex::new(appstate::AppState::default()),
        ledger: Mutex::new(ledger::AccountLedger::new(options.ledger)),
        faults: AccountFaults::default(),
        journal: Mutex::new(journal::Journal::new(options.journal)),
        changed: Notify::new(),
    })
}
