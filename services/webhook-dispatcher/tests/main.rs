//! The dispatcher against real HTTP receivers on SQLite.
#![cfg(test)]

mod authentication;
mod capacity;
mod crashes;
mod failures;
mod oauth2;
mod order;
mod receiver;
mod requests;
mod retention;
mod rig;
mod speed;
