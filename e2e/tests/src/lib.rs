//! The gateway as a real process, between a WhatsApp server, contacts and a webhook receiver that live in the test:
//! `kill -9` of the gateway leaves them as they are, and they count what it promised.
//!
//! ```no_run
//! # use e2e::{Gateway, Storage, World};
//! # use serde_json::json;
//! # async fn example() {
//! let world = World::new(Storage::Sqlite).await;
//! let mut gateway = Gateway::start(&world).await;
//! gateway.link("shop", "628110000001").await;
//! let contact = world.contact("628110000002").await;
//! gateway.kill();
//! gateway.up().await;
//! gateway.send("shop", contact.number(), "hello", "key 1").await;
//! # }
//! ```
//!
//! Everything here panics when it does not get what it waits for: a test has nothing else to do about it.

mod baileys;
pub mod cluster;
mod collector;
mod database;
mod gateway;
mod ledger;
mod metrics;
mod node;
mod origin;
mod proxy;
mod receiver;
mod rest;
mod table;
mod tmpfs;
mod wait;
mod world;

pub use baileys::Baileys;
pub use collector::{Collector, Span};
pub use contact::{Contact, MediaKind, Received};
pub use database::{Locked, database_of, foreign_database, stored_keys};
pub use fake_whatsapp::{Delivery, Failure, FakeWhatsApp, Kick, MediaFault};
pub use gateway::{Exit, Gateway, binary};
pub use ledger::{Arrival, Ledger, Tally, distinct};
pub use metrics::{Metrics, scrape};
pub use node::{Node, interop, node, node_in};
pub use origin::{Origin, Served};
pub use proxy::{Proxy, Wire};
pub use receiver::{Behaviour, Webhook, WebhookReceiver};
pub use rest::{Answer, Call, Rest};
pub use table::{Row, check, mismatch, row};
pub use tmpfs::Tmpfs;
pub use wait::{PATIENCE, eventually};
pub use world::{Storage, World};
