//! What a server is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How a server is started; the defaults are what a test wants: free ports on the loopback address, strict about
/// unknown numbers, no journal.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the WebSocket and the media host listen in plain text.
    pub listen: SocketAddr,
    /// Where the same is served over TLS with a self-signed certificate; `None` turns it off.
    pub tls_listen: Option<SocketAddr>,
    /// Where the control API listens; `None` turns it off.
    pub control_listen: Option<SocketAddr>,
    /// The `host:port` handed out as media host instead of the listener's own address.
    pub media_host: Option<String>,
    /// Every number anybody asks for is on WhatsApp: its account comes into being when it is looked up.
    pub auto_accounts: bool,
    /// Phones decrypt what they receive only when somebody reads their inbox. For benchmarks: it takes the phones'
    /// share of Signal work off the server.
    pub lazy_phones: bool,
    /// How many stanzas of each account the journal keeps; 0 turns it off.
    pub journal: usize,
    /// Remember every accepted message id (see [`crate::Ledger`]). Turn off for runs of many millions.
    pub ledger: bool,
    /// How many unsettled stanzas a connected device may have in flight; the rest waits in its queue.
    pub window: usize,
    /// How many one-time prekeys a simulated phone offers.
    pub phone_prekeys: u32,
    /// How many messages of its inbox a phone keeps, oldest first to go.
    pub inbox: usize,
}

impl Default for Options {
    fn default() -> Self {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            listen: any_port,
            tls_listen: Some(any_port),
            control_listen: Some(any_port),
            media_host: None,
            auto_accounts: false,
            lazy_phones: false,
            journal: 0,
            ledger: true,
            window: 4096,
            phone_prekeys: 20,
            inbox: 100_000,
        }
    }
}
