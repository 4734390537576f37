//! The dispatcher against real HTTP receivers on SQLite.
#![cfg(test)]

mod capacity;
mod crashes;
mod failures;
mod order;
mod receiver;
mod requests;
mod rig;
mod speed;
