//! Starts PostgreSQL and NATS for a whole test run, prints how to reach them, and ends with its standard input.

use std::io::{self, Read as _, Write as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let postgres = scratch::Postgres::start()?;
    let nats = scratch::Nats::start()?;
    let mut out = io::stdout();
    writeln!(out, "TEST_POSTGRES_URL={}\nTEST_NATS_URL={}", postgres.url(), nats.url())?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
