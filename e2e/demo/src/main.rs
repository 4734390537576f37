//! The gateway without a phone: a real one, between a stand-in for WhatsApp and a receiver of webhooks, in one process.

mod api;
mod beside;
mod console;
mod phones;
mod webhooks;

use std::{
    env,
    io::{self, IsTerminal as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use config::Config;
use fake_whatsapp::{FakeWhatsApp, Options};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use wa_gateway::{Gateway, RoleEnded, Roles, StartError, lifecycle::Signals};

use api::Api;
use console::{Scene, complain, say};
use phones::Phones;

/// How long to wait for what was being handed over when it stops.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Try the gateway without a phone: starts it together with a stand-in for WhatsApp, links two numbers, and shows every
/// webhook. Nothing leaves this machine, and nothing stays behind.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Port of the gateway.
    #[arg(long, env = "PORT", default_value_t = 5001, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Where webhooks go, such as <http://localhost:3000>; without it they are shown here.
    #[arg(long)]
    webhooks: Option<String>,
    /// Leave the codes of further sessions to be scanned by hand: `POST /scan` of the control API.
    #[arg(long)]
    leave_codes: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The same around a gateway that runs elsewhere, in as many processes as it likes.
    Beside(beside::Arguments),
}

/// Why the demo ended.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("port {port} is in use: stop what uses it, or choose another one, such as PORT={other}")]
    PortInUse { port: u16, other: u16 },
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("{0}")]
    Settings(#[from] config::Problems),
    #[error("{0}")]
    Logging(#[from] telemetry::InitError),
    #[error("fake WhatsApp: {0}")]
    WhatsApp(#[from] fake_whatsapp::Error),
    #[error("the gateway did not start: {0}")]
    Start(#[from] StartError),
    #[error("{0}")]
    RoleEnded(#[from] RoleEnded),
    #[error("{0}")]
    Api(#[from] api::Error),
    #[error("the session {session} did not connect within {within:?}")]
    NotConnected { session: String, within: Duration },
}

const fn next(port: u16) -> u16 {
    if port == u16::MAX { port - 2 } else { port + 1 }
}

impl Problem {
    fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            complain(format_args!("demo: {problem}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { port, webhooks, leave_codes, command }: Arguments) -> Result<(), Problem> {
    let _logging = telemetry::init(&telemetry::TelemetryOptions {
        logs: telemetry::Logs {
            format: telemetry::Format::Text,
            colours: io::stderr().is_terminal(),
            filter: Some(
                env::var("RUST_LOG").ok().filter(|set| !set.is_empty()).unwrap_or_else(|| "warn".to_owned()),
            ),
        },
        process: telemetry::Process {
            role: "demo",
            version: env!("CARGO_PKG_VERSION"),
            instance: "demo".to_owned(),
        },
        traces: None,
        metrics: None,
        scraped: false,
    })?;
    if let Some(Command::Beside(arguments)) = command {
        return beside::run(arguments).await;
    }
    // Asked first, so that the answer is about the port and not about whatever comes first in a start.
    free(port)?;
    let folder = tempfile::Builder::new().prefix("wa-gateway-demo-").tempdir();
    let folder = folder.map_err(Problem::io("no folder for temporary files"))?;
    let whatsapp = fake_whatsapp(next(port)).await?;
    let receiver = webhooks::Receiver::start((Ipv4Addr::LOCALHOST, 0).into())
        .await
        .map_err(Problem::io("the webhook receiver"))?;
    let (elsewhere, page) = (webhooks.clone(), receiver.url());

    let settings: Vec<(String, String)> = [
        ("HOST", Ipv4Addr::LOCALHOST.to_string()),
        ("PORT", port.to_string()),
        ("ADMIN_PASSWORD", api::PASSWORD.to_owned()),
        ("DATA_DIR", folder.path().display().to_string()),
        ("WHATSAPP_URL", whatsapp.chat_url()),
        ("WEBHOOK_BASE_URL", webhooks.unwrap_or_else(|| receiver.url())),
        // Users made here may name receivers on this machine.
        ("EGRESS_ALLOW", "127.0.0.0/8,::1/128".to_owned()),
        // The password is in the README: whoever tries wrong ones, such as schemathesis does, guesses nothing.
        ("LOGIN_FAILURES_PER_ADDRESS", "100000".to_owned()),
        ("LOGIN_FAILURES_PER_NAME", "100000".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    // Nothing else of this environment: a database or a receiver named there is not to be touched.
    let config = Config::from_sources(None, &[], &settings)?;
    let gateway = Gateway::start(&config, Roles::All).await?;
    let api = Api::new(&format!("http://{}:{port}", Ipv4Addr::LOCALHOST), api::PASSWORD)?;

    let stop = CancellationToken::new();
    let running = gateway.run_until(Signals::Token(stop.clone()));
    tokio::pin!(running);
    let outcome = tokio::select! {
        ended = &mut running => {
            ended?;
            return Ok(());
        }
        shown = show(&api, &whatsapp, leave_codes, |anna, budi| Scene {
            gateway: format!("http://localhost:{port}"),
            password: api::PASSWORD.to_owned(),
            control: whatsapp.control_url(),
            anna,
            budi,
            friend: phones::FRIEND.to_owned(),
            page: elsewhere.is_none().then(|| format!("{page}/")),
            webhooks: elsewhere,
        }) => shown,
        stopped = stop_requested() => stopped,
    };
    if outcome.is_ok() {
        say(format_args!("\nstopping"));
    }
    stop.cancel();
    tokio::select! {
        ended = &mut running => ended?,
        // Asked a second time, or it takes too long: there is nothing here to lose.
        _ = tokio::time::timeout(STOP_DEADLINE, stop_requested()) => {}
    }
    whatsapp.shutdown().await;
    outcome
}

/// Links the two, says what to do, and scans whatever is on offer from then on, unless it is to be left.
async fn show(
    api: &Api,
    whatsapp: &FakeWhatsApp,
    leave_codes: bool,
    scene: impl FnOnce(String, String) -> Scene,
) -> Result<(), Problem> {
    say(format_args!("starting: linking anna and budi …"));
    let mut phones = Phones::new(api.clone(), whatsapp.clone());
    let [anna, budi] = phones.link_first_two().await?;
    whatsapp.create_account(phones::FRIEND).await.set_push_name("Citra");
    console::introduce(&scene(anna, budi));
    if leave_codes {
        std::future::pending::<()>().await;
    }
    phones.watch().await;
    Ok(())
}

/// WhatsApp's side, with its control API next to the gateway's port if that is free.
async fn fake_whatsapp(control: u16) -> Result<FakeWhatsApp, Problem> {
    let at = |port| Options {
        control_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        tls_listen: None,
        ..Options::default()
    };
    match FakeWhatsApp::start(at(control)).await {
        Err(fake_whatsapp::Error::Listen(_)) => Ok(FakeWhatsApp::start(at(0)).await?),
        started => Ok(started?),
    }
}

fn free(port: u16) -> Result<(), Problem> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(Problem::PortInUse { port, other: next(port) })
        }
        Err(error) => Err(Problem::io("the port of the gateway")(error)),
    }
}

/// Waits for Ctrl-C, or for SIGTERM.
async fn stop_requested() -> Result<(), Problem> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Problem::io("signals"))?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Problem::io("signals")),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_said_to_be() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let words = free(port).unwrap_err().to_string();
        assert!(words.starts_with(&format!("port {port} is in use")), "{words}");
    }
}
