//! Groups: who is in them, what they are called, how they show themselves.

use crate::account::profile::Picture;
use crate::account::{Account, Addressing};
use crate::clock;
use crate::inner::Inner;
use dashmap::DashMap;
use parking_lot::Mutex;
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

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
    fn wire(self) -> Option<&'static str> {
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
    created: u64,
    /// Number of whoever made it.
    creator: String,
    pub(crate) invite: String,
    /// Its id and its text.
    pub(crate) description: Option<(String, String)>,
    /// Settings, as they are echoed in the group's description, by tag.
    pub(crate) settings: BTreeMap<String, Node>,
    /// Members by number.
    pub(crate) members: BTreeMap<String, Role>,
    picture: Option<Picture>,
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

    /// Whether an account is in it.
    pub(crate) fn has(&self, number: &str) -> bool {
        self.state.lock().members.contains_key(number)
    }

    pub(crate) fn picture(&self) -> Option<Picture> {
        self.state.lock().picture.clone()
    }

    pub(crate) fn set_picture(&self, picture: Option<Picture>) {
        self.state.lock().picture = picture;
    }

    /// `<group>`, with everything in it.
    pub(crate) fn describe(&self, inner: &Inner) -> Node {
        let state = self.state.lock();
        let mut children: Vec<Node> = state
            .members
            .iter()
            .filter_map(|(number, role)| Some(participant(&*inner.directory.by_number(number)?, *role)))
            .collect();
        if let Some((id, text)) = &state.description {
            let body = NodeBuilder::new("body").string_content(text.as_str()).build();
            children.push(NodeBuilder::new("description").attr("id", id.as_str()).children([body]).build());
        }
        children.extend(state.settings.values().cloned());
        let by_lid =
            |number: &str| inner.directory.by_number(number).map(|account| account.jid(Addressing::Lid));
        let mut group = NodeBuilder::new("group")
            .attr("id", self.id.as_str())
            .attr("subject", state.subject.as_str())
            .attr("s_t", state.subject_changed)
            .attr("creation", state.created)
            .attr("addressing_mode", "lid")
            .attr("size", state.members.len());
        if let Some(owner) = by_lid(&state.subject_owner) {
            group = group.attr("s_o", owner).attr("s_o_pn", Jid::pn(state.subject_owner.as_str()));
        }
        if let Some(creator) = by_lid(&state.creator) {
            group = group.attr("creator", creator).attr("creator_pn", Jid::pn(state.creator.as_str()));
        }
        group.children(children).build()
    }
}

/// `<participant>`.
pub(crate) fn participant(account: &Account, role: Role) -> Node {
    let node = NodeBuilder::new("participant")
        .attr("jid", account.jid(Addressing::Lid))
        .attr("phone_number", account.jid(Addressing::Pn));
    match role.wire() {
        Some(role) => node.attr("type", role).build(),
        None => node.build(),
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

    /// The group an invitation is for.
    pub(crate) fn by_invite(&self, code: &str) -> Option<Arc<Group>> {
        self.by_id
            .iter()
            .find(|group| group.state.lock().invite == code)
            .map(|group| Arc::clone(group.value()))
    }

    /// The groups an account is in, ordered by id.
    pub(crate) fn of(&self, number: &str) -> Vec<Arc<Group>> {
        let mut groups: Vec<Arc<Group>> = self
            .by_id
            .iter()
            .filter(|group| group.has(number))
            .map(|group| Arc::clone(group.value()))
            .collect();
        groups.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        groups
    }

    /// Makes a group; the creator is in it.
    pub(crate) fn create(
        &self,
        creator: &str,
        subject: &str,
        members: impl IntoIterator<Item = String>,
        settings: BTreeMap<String, Node>,
    ) -> Arc<Group> {
        let now = clock::unix_seconds();
        let mut members: BTreeMap<String, Role> =
            members.into_iter().map(|number| (number, Role::Member)).collect();
        members.insert(creator.to_owned(), Role::SuperAdmin);
        let group = Arc::new(Group {
            id: format!("1203630{:011}", rand::rng().random_range(0..100_000_000_000_u64)),
            state: Mutex::new(GroupState {
                subject: subject.to_owned(),
                subject_changed: now,
                subject_owner: creator.to_owned(),
                created: now,
                creator: creator.to_owned(),
                invite: new_invite(),
                description: None,
                settings,
                members,
                picture: None,
            }),
        });
        self.by_id.insert(group.id.clone(), Arc::clone(&group));
        group
    }
}

/// The code of an invitation link.
pub(crate) fn new_invite() -> String {
    let random: [u8; 11] = rand::rng().random();
    hex::encode(random)
}
