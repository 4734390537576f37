//! The app-state log: per account and collection an opaque list of patches, version n being the n-th.
//!
//! Clients compute and check all MACs; the server never reads a patch, it only numbers it.

use std::collections::BTreeMap;
use waproto::buffa::MessageField;
use waproto::whatsapp::{SyncdPatch, SyncdVersion};

/// The collections of one account.
#[derive(Debug, Default)]
pub(crate) struct AppState {
    collections: BTreeMap<String, Vec<Vec<u8>>>,
}

/// What became of a patch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Append {
    /// Stored; this is the new version.
    Stored(u64),
    /// It was made on another version than the newest, or is not a patch.
    Conflict,
}

impl AppState {
    /// The newest version of a collection.
    pub(crate) fn head(&self, collection: &str) -> u64 {
        self.collections.get(collection).map_or(0, |patches| patches.len() as u64)
    }

    /// The patches after a version.
    pub(crate) fn since(&self, collection: &str, version: u64) -> &[Vec<u8>] {
        let from = usize::try_from(version).unwrap_or(usize::MAX);
        self.collections.get(collection).and_then(|patches| patches.get(from..)).unwrap_or_default()
    }

    /// Stores a patch that was made on version `base`.
    pub(crate) fn append(&mut self, collection: &str, base: u64, patch: &[u8]) -> Append {
        if self.head(collection) != base {
            return Append::Conflict;
        }
        let Ok(mut patch) = waproto::codec::syncd_patch_decode(patch) else { return Append::Conflict };
        let version = base + 1;
        patch.version = MessageField::some(SyncdVersion { version: Some(version) });
        let patch: SyncdPatch = patch;
        self.collections
            .entry(collection.to_owned())
            .or_default()
            .push(waproto::codec::syncd_patch_to_vec(&patch));
        Append::Stored(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_and_stale_patches_conflict() {
        let mut state = AppState::default();
        let patch = waproto::codec::syncd_patch_to_vec(&SyncdPatch::default());
        assert_eq!(state.append("regular", 0, &patch), Append::Stored(1));
        assert_eq!(state.append("regular", 0, &patch), Append::Conflict);
        assert_eq!(state.append("regular", 1, &patch), Append::Stored(2));
        assert_eq!(state.since("regular", 1).len(), 1);
        assert_eq!(state.since("critical_block", 0).len(), 0);
        assert_eq!(state.head("regular"), 2);
    }
}
