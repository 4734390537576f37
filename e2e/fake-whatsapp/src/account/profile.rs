//! What an account shows of itself, and its settings.

use std::collections::{BTreeMap, BTreeSet};

/// A profile picture.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) id: u64,
    /// Where the media host serves it.
    pub(crate) path: String,
}

/// What an account shows of itself, and its settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    pub(crate) push_name: Option<String>,
    pub(crate) about: Option<(String, u64)>,
    pub(crate) picture: Option<Picture>,
    /// Privacy categories that differ from `all`.
    pub(crate) privacy: BTreeMap<String, String>,
    /// Blocked contacts, as the account named them.
    pub(crate) blocked: BTreeSet<String>,
}

/// The privacy categories every account has.
pub(crate) const PRIVACY_CATEGORIES: [&str; 7] =
    ["last", "online", "profile", "status", "readreceipts", "groupadd", "calladd"];

impl Profile {
    /// The value of a privacy category.
    pub(crate) fn privacy(&self, category: &str) -> &str {
        self.privacy.get(category).map_or("all", String::as_str)
    }
}
