//! The image and docker-compose.yml, tried on a real engine: it starts, texts go both ways, a runner that is killed is
//! replaced, nothing runs as root or writes to its own root file system, and what watches it sees all of it.
//!
//! The short form puts the programs that tests use into the demo's image; `--full` builds both images from their
//! sources, as a user does, and looks at the one that ships.

mod checks;
mod engine;
mod observability;
mod plugin;
mod stack;

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;
use engine::{Engine, NoEngine};

/// The exit code for "not possible here".
const SKIPPED: u8 = 77;

/// Tries the image and docker-compose.yml on a Docker engine. Run it in the top folder.
#[derive(Debug, Parser)]
struct Arguments {
    /// Build the images from their sources, and check the one that ships. Takes ten minutes or more.
    #[arg(long)]
    full: bool,
    /// Leave everything running.
    #[arg(long)]
    keep: bool,
}

/// Prints a line. A reader that went away is no error.
fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let engine = match Engine::get() {
        Ok(engine) => engine,
        Err(NoEngine(why)) => {
            say(why);
            return ExitCode::from(SKIPPED);
        }
    };
    let mut stack = stack::Stack::build(&engine, arguments.full);
    checks::first_start_explains_itself(&stack);
    checks::image(&stack, arguments.full);
    stack.keep = arguments.keep;
    stack.up();
    checks::whole(&stack).await;
    checks::both_ways(&stack).await;
    checks::hardened(&stack);
    observability::watched(&stack).await;
    checks::a_killed_runner_is_replaced(&stack).await;
    checks::single(&stack).await;
    drop(stack);
    say("the image and docker-compose.yml do what they should");
    ExitCode::SUCCESS
}
