//! What the owner of a client provides: its claim, a place for messages, and a pace.

use async_trait::async_trait;
use domain::{detail::KnownPoll, event::InboundMessage};

/// Whether this process may still act for the session. Asked often: an answer is one atomic load.
pub trait Lease: Send + Sync {
    /// The claim is known to hold right now.
    fn held(&self) -> bool;

    /// The store refused a write: somebody else has the session. From now on [`held`](Self::held) says no.
    fn lost(&self);
}

/// Takes messages that came in.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores all messages, or none; returns after the commit. The same message may come again, and again with
    /// others. An error leaves them with WhatsApp, which sends them again on the next connection.
    async fn commit(&self, messages: Vec<InboundMessage>) -> Result<(), storage::Error>;

    /// A poll that went out of this session or came in, by WhatsApp's id; what votes in it are read with.
    async fn poll(&self, message_id: &str) -> Result<Option<KnownPoll>, storage::Error>;
}

/// How fast a process opens connections to WhatsApp.
#[async_trait]
pub trait Pace: Send + Sync {
    /// Returns when it is the caller's turn to connect. May be dropped before it returns.
    async fn turn(&self);

    /// A client of this process is on line.
    fn succeeded(&self) {}

    /// An attempt to connect came to nothing.
    fn failed(&self) {}
}

/// Connects without waiting.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unpaced;

#[async_trait]
impl Pace for Unpaced {
    async fn turn(&self) {}
}
