//! A WhatsApp server for tests and demonstrations, as a process of its own.

use clap::Parser;
use fake_whatsapp::{Error, FakeWhatsApp, Options};
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use tracing_subscriber::EnvFilter;

/// WhatsApp's server side, for tests and demonstrations. `GET /` on the control port lists what it can do.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Where the WebSocket (/ws/chat) and the media host listen in plain text.
    #[arg(long, env = "FAKE_WHATSAPP_LISTEN", default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
    /// Where the same is served over TLS with a self-signed certificate.
    #[arg(long, env = "FAKE_WHATSAPP_TLS_LISTEN")]
    tls_listen: Option<SocketAddr>,
    /// Where the control API listens.
    #[arg(long, env = "FAKE_WHATSAPP_CONTROL_LISTEN", default_value = "127.0.0.1:7701")]
    control_listen: SocketAddr,
    /// The host:port handed out as media host, when clients reach it by another name.
    #[arg(long, env = "FAKE_WHATSAPP_MEDIA_HOST")]
    media_host: Option<String>,
    /// Every number that anybody asks for is on WhatsApp.
    #[arg(long, env = "FAKE_WHATSAPP_AUTO_ACCOUNTS")]
    auto_accounts: bool,
    /// Phones decrypt only when somebody reads their inbox; for benchmarks.
    #[arg(long)]
    lazy_phones: bool,
    /// How many stanzas of each account are kept for GET /accounts/{phone}/journal.
    #[arg(long, default_value_t = 0)]
    journal: usize,
    /// Do not remember every accepted message id; GET /ledger stays empty.
    #[arg(long)]
    no_ledger: bool,
    /// A number to register at the start; may be given several times.
    #[arg(long = "account")]
    accounts: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stdout().is_terminal()).init();
    let arguments = Arguments::parse();
    let server = FakeWhatsApp::start(Options {
        listen: arguments.listen,
        tls_listen: arguments.tls_listen,
        control_listen: Some(arguments.control_listen),
        media_host: arguments.media_host,
        auto_accounts: arguments.auto_accounts,
        lazy_phones: arguments.lazy_phones,
        journal: arguments.journal,
        ledger: !arguments.no_ledger,
        ..Options::default()
    })
    .await?;
    for number in &arguments.accounts {
        server.create_account(number).await;
    }
    tracing::info!(
        chat_url = server.chat_url(),
        chat_tls_url = server.chat_tls_url(),
        control_url = server.control_url(),
        media_host = server.media_host(),
        "ready"
    );
    stop_requested().await?;
    tracing::info!("stopping");
    server.shutdown().await;
    Ok(())
}

/// Waits for Ctrl-C or, where there is such a thing, SIGTERM.
async fn stop_requested() -> Result<(), Error> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        Ok(tokio::signal::ctrl_c().await?)
    }
}
