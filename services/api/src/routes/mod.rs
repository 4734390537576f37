//! The handlers, one file each: `routes/<noun>/<verb>.rs`.

pub(crate) mod message;
pub(crate) mod runner;
pub(crate) mod session;
pub(crate) mod status;
pub(crate) mod system;
