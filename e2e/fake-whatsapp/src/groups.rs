//! Groups: who is in them, and what they are called.

use crate::account::Account;
use crate::account::profile::Picture;
use crate::server::Inner;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use wacore_binary::Jid;

/// A member's rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An ordinary member.
    Member,
    /// May change the group.
    Admin,
    /// Made the group.
    SuperAdmin,
}

impl Role {
    /// The `type` attribute of a participant; ordinary members have none.
    pub(crate) fn wire(self) -> Option<&'static str> {
        match self {
            Self::Member => None,
            Self::Admin => Some("admin"),
            Self::SuperAdmin => Some("superadmin"),
        }
    }
}

/// A group.
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) state: Mutex<GroupState>,
}

/// What changes in a group.
pub(crate) struct GroupState {
    pub(crate) subject: String,
    pub(crate) subject_changed: u64,
    /// Number of whoever changed the subject last.
    pub(crate) subject_owner: String,
    pub(crate) created: u64,
    /// Number of whoever made it.
    pub(crate) creator: String,
    pub(crate) invite: String,
    pub(crate) description: Option<(String, String)>,
    /// Settings as they are echoed: `locked`, `announcement`, `ephemeral`, …, with the attributes of `ephemeral`.
    pub(crate) settings: BTreeMap<String, Vec<(String, String)>>,
    /// Members by number.
    pub(crate) members: BTreeMap<String, Role>,
    pub(crate) picture: Option<Picture>,
}

impl Group {
    pub(crate) fn jid(&self) -> Jid {
        Jid::group(self.id.as_str())
    }

    /// The accounts that are in it now.
    pub(crate) fn member_accounts(&self, inner: &Inner) -> Vec<Arc<Account>> {
        let members: Vec<String> = self.state.lock().members.keys().cloned().collect();
        members.iter().filter_map(|number| inner.directory.by_number(number)).collect()
    }

    pub(crate) fn picture(&self) -> Option<Picture> {
        self.state.lock().picture.clone()
    }

    pub(crate) fn set_picture(&self, picture: Option<Picture>) {
        self.state.lock().picture = picture;
    }
}

/// All groups of a server.
#[derive(Default)]
pub(crate) struct Groups {
    by_id: DashMap<String, Arc<Group>>,
}

impl Groups {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Group>> {
        self.by_id.get(id).map(|group| Arc::clone(&group))
    }

    pub(crate) fn insert(&self, group: Group) -> Arc<Group> {
        let group = Arc::new(group);
        self.by_id.insert(group.id.clone(), Arc::clone(&group));
        group
    }

    pub(crate) fn all(&self) -> Vec<Arc<Group>> {
        self.by_id.iter().map(|group| Arc::clone(group.value())).collect()
    }
}
