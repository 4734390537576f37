//! `wa-gateway restore`: a backup, put in place.

use std::path::{Path, PathBuf};

use config::Config;
use wa_gateway::backup::{How, renew, restore};

use super::{Failure, block_on, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The backup; `-` for standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "renew_only")]
    from: Option<PathBuf>,
    /// Move a database aside that is there already; what it has beyond the backup is not taken over.
    #[arg(long)]
    replace: bool,
    /// Only look whether the backup is whole, opens with the keys at hand and could be restored.
    #[arg(long, conflicts_with = "replace")]
    check: bool,
    /// The database came back by other means, such as `pg_restore`: make its sessions safe to connect.
    #[arg(long, conflicts_with_all = ["from", "replace", "check"])]
    renew_only: bool,
}

pub(crate) fn run(file: Option<&Path>, arguments: Arguments) -> Result<(), Failure> {
    let config = Config::load(file).map_err(Failure::settings)?;
    let Arguments { from, replace, check, renew_only: _ } = arguments;
    block_on(async {
        let done = match from {
            Some(from) => restore(&config, &from, How { replace, check }).await,
            None => renew(&config).await,
        };
        print(done.map_err(Failure::running)?)
    })
}
