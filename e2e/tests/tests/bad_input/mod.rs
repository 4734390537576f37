//! What goes wrong around a gateway: each gets a clear error or a state with its reason, and nothing that was
//! accepted is lost.

mod access;
mod database;
mod disk;
mod linking;
mod receivers;
mod requests;
mod settings;
mod unreachable;
mod whatsapp;
