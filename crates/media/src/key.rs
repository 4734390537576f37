//! The names that files have in the store: made of our own ids only, never of anything that a sender wrote.

use domain::{MediaId, MessageId, SessionId};
use object_store::path::Path;

/// Files of messages that came in.
const RECEIVED: &str = "in";
/// Files that came with requests, until their messages are sent.
const UPLOADED: &str = "out";

/// The name of a file in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The file of a message that came in.
    #[must_use]
    pub fn received(session: SessionId, file: MediaId) -> Self {
        Self(format!("{RECEIVED}/{}/{}", session.uuid().simple(), file.uuid().simple()))
    }

    /// The file that came with the request to send a message.
    #[must_use]
    pub fn uploaded(message: MessageId) -> Self {
        Self(format!("{UPLOADED}/{message}"))
    }

    /// Below this lie all files that came with requests.
    #[must_use]
    pub const fn all_uploaded() -> &'static str {
        UPLOADED
    }

    /// The message that a file came for, if this is the key of one.
    #[must_use]
    pub fn message(&self) -> Option<MessageId> {
        self.0.strip_prefix(UPLOADED)?.strip_prefix('/')?.parse().ok()
    }

    pub(crate) fn below(&self, root: &Path) -> Path {
        self.0.split('/').fold(root.clone(), Path::join)
    }

    /// The key of what was listed below `root`; `None` for what is not ours.
    pub(crate) fn listed(path: &Path, root: &Path) -> Option<Self> {
        let parts: Vec<_> = path.prefix_match(root)?.map(|part| part.as_ref().to_owned()).collect();
        Some(Self(parts.join("/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_message() {
        let message = MessageId::new();
        let key = ObjectKey::uploaded(message);
        assert_eq!(key.message(), Some(message));
        let root = Path::from("a/b");
        assert_eq!(ObjectKey::listed(&key.below(&root), &root), Some(key));
        assert_eq!(ObjectKey::listed(&Path::from("elsewhere/x"), &root), None);
        assert_eq!(ObjectKey::received(SessionId::new(), MediaId::new()).message(), None);
    }
}
