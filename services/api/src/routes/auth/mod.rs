//! Logging in to the dashboard and out, and who one is.

pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod me;
