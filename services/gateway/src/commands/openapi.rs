//! `wa-gateway openapi`: the description of the REST API.

use super::{Failure, print};

pub(crate) fn run() -> Result<(), Failure> {
    print(api::openapi().to_pretty_json().map_err(Failure::running)?)
}
