//! The command line: one file a subcommand under [`commands`].

mod commands;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// Faster than the system's, and each session takes less of it: docs/benchmarks.md.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A WhatsApp gateway: many numbers behind one REST API, every message out as a webhook.
///
/// Without a subcommand it runs everything in one process, with SQLite and its files in ./data. All settings come
/// from the environment, a `.env` file, or a TOML file; `wa-gateway config check` shows them.
#[derive(Parser)]
#[command(version, about, long_about)]
struct Arguments {
    /// A TOML file with settings; the environment wins over it.
    #[arg(long, global = true, value_name = "FILE", env = "WA_GATEWAY_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in this process (the default).
    All,
    /// Run the REST API only; needs PostgreSQL and NATS.
    Api,
    /// Hold WhatsApp sessions only; needs PostgreSQL and NATS. Run as many as there are sessions to hold.
    SessionRunner,
    /// Deliver webhooks only; needs PostgreSQL and NATS.
    WebhookDispatcher,
    /// Bring the database's schema up to date, then exit.
    Migrate,
    /// Take over the users of the Node gateway, with their passwords, callbacks and session names.
    ///
    /// Users who are there already stay as they are, so it can be run again. On SQLite the gateway must be stopped
    /// meanwhile.
    Import {
        /// The Node gateway's database; it is only read.
        #[arg(long, value_name = "wa_gateway.db")]
        from: PathBuf,
        /// Say what would be taken over, and write no user.
        #[arg(long)]
        dry_run: bool,
    },
    /// Back up the database and the files of messages to one sealed file; the gateway may go on running.
    ///
    /// For SQLite. It opens with the gateway's keys only, which are not in it.
    Backup {
        /// The file to make; `-` for standard output.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Leave the files of messages out.
        #[arg(long)]
        without_media: bool,
    },
    /// Put a backup in place of a gateway that does not run. Its sessions connect without a scan.
    Restore(commands::restore::Arguments),
    /// Print the description of the REST API (OpenAPI 3.1, JSON).
    Openapi,
    /// Look at the settings.
    Config {
        #[command(subcommand)]
        command: commands::config::Command,
    },
    /// Ask a process of the gateway whether it is able to serve; exit code 0 when it is.
    Healthcheck {
        /// Which one; without it, whatever runs: one with the API, else another.
        #[arg(conflicts_with = "url")]
        role: Option<commands::healthcheck::Role>,
        /// One elsewhere, such as `http://wa-gateway/ready`; without it, one on this machine.
        #[arg(long)]
        url: Option<String>,
    },
}

fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let config = config.as_deref();
    let result = match command.unwrap_or(Command::All) {
        Command::All => commands::all::run(config),
        Command::Api => commands::api::run(config),
        Command::SessionRunner => commands::session_runner::run(config),
        Command::WebhookDispatcher => commands::webhook_dispatcher::run(config),
        Command::Migrate => commands::migrate::run(config),
        Command::Import { from, dry_run } => commands::import::run(config, &from, dry_run),
        Command::Backup { to, without_media } => commands::backup::run(config, &to, without_media),
        Command::Restore(arguments) => commands::restore::run(config, arguments),
        Command::Openapi => commands::openapi::run(),
        Command::Config { command } => commands::config::run(&command, config),
        Command::Healthcheck { role, url } => commands::healthcheck::run(role, url, config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
