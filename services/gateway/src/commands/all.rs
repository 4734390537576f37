//! `wa-gateway all`: everything in one process.

use std::path::Path;

use wa_gateway::Roles;

use super::{Failure, serve};

pub(crate) fn run(file: Option<&Path>) -> Result<(), Failure> {
    serve::run(Roles::All, file)
}
