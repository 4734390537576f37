//! What the gateway is about, without any input or output: ids, users, sessions and their states,
//! messages on their way out, events on their way in, webhook deliveries, and the rules between them.
//!
//! Everything here is a value or a pure function. Clocks and random sources are passed in.

pub mod access;
pub mod clock;
pub mod degrees;
pub mod detail;
pub mod event;
pub mod ids;
pub mod media;
pub mod message;
pub mod ownership;
pub mod recipient;
pub mod session;
pub mod traffic;
pub mod user;
pub mod vcard;
pub mod webhook;
pub mod webhook_auth;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock, Timestamp};
pub use degrees::Degrees;
pub use ids::{
    ApiKeyId, DeliveryId, EndpointId, EventId, MediaId, MessageId, ProcessId, RunnerId, SessionId, UserId,
};
pub use session::Fence;
