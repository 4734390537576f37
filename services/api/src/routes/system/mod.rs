pub(crate) mod health;
pub(crate) mod not_found;
pub(crate) mod openapi;
pub(crate) mod ready;
pub(crate) mod welcome;

pub(crate) use ready::Readiness;
