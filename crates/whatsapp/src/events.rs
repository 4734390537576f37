//! What a client tells its owner.

use std::time::Duration;

use domain::Timestamp;
use tokio::sync::mpsc;

/// Something that happened to a client. Of one client they come in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A QR code to scan; the next one replaces it after `lifetime`.
    Qr { text: String, lifetime: Duration },
    /// WhatsApp gave no more QR codes and nobody scanned one: this client is finished, another one gets new codes.
    QrExhausted,
    /// A code to type on the phone.
    PairingCode { code: String, lifetime: Duration },
    /// No code will come, or the one given no longer works; [`Client::pair_with_code`](crate::Client::pair_with_code)
    /// can be asked again.
    PairingCodeFailed { reason: String },
    /// The phone linked this client; a restart of the connection follows by itself.
    Paired {
        /// The number, digits only.
        phone: String,
        /// The other address of the account, without a server part.
        lid: Option<String>,
    },
    /// The phone tried to link and it did not work.
    PairFailed { reason: String },
    /// On line: messages can be sent.
    Connected,
    /// No longer on line; the client reconnects by itself.
    Disconnected { reason: String },
    /// A connection could not be made, or WhatsApp refused it; the client tries again by itself.
    ConnectFailed { reason: String },
    /// The link is gone and must be scanned anew. The client is finished.
    LoggedOut { reason: String },
    /// Another client took the link over. This one is finished.
    Replaced,
    /// WhatsApp banned the number, until a time or for good. The client is finished.
    Banned { reason: String, until: Option<Timestamp> },
    /// WhatsApp no longer accepts this version. The client is finished.
    Outdated,
    /// WhatsApp wants a passkey from the phone's owner before it links.
    NeedsPasskey,
    /// The store could not keep what came in, so what this client holds in memory is ahead of it. The client is
    /// finished; another one, opened when the store works again, loses nothing.
    StoreFailed { reason: String },
    /// Recipients told how far messages of ours have come. Not repeated if it is lost.
    Receipt { chat: String, message_ids: Vec<String>, kind: ReceiptKind, at: Timestamp },
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptKind {
    /// A device of the recipient has it.
    Delivered,
    /// The recipient saw it.
    Read,
    /// The recipient played it.
    Played,
}

impl Happened {
    /// The client does nothing more by itself.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::QrExhausted
            | Self::LoggedOut { .. }
            | Self::Replaced
            | Self::Banned { .. }
            | Self::Outdated
            | Self::StoreFailed { .. } => true,
            Self::Qr { .. }
            | Self::PairingCode { .. }
            | Self::PairingCodeFailed { .. }
            | Self::Paired { .. }
            | Self::PairFailed { .. }
            | Self::Connected
            | Self::Disconnected { .. }
            | Self::ConnectFailed { .. }
            | Self::NeedsPasskey
            | Self::Receipt { .. } => false,
        }
    }
}

/// The events of one client. They wait here until they are read. Boxed, for a queue has room for 32 from the start.
#[derive(Debug)]
pub struct Events(pub(crate) mpsc::UnboundedReceiver<Box<Happened>>);

impl Events {
    /// The next event; `None` when the client is gone.
    pub async fn next(&mut self) -> Option<Happened> {
        self.0.recv().await.map(|happened| *happened)
    }
}
