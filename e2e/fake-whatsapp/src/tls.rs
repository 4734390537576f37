//! The TLS listener: a self-signed certificate, and handshakes that do not hold each other up.

use crate::error::Error;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A client that has not finished its TLS handshake by then is let go.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// A listener whose connections have gone through their TLS handshake.
pub(crate) struct TlsListener {
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

/// A certificate for the loopback names, in PEM, and the configuration that presents it.
pub(crate) fn self_signed() -> Result<(Arc<ServerConfig>, String), Error> {
    let refuse = |error: &dyn std::fmt::Display| Error::Certificate(error.to_string());
    let names =
        ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), "fake-whatsapp".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).map_err(|error| refuse(&error))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .map_err(|error| refuse(&error))?;
    Ok((Arc::new(config), certified.cert.pem()))
}

impl TlsListener {
    /// Starts accepting.
    pub(crate) fn start(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, accepted) = mpsc::channel(64);
        let acceptor = TlsAcceptor::from(config);
        let (tracker, cancel) = (tasks.clone(), cancel.clone());
        tasks.spawn(async move {
            loop {
                let connection = tokio::select! {
                    () = cancel.cancelled() => return,
                    connection = listener.accept() => connection,
                };
                let Ok((stream, peer)) = connection else { continue };
                let (acceptor, sender, cancel) = (acceptor.clone(), sender.clone(), cancel.clone());
                tracker.spawn(async move {
                    let handshake = tokio::time::timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream));
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        done = handshake => match done {
                            Ok(Ok(stream)) => drop(sender.send((stream, peer)).await),
                            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                            Err(_) => tracing::debug!("TLS handshake too slow"),
                        },
                    }
                });
            }
        });
        Ok(Self { accepted, address })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(connection) => connection,
            // The server is stopping; whoever waits here is about to be dropped.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}
