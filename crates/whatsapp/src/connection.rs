//! Opening a socket to WhatsApp, and the gate that every frame passes on its way out.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::net::{Transport, TransportEvent, TransportFactory};
use whatsapp_rust::{
    anyhow,
    transport::{TokioWebSocketTransportFactory, default_tls_connector},
};

use crate::link::Link;

/// Opens sockets. One for all clients of a process: they share the TLS configuration and its root certificates.
pub(crate) struct Dialer(TokioWebSocketTransportFactory);

impl Dialer {
    pub(crate) fn new(url: Option<&url::Url>) -> Self {
        egress::install_crypto_provider();
        let factory = TokioWebSocketTransportFactory::new().with_connector(default_tls_connector());
        Self(match url {
            Some(url) => factory.with_url(url.as_str()),
            None => factory,
        })
    }
}

/// The claim was lost: nothing goes out.
#[derive(Debug, thiserror::Error)]
#[error("the session belongs to another runner by now")]
pub(crate) struct NotHeld;

/// Opens a client's sockets as long as its claim holds.
pub(crate) struct Gate {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) link: Arc<Link>,
}

#[async_trait]
impl TransportFactory for Gate {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        if !self.link.lease.held() {
            return Err(NotHeld.into());
        }
        let (socket, events) = self.dialer.0.create_transport().await.inspect_err(|error| {
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
    socket: Arc<dyn Transport>,
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
        self.socket.disconnect().await;
    }
}
