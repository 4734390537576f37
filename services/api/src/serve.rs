//! The server: accepts connections up to a limit, gives each request's head a deadline, and stops gracefully.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use crate::{auth::Peer, state::Settings};

/// The pause after a connection could not be accepted, most often for want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The most that a request's head may be, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// Serves `router` on `listener` until `shutdown`; then takes no more connections, lets requests finish for as
/// long as the settings say, and returns.
pub async fn serve(listener: TcpListener, router: Router, settings: &Settings, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let cut = CancellationToken::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(settings.head_wait).max_header_size(HEAD_LIMIT);
    loop {
        let Some(place) = shutdown.run_until_cancelled(Arc::clone(&places).acquire_owned()).await else {
            break;
        };
        let Ok(place) = place else { break };
        let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await else { break };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                refused(&error).await;
                continue;
            }
        };
        let connection = Connection {
            http: http.clone(),
            router: router.clone(),
            peer: Peer(peer.ip()),
            shutdown: shutdown.clone(),
        };
        let cut = cut.clone();
        connections.spawn(async move {
            cut.run_until_cancelled(connection.run(stream)).await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if timeout(settings.drain_wait, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut connections that did not finish in time");
        cut.cancel();
        connections.wait().await;
    }
}

async fn refused(error: &io::Error) {
    use io::ErrorKind as E;
    // The other side's doing; the next connection may be fine.
    if matches!(error.kind(), E::ConnectionRefused | E::ConnectionAborted | E::ConnectionReset) {
        return;
    }
    tracing::error!(%error, "a connection could not be accepted");
    sleep(ACCEPT_AGAIN).await;
}

struct Connection {
    http: http1::Builder,
    router: Router,
    peer: Peer,
    shutdown: CancellationToken,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let Self { http, router, peer, shutdown } = self;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection went away at once");
            return;
        }
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let mut router = router.clone();
            // A router is always ready.
            async move { router.call(request).await }
        });
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
