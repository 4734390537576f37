//! `wa-gateway import`: the users of the Node gateway, taken over.

use std::path::Path;

use config::Config;

use super::{Failure, block_on, print};

pub(crate) fn run(file: Option<&Path>, from: &Path, dry_run: bool) -> Result<(), Failure> {
    let config = Config::load(file).map_err(Failure::settings)?;
    block_on(async { print(wa_gateway::import(&config, from, dry_run).await.map_err(Failure::running)?) })
}
