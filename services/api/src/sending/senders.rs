//! Sessions that were connected a moment ago: a busy one is not looked up anew for each of its messages.
//!
//! What is remembered may have changed since. For what may wait that makes no difference: a message of a session that is
//! gone is not stored, and one of a session that is no longer connected waits, as if it had lost its connection right
//! after a look-up.

use std::{sync::Arc, time::Duration};

use domain::session::Session;
use moka::sync::Cache;

/// How long a session is remembered; less when a hint says that it changed.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Sessions that are remembered.
const MANY: u64 = 50_000;

/// Connected sessions by their full names.
pub(crate) struct Senders(Cache<String, Arc<Session>>);

impl Default for Senders {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MANY).time_to_live(REMEMBERED).build())
    }
}

impl Senders {
    pub(crate) fn get(&self, name: &str) -> Option<Box<Session>> {
        self.0.get(name).map(|session| Box::new(Session::clone(&session)))
    }

    /// Remembers a session that was just looked up, if it is connected.
    pub(crate) fn remember(&self, session: &Session) {
        if session.connected() {
            self.0.insert(session.name.clone(), Arc::new(session.clone()));
        }
    }

    pub(crate) fn forget(&self, name: &str) {
        self.0.invalidate(name);
    }

    /// Any session may have changed.
    pub(crate) fn forget_all(&self) {
        self.0.invalidate_all();
    }
}
