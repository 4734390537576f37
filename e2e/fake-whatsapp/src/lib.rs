//! WhatsApp's server side, for tests: the unmodified client library links, logs in, sends and receives here.

#![allow(dead_code)]
mod account;
mod appstate;
mod clock;
mod control;
mod error;
mod faults;
mod groups;
mod handle;
mod journal;
mod ledger;
mod login;
mod media;
mod offline;
mod options;
mod pairing;
mod phone;
mod server;
mod socket;
mod stanza;
mod tls;
mod unlink;

pub use error::Error;
pub use faults::{Delay, Failure, Kick, MediaFault};
pub use groups::Role;
pub use handle::{AccountHandle, DeviceState};
pub use journal::{Direction, JournalEntry};
pub use ledger::{Accepted, Ledger};
pub use offline::{Class, Delivery};
pub use options::Options;
pub use pairing::Linked;
pub use phone::{PhoneMessage, PhoneReceipt};
pub use server::FakeWhatsApp;
pub use socket::handshake::Pattern as Handshake;
