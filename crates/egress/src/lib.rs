//! Outgoing HTTP. Two kinds of URL meet here: what the operator set in the environment is trusted; what users
//! give (webhooks, media, token endpoints) passes an address filter in the resolver, so that the gateway cannot
//! be used to reach what only it can reach. Every request has one deadline around everything and a limit on
//! what is read of its answer. Proxies in the environment are not used: they would resolve names by themselves.

mod address;
mod client;
mod error;
mod request;
mod resolver;

pub use address::is_public;
pub use client::{BuildError, Client, EgressOptions, install_crypto_provider};
pub use error::Error;
pub use request::{Body, ByteStream, Policy, Request, Response, Streaming};

#[cfg(test)]
mod tests;
