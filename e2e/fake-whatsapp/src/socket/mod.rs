//! The wire below the stanzas: WebSocket bytes, Noise handshake, frames.

pub(crate) mod cert;
pub(crate) mod connection;
pub(crate) mod frames;
pub(crate) mod handshake;
pub(crate) mod session;
