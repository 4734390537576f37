//! `wa-gateway config`: the settings in force, and what there is to set.

use std::path::Path;

use config::Config;

use super::{Failure, print};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check the settings and show each with its value and where that comes from; secrets are left out.
    Check,
    /// Describe every setting (Markdown).
    Reference,
}

pub(crate) fn run(command: &Command, file: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::Check => {
            let config = Config::load(file).map_err(Failure::settings)?;
            let listen = config.listen().map_err(Failure::settings)?;
            print(format_args!("{}\nThe API will listen on {}.", config.describe(), listen.address))
        }
        Command::Reference => print(config::markdown()),
    }
}
