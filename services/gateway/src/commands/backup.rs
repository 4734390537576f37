//! `wa-gateway backup`: database and files in one sealed file, also while the gateway runs.

use std::{
    io::{self, Write as _},
    path::Path,
};

use config::Config;

use super::{Failure, block_on, print};

pub(crate) fn run(file: Option<&Path>, to: &Path, without_media: bool) -> Result<(), Failure> {
    let config = Config::load(file).map_err(Failure::settings)?;
    block_on(async {
        let done = wa_gateway::backup::back_up(&config, to, without_media).await.map_err(Failure::running)?;
        if !done.is_stream() {
            return print(done);
        }
        // Nobody may be reading it.
        let _ = writeln!(io::stderr(), "{done}");
        Ok(())
    })
}
