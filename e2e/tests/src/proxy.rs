//! A wire that can be cut: a TCP proxy in front of a server, for one process alone.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Everything passes.
    Whole,
    /// Nothing passes in either direction, and nobody is told: connections stay open, new ones hang.
    Silent,
    /// Connections are closed, new ones too.
    Broken,
}

/// The proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<watch::Sender<Wire>>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port and connects to `server` (`host:port`) for whoever connects to it.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (wire, state) = watch::channel(Wire::Whole);
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, server.to_owned(), state));
        Self { address, wire: Arc::new(wire), _serving: serving }
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Cuts the wire, or mends it.
    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn serve(listener: TcpListener, server: String, wire: watch::Receiver<Wire>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                connections.spawn(connection(client, server.clone(), wire.clone()));
            }
            Some(_) = connections.join_next() => {}
            else => return,
        }
    }
}

async fn connection(client: TcpStream, server: String, mut wire: watch::Receiver<Wire>) {
    let mut watching = wire.clone();
    let carried = async {
        if wire.wait_for(|wire| *wire == Wire::Whole).await.is_err() {
            return;
        }
        let Ok(server) = TcpStream::connect(server).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        // The end of one direction is the end of the connection: all who talk here end it that way.
        tokio::select! {
            () = carry(from_client, to_server, wire.clone()) => {}
            () = carry(from_server, to_client, wire.clone()) => {}
        }
    };
    tokio::select! {
        () = carried => {}
        _ = watching.wait_for(|wire| *wire == Wire::Broken) => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // What is held back is held by the kernel: the sender learns nothing.
        if wire.wait_for(|wire| *wire == Wire::Whole).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            Ok(()) = wire.changed() => continue,
        };
        match read {
            Ok(length @ 1..) => {
                if wire.wait_for(|wire| *wire == Wire::Whole).await.is_err()
                    || to.write_all(&buffer[..length]).await.is_err()
                {
                    return;
                }
            }
            _ => return,
        }
    }
}
