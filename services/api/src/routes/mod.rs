//! The handlers, one file each: `routes/<noun>/<verb>.rs`.

pub(crate) mod api_key;
pub(crate) mod app;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod contact;
pub(crate) mod dashboard;
pub(crate) mod delivery;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod link;
pub(crate) mod media;
pub(crate) mod message;
pub(crate) mod pages;
pub(crate) mod runner;
pub(crate) mod session;
pub(crate) mod status;
pub(crate) mod system;
pub(crate) mod user;
pub(crate) mod webhook_auth;
