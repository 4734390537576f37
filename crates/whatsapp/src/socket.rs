//! A WebSocket as the library wants it: frames out, events in.
//!
//! The library can wrap one by itself, with a queue for 64 events that takes 8 KiB of every session. A queue this short
//! costs nothing: the library empties it at once, and what does not fit waits in the kernel.

use bytes::Bytes;
use futures::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;
use tokio_websockets::{CloseCode, Message, WebSocketStream};
use wacore::net::{DisconnectReason, TransportEvent};
use whatsapp_rust::anyhow;

use crate::runtime::Tasks;

/// Events that wait for the library.
const QUEUE: usize = 4;

/// A stream of either kind, plain or encrypted.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// The half that sends.
pub(crate) struct Socket<S: Stream> {
    /// Nothing once it is closed.
    frames: Mutex<Option<SplitSink<WebSocketStream<S>, Message>>>,
    closed: CancellationToken,
}

/// There is nothing to send on any more.
#[derive(Debug, thiserror::Error)]
#[error("the socket is closed")]
struct Closed;

impl<S: Stream> Socket<S> {
    /// Starts to read, as one of the client's tasks.
    pub(crate) fn open(
        stream: WebSocketStream<S>,
        tasks: &Tasks,
    ) -> (Self, async_channel::Receiver<TransportEvent>) {
        let (frames, incoming) = stream.split();
        let (events, received) = async_channel::bounded(QUEUE);
        // Before anything that is read; there is room for it.
        let _ = events.try_send(TransportEvent::Connected);
        let closed = CancellationToken::new();
        tasks.spawn(read(incoming, events, closed.clone()));
        (Self { frames: Mutex::new(Some(frames)), closed }, received)
    }

    pub(crate) async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        let mut frames = self.frames.lock().await;
        Ok(frames.as_mut().ok_or(Closed)?.send(Message::binary(data)).await?)
    }

    pub(crate) async fn close(&self) {
        self.closed.cancel();
        if let Some(mut frames) = self.frames.lock().await.take() {
            let goodbye = Message::close(Some(CloseCode::NORMAL_CLOSURE), "");
            // The other side may have gone first.
            let _ = frames.send(goodbye).await;
        }
    }
}

impl<S: Stream> Drop for Socket<S> {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// Passes on what comes in until the end, and then says why it was the end.
async fn read<S: Stream>(
    mut incoming: SplitStream<WebSocketStream<S>>,
    events: async_channel::Sender<TransportEvent>,
    closed: CancellationToken,
) {
    let reading = async {
        loop {
            let message = match incoming.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return DisconnectReason::ReadError(error.to_string()),
                None => return DisconnectReason::StreamEnded,
            };
            if let Some((code, reason)) = message.as_close() {
                let code = Some(u16::from(code));
                return DisconnectReason::ServerClose { code, reason: reason.to_owned() };
            }
            // Pings are answered by the stream itself; WhatsApp sends no text.
            if message.is_binary() {
                let data = Bytes::from(message.into_payload());
                if events.send(TransportEvent::DataReceived(data)).await.is_err() {
                    return DisconnectReason::Unknown;
                }
            }
        }
    };
    let reason = closed.run_until_cancelled(reading).await.unwrap_or(DisconnectReason::Unknown);
    // Nobody may be listening any more.
    let _ = events.send(TransportEvent::Disconnected(reason)).await;
}
