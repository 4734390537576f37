//! `wa-gateway migrate`: the schema, brought up to date.

use std::path::Path;

use config::Config;

use super::{Failure, block_on, print};

pub(crate) fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file).map_err(Failure::settings)?;
    block_on(async {
        let database = wa_gateway::open_database(&config).await.map_err(Failure::running)?;
        database.close().await;
        print("The database's schema is up to date.")
    })
}
