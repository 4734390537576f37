//! Every fact the gateway keeps, in SQLite or PostgreSQL, and the only crate that speaks SQL.
//!
//! One SQL text serves both databases ([`driver`]); the few places where they differ stand in [`dialect`].
//! Hot writes of all sessions of a process share transactions ([`group_commit`]): a call returns after its
//! commit, so committed still means durable.
//!
//! # How to add a table
//! 1. A migration with the same number and name under `migrations/sqlite` and `migrations/postgres`.
//! 2. A file here, named after the table, with an `impl Database` of what callers need: whole questions and
//!    whole changes, not rows and columns.
//! 3. A test under `tests/`, which runs on both databases, and a line in `tests/rollout.rs` when code of the version
//!    before writes there.
//!
//! # Errors
//! Every method returns [`Error`]; what is not found is `None`.

mod accounts;
mod api_keys;
mod audit;
mod backup;
mod census;
mod checkpoint;
mod coalesce;
mod database;
mod deliveries;
mod delivery_claims;
mod delivery_list;
mod dialect;
mod driver;
mod endpoint_health;
mod endpoints;
mod error;
mod events;
mod fence;
mod group_commit;
mod log;
mod logins;
mod media;
mod media_retention;
mod node_gateway;
mod oauth2_authorizations;
mod outbound;
mod outbound_media;
mod own_endpoints;
mod pool;
mod receipts;
mod received;
mod retention;
mod rows;
mod runners;
mod schema;
mod session_list;
mod session_messages;
mod session_state;
mod sessions;
mod shares;
mod traffic;
mod transaction;
mod transitions;
mod user_removal;
mod users;
mod webhook_auth;
mod writer;

pub use accounts::{Edited, SessionConfig};
pub use api_keys::{KeyMade, NewApiKey, StoredKey};
pub use audit::{AuditEntry, AuditFilter, AuditRecord};
pub use backup::{Contents, Held, copy_sqlite, hold_sqlite, sqlite_contents};
pub use census::{Census, Queue};
pub use database::{Database, OpenError, Options, Synchronous};
pub use deliveries::{DeliveryCounts, Settlement};
pub use delivery_claims::ClaimedDeliveries;
pub use delivery_list::{DeliveryFilter, ReplayBatch, Replayed};
pub use endpoint_health::EndpointHealth;
pub use endpoints::endpoint_secret_place;
pub use error::Error;
pub use events::Committed;
pub use log::{PastState, StoredEvent};
pub use logins::{CredentialVersions, StoredLogin};
pub use media::{FetchedMedia, PATIENCE as MEDIA_PATIENCE, PendingMedia, StoredMedia, WaitingMedia};
pub use media_retention::DisposableMedia;
pub use node_gateway::{NodeGatewayError, NodeUser, NodeWebhookAuth, read_node_gateway};
pub use oauth2_authorizations::Authorization;
pub use outbound::{Accepted, Progress};
pub use own_endpoints::{EndpointChange, EndpointChanged, NewEndpoint, endpoint_revision};
pub use receipts::Receipt;
pub use received::Origin;
pub use retention::Swept;
pub use runners::{Placement, Runner, RunnerRegistration};
pub use session_list::{ListedSession, SessionFilter};
pub use session_messages::{MessageFilter, Part, Place, ReceivedMessage};
pub use session_state::{Change, SessionStore, StateRow};
pub use sessions::{Claimed, Started};
pub use transitions::Transition;
pub use users::{NewUser, StoredUser};
pub use webhook_auth::{AuthChanged, RenewalClaim, StoredAuth};

/// What methods of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
