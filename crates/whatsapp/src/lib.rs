//! The only door to WhatsApp: everything that the gateway knows of the client library stands here.
//!
//! A process has one [`WhatsApp`]. It opens a [`Client`] for a session that this process has claimed; the client
//! keeps its keys in [`storage`], under that claim, and tells what happens to it through its [`Events`].
//!
//! # Who may write
//! A claim can be lost at any moment, so the owner's [`Lease`] is asked before every send, before every connect,
//! before messages are taken in, and before every frame that goes to the socket. The store refuses on its own
//! what comes too late; the first refusal is reported through [`Lease::lost`].
//!
//! # A message that comes in
//! is handed to the [`Inbox`] before WhatsApp hears that it was received. If the inbox cannot take it the
//! connection is cut: WhatsApp sends the message again on the next one. An inbox meets messages more than once.
//!
//! # A message that goes out
//! counts as sent when WhatsApp's server has acknowledged it, not when it was written to the socket. What becomes
//! of one that was on its way when the connection broke is not known ([`SendError::Unconfirmed`]); sent again
//! under the same id it is still the same message to its recipient.
//!
//! # Files
//! pass through in pieces, however large they are: [`Sealing`] encrypts one into a nameless file on the disk, because its
//! hash has to be known before the first byte goes up; [`Client::fetch`] decrypts one as it comes in.
//!
//! # Connections
//! [`Client::start`] connects and reconnects for ever: at once after WhatsApp restarted the stream, else after a
//! delay that doubles up to a cap and is jittered. Before each attempt the [`Pace`] of the process is waited for.
//! What a person must mend ends it: logged out, replaced, banned, outdated; so do a lost lease, a store that lost
//! data ([`Happened::StoreFailed`]), and QR codes that nobody scanned. The library's own reconnecting is off: it
//! waits up to a quarter of an hour and cannot be paced.

mod acks;
mod backoff;
mod cache;
mod chat;
mod client;
mod connection;
mod content;
mod events;
mod http;
mod inbound;
mod link;
mod media;
mod observer;
mod options;
mod owner;
mod ratchet;
mod runtime;
mod send;
mod socket;
mod store;
mod whatsapp;

pub use chat::Profile;
pub use client::{CheckError, Client, PairingError};
pub use events::{Events, Happened, ReceiptKind};
pub use media::{FetchError, PlainStream, SealError, Sealed, Sealing, UploadError};
pub use options::{DEFAULT_VERSION, Options, OptionsError};
pub use owner::{Inbox, Lease, Pace, Unpaced};
pub use send::SendError;
pub use whatsapp::{OpenError, WhatsApp};

/// What a session needs that comes back from a backup.
pub mod backup {
    pub use crate::store::{NOT_IN_BACKUPS, renew};
}

/// For the tests of the store, which are the library's contract with it.
#[doc(hidden)]
pub mod testing {
    pub use crate::store::SqlBackend;
}
