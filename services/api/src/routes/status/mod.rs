pub(crate) mod fleet;
pub(crate) mod session;
