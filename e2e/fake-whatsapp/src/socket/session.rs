//! The task of one connection: handshake, login or registration, then stanzas in and out.

use crate::inner::Inner;
use crate::login;
use crate::socket::connection::{Close, Connection};
use crate::socket::frames::{Ciphers, FrameError, FrameReader, clear_frame};
use crate::socket::handshake::{self, Established, Hello, Refused};
use crate::stanza;
use axum::extract::ws::{Message, WebSocket};
use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;
use wacore_binary::OwnedNodeRef;
use wacore_binary::util::unpack_bytes;

/// A client that has not finished its handshake by then is cut off.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(20);
/// How long the client gets to end a connection it has been told is over.
const FAREWELL: Duration = Duration::from_secs(1);
/// How many WebSocket messages are read, when they are there already, before the answers are written.
const READ_AHEAD: usize = 64;
/// Stanzas are put together in one WebSocket message up to about this size.
const BATCH: usize = 64 * 1024;

/// Why a connection ended without the server wanting it.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("frames: {0}")]
    Frames(#[from] FrameError),
    #[error("handshake: {0}")]
    Handshake(#[from] Refused),
    #[error("socket: {0}")]
    Socket(#[from] axum::Error),
    #[error("stanza: {0}")]
    Stanza(#[from] wacore_binary::BinaryError),
    #[error("closed by the client")]
    ByClient,
    #[error("handshake too slow")]
    TooSlow,
}

/// Runs a connection to its end.
pub(crate) async fn run(inner: Arc<Inner>, mut socket: WebSocket, tls: bool) {
    let connection = Arc::new(Connection::new(inner.next_connection(), tls, inner.options.journal > 0));
    inner.counters.connection_opened();
    let ended = tokio::select! {
        () = inner.cancel.cancelled() => Ok(Close::Cut),
        ended = serve(&inner, &connection, &mut socket) => ended,
    };
    connection.mark_closed();
    login::disconnected(&inner, &connection);
    inner.counters.connection_closed();
    match ended {
        Ok(Close::Gentle) => {
            // A socket closed with unread bytes is reset, and the client may lose the farewell.
            let _ = tokio::time::timeout(FAREWELL, async { while let Some(Ok(_)) = socket.recv().await {} })
                .await;
        }
        Ok(Close::Cut) | Err(Ended::ByClient) => {}
        Err(error) => tracing::debug!(connection = connection.id, %error, "connection broken"),
    }
    tracing::debug!(connection = connection.id, "connection ended");
}

async fn serve(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    socket: &mut WebSocket,
) -> Result<Close, Ended> {
    let mut reader = FrameReader::new();
    let Established { mut ciphers, client_static, payload, pattern } =
        tokio::time::timeout(HANDSHAKE_DEADLINE, shake_hands(inner, socket, &mut reader))
            .await
            .map_err(|_| Ended::TooSlow)??;
    let _ = connection.pattern.set(pattern);
    login::admit(inner, connection, client_static, &payload);
    let mut pending = Vec::new();
    loop {
        // Whatever shared a WebSocket message with the handshake is already here.
        if !connection.is_stalled() {
            take_in(inner, connection, &mut reader, &mut ciphers)?;
            for _ in 0..READ_AHEAD {
                let Some(received) = socket.recv().now_or_never() else { break };
                reader.feed(&binary(received)?)?;
                take_in(inner, connection, &mut reader, &mut ciphers)?;
            }
            if let Some(close) = flush(connection, socket, &mut ciphers, &mut pending).await? {
                return Ok(close);
            }
        }
        tokio::select! {
            biased;
            () = connection.woken() => {
                if connection.is_stalled() && connection.closing() == Some(Close::Cut) {
                    return Ok(Close::Cut);
                }
            }
            received = socket.recv(), if !connection.is_stalled() => reader.feed(&binary(received)?)?,
        }
    }
}

/// Handles the stanzas that have arrived whole.
fn take_in(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    reader: &mut FrameReader,
    ciphers: &mut Ciphers,
) -> Result<(), Ended> {
    while let Some(mut frame) = reader.next_frame() {
        ciphers.open(&mut frame)?;
        let stanza = OwnedNodeRef::new(unpack_bytes(frame)?)?;
        stanza::dispatch(inner, connection, &stanza);
    }
    Ok(())
}

/// Writes what is pending; tells how the connection is to end, if it is.
async fn flush(
    connection: &Connection,
    socket: &mut WebSocket,
    ciphers: &mut Ciphers,
    pending: &mut Vec<Bytes>,
) -> Result<Option<Close>, Ended> {
    loop {
        let close = connection.take(pending);
        if close == Some(Close::Cut) {
            return Ok(close);
        }
        if pending.is_empty() {
            if close.is_some() {
                // The peer may be gone already; there is nobody left to tell.
                let _ = socket.send(Message::Close(None)).await;
            }
            return Ok(close);
        }
        let mut batch = BytesMut::new();
        for stanza in pending.iter() {
            ciphers.seal(stanza, &mut batch)?;
            if batch.len() >= BATCH {
                socket.send(Message::Binary(std::mem::take(&mut batch).freeze())).await?;
            }
        }
        if !batch.is_empty() {
            socket.send(Message::Binary(batch.freeze())).await?;
        }
        if pending.capacity() > 256 {
            *pending = Vec::new();
        }
    }
}

async fn shake_hands(
    inner: &Inner,
    socket: &mut WebSocket,
    reader: &mut FrameReader,
) -> Result<Established, Ended> {
    let hello = next_frame(socket, reader).await?;
    match handshake::answer(&inner.identity, &hello)? {
        Hello::Done(answer, established) => {
            socket.send(Message::Binary(clear_frame(&answer)?)).await?;
            Ok(*established)
        }
        Hello::Continue(answer, pending) => {
            socket.send(Message::Binary(clear_frame(&answer)?)).await?;
            let finish = next_frame(socket, reader).await?;
            Ok(pending.finish(&finish)?)
        }
    }
}

async fn next_frame(socket: &mut WebSocket, reader: &mut FrameReader) -> Result<BytesMut, Ended> {
    loop {
        if let Some(frame) = reader.next_frame() {
            return Ok(frame);
        }
        let data = binary(socket.recv().await)?;
        reader.feed(&data)?;
    }
}

fn binary(received: Option<Result<Message, axum::Error>>) -> Result<Bytes, Ended> {
    match received {
        Some(Ok(Message::Binary(data))) => Ok(data),
        // Answered by the WebSocket layer.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => Ok(Bytes::new()),
        Some(Ok(Message::Close(_))) | None => Err(Ended::ByClient),
        Some(Err(error)) => Err(error.into()),
    }
}
