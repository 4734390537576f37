//! `wa-gateway webhook-dispatcher`: delivers webhooks, as one of several processes.

use std::path::Path;

use wa_gateway::Roles;

use super::{Failure, serve};

pub(crate) fn run(file: Option<&Path>) -> Result<(), Failure> {
    serve::run(Roles::WebhookDispatcher, file)
}
