//! The side that answers commands.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use serde::{Serialize, de::DeserializeOwned};
use telemetry::trace::TRACEPARENT;
use tokio::sync::{mpsc, oneshot};

use crate::{
    codec::{self, DecodeError, Refusal},
    local::{Local, Member},
    nats,
};

/// Takes the commands of one subject. Dropped, it is unsubscribed, and the commands that still wait are
/// answered with [`RequestError::NoResponders`](crate::RequestError::NoResponders).
#[derive(Debug)]
pub struct Server<C> {
    source: Source,
    command: PhantomData<fn() -> C>,
}

#[derive(Debug)]
pub(crate) enum Source {
    Nats { subscriber: async_nats::Subscriber, client: async_nats::Client },
    Local { receiver: mpsc::Receiver<Box<RawRequest>>, bus: Arc<Local>, member: Member },
}

/// A command as it came in.
#[derive(Debug)]
pub(crate) struct RawRequest {
    pub(crate) payload: Bytes,
    pub(crate) traceparent: Option<String>,
    pub(crate) reply: Reply,
}

/// A command and the way to answer it.
#[derive(Debug)]
pub struct Request<C> {
    /// What is asked for.
    pub command: C,
    /// The trace that the asker is in, as W3C's `traceparent`.
    pub traceparent: Option<String>,
    /// Where the answer goes.
    pub reply: Reply,
}

/// The way to answer one command. Dropped without an answer, it tells the other side
/// [`RequestError::Abandoned`](crate::RequestError::Abandoned).
#[derive(Debug)]
pub struct Reply {
    way: Option<Way>,
}

#[derive(Debug)]
enum Way {
    Nats { client: async_nats::Client, inbox: async_nats::Subject },
    Local(oneshot::Sender<Bytes>),
}

impl<C> Server<C> {
    pub(crate) const fn new(source: Source) -> Self {
        Self { source, command: PhantomData }
    }
}

impl<C: DeserializeOwned> Server<C> {
    /// The next command; `None` once the bus is closed. What cannot be read is answered here. Safe to cancel.
    pub async fn next(&mut self) -> Option<Request<C>> {
        loop {
            let RawRequest { payload, traceparent, reply } = self.source.next().await?;
            match codec::decode(&payload) {
                Ok(command) => return Some(Request { command, traceparent, reply }),
                Err(DecodeError::Unsupported) => {
                    tracing::warn!(
                        bytes = payload.len(),
                        "refused a command that this version does not know"
                    );
                    reply.refuse(Refusal::Unsupported);
                }
                Err(DecodeError::Malformed) => {
                    tracing::warn!(bytes = payload.len(), "refused a malformed command");
                    reply.refuse(Refusal::Malformed);
                }
            }
        }
    }
}

impl Source {
    async fn next(&mut self) -> Option<RawRequest> {
        match self {
            Self::Nats { subscriber, client } => {
                subscriber.next().await.map(|message| from_nats(client, message))
            }
            Self::Local { receiver, .. } => receiver.recv().await.map(|request| *request),
        }
    }

    /// A command that waits already.
    fn take_waiting(&mut self) -> Option<RawRequest> {
        match self {
            Self::Nats { subscriber, client } => {
                subscriber.next().now_or_never()?.map(|message| from_nats(client, message))
            }
            Self::Local { receiver, .. } => receiver.try_recv().ok().map(|request| *request),
        }
    }
}

fn from_nats(client: &async_nats::Client, message: async_nats::Message) -> RawRequest {
    let way = message.reply.map(|inbox| Way::Nats { client: client.clone(), inbox });
    let traceparent = message.headers.as_ref().and_then(|headers| headers.get(TRACEPARENT));
    let traceparent = traceparent.map(|value| value.as_str().to_owned());
    RawRequest { payload: message.payload, traceparent, reply: Reply { way } }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Local { receiver, bus, member } = self {
            bus.leave(member);
            receiver.close();
        }
        while let Some(request) = self.take_waiting() {
            request.reply.refuse(Refusal::NotTaken);
        }
    }
}

impl Reply {
    pub(crate) const fn local(sender: oneshot::Sender<Bytes>) -> Self {
        Self { way: Some(Way::Local(sender)) }
    }

    /// Answers the command. An asker who no longer waits is no error.
    pub fn send<R: Serialize>(mut self, answer: &R) {
        match codec::encode_answer(answer) {
            Ok(payload) => self.put(payload),
            Err(error) => tracing::warn!(%error, "an answer cannot be written as JSON"),
        }
    }

    fn refuse(mut self, refusal: Refusal) {
        self.put(codec::encode_refusal(refusal));
    }

    fn put(&mut self, payload: Bytes) {
        match self.way.take() {
            Some(Way::Nats { client, inbox }) => nats::publish_now(&client, inbox, payload),
            Some(Way::Local(sender)) => drop(sender.send(payload)),
            None => {}
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.way.is_some() {
            self.put(codec::encode_refusal(Refusal::Abandoned));
        }
    }
}
