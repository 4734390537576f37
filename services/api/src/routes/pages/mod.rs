//! Pages for people, and the files that belong to them.

pub(crate) mod admin;
pub(crate) mod asset;
pub(crate) mod dashboard;
pub(crate) mod docs;
