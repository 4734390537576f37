//! Opening a socket to WhatsApp, and the gate that every frame passes on its way out.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Uri, header};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Connector, MaybeTlsStream};
use wacore::net::{Transport, TransportEvent, TransportFactory};
use whatsapp_rust::{anyhow, transport::default_tls_connector};

use crate::{link::Link, runtime::Tasks, socket::Socket};

/// Where WhatsApp's own clients connect to, when nothing else is set.
const WEB_WHATSAPP: &str = "wss://web.whatsapp.com/ws/chat";
/// What a browser would say; WhatsApp's servers expect it.
const ORIGIN: HeaderValue = HeaderValue::from_static("https://web.whatsapp.com");

/// Opens sockets. One for all clients of a process: they share the TLS configuration and its root certificates.
///
/// The library can dial by itself, but leaves Nagle's algorithm on: with several messages on their way each would wait
/// up to 40 ms for the acknowledgement of the one before it.
pub(crate) struct Dialer {
    url: String,
    tls: Connector,
}

impl Dialer {
    pub(crate) fn new(url: Option<&url::Url>) -> Self {
        egress::install_crypto_provider();
        Self { url: url.map_or(WEB_WHATSAPP, url::Url::as_str).to_owned(), tls: default_tls_connector() }
    }

    async fn dial(&self, tasks: &Tasks) -> Result<Dialed, DialError> {
        let uri: Uri = self.url.parse()?;
        let host = uri.host().ok_or(DialError::NoHost)?;
        let encrypted = uri.scheme_str() == Some("wss");
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        stream.set_nodelay(true)?;
        let connector = if encrypted { &self.tls } else { &Connector::Plain };
        let stream = connector.wrap(host, stream).await?;
        let (socket, _) =
            ClientBuilder::from_uri(uri).add_header(header::ORIGIN, ORIGIN)?.connect_on(stream).await?;
        Ok(Socket::open(socket, tasks))
    }
}

/// What comes from a socket, as the library wants it.
type Events = async_channel::Receiver<TransportEvent>;

/// A socket and what comes from it.
type Dialed = (Socket<MaybeTlsStream<TcpStream>>, Events);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("its address is malformed: {0}")]
    Address(#[from] http::uri::InvalidUri),
    #[error("its address has no host")]
    NoHost,
    #[error("{0}")]
    Network(#[from] std::io::Error),
    #[error("{0}")]
    WebSocket(#[from] tokio_websockets::Error),
}

/// The claim was lost: nothing goes out.
#[derive(Debug, thiserror::Error)]
#[error("the session belongs to another runner by now")]
pub(crate) struct NotHeld;

/// Opens a client's sockets as long as its claim holds.
pub(crate) struct Gate {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) link: Arc<Link>,
    pub(crate) tasks: Tasks,
}

#[async_trait]
impl TransportFactory for Gate {
    async fn create_transport(&self) -> Result<(Arc<dyn Transport>, Events), anyhow::Error> {
        if !self.link.lease.held() {
            return Err(NotHeld.into());
        }
        let (socket, events) = self.dialer.dial(&self.tasks).await.inspect_err(|error| {
            self.link.because(format!("WhatsApp cannot be reached: {error}"));
        })?;
        let number = self.link.next_socket();
        let socket: Arc<dyn Transport> = Arc::new(Guarded { number, socket, link: Arc::clone(&self.link) });
        self.link.opened(number, Arc::clone(&socket));
        Ok((socket, events))
    }
}

/// A socket that writes nothing once the claim is lost.
struct Guarded {
    number: u64,
    socket: Socket<MaybeTlsStream<TcpStream>>,
    link: Arc<Link>,
}

#[async_trait]
impl Transport for Guarded {
    async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        // The library answers an error by closing the socket and giving the connection up.
        if !self.link.lease.held() {
            self.link.because(NotHeld.to_string());
            return Err(NotHeld.into());
        }
        self.socket.send(data).await
    }

    async fn disconnect(&self) {
        self.link.socket_closed(self.number);
        self.socket.close().await;
    }
}
