//! The bus inside one process: the same payloads, handed over in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Hints, Pattern, RequestError, Server, Subject,
    hints::{self, Sink},
    server::{RawRequest, Reply, Source},
};

/// Who serves and who listens in this process.
#[derive(Debug, Default)]
pub struct Local {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    groups: HashMap<Subject, Group>,
    exact: HashMap<String, Vec<(u64, Sink)>>,
    wild: Vec<(u64, Pattern, Sink)>,
}

/// The servers of one subject, which take turns.
#[derive(Debug, Default)]
struct Group {
    turn: usize,
    /// Requests are boxed: a channel makes room for many at once, and every session serves one.
    members: Vec<(u64, mpsc::Sender<Box<RawRequest>>)>,
}

/// A server's place in its group.
#[derive(Debug)]
pub(crate) struct Member {
    id: u64,
    subject: Subject,
}

/// A listener's place; given up when dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    id: u64,
    pattern: Pattern,
    bus: Arc<Local>,
}

impl Local {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave the maps half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn serve<C>(self: &Arc<Self>, subject: &Subject, capacity: usize) -> Server<C> {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let id = {
            let mut state = self.state();
            let id = state.next_id();
            state.groups.entry(subject.clone()).or_default().members.push((id, sender));
            id
        };
        let member = Member { id, subject: subject.clone() };
        Server::new(Source::Local { receiver, bus: Arc::clone(self), member })
    }

    pub(crate) fn leave(&self, member: &Member) {
        let mut state = self.state();
        if let Some(group) = state.groups.get_mut(&member.subject) {
            group.members.retain(|(id, _)| *id != member.id);
            if group.members.is_empty() {
                state.groups.remove(&member.subject);
            }
        }
    }

    /// The server whose turn it is.
    fn pick(&self, subject: &Subject) -> Option<mpsc::Sender<Box<RawRequest>>> {
        let mut state = self.state();
        let group = state.groups.get_mut(subject)?;
        group.turn = group.turn.wrapping_add(1);
        let index = group.turn.checked_rem(group.members.len())?;
        group.members.get(index).map(|(_, sender)| sender.clone())
    }

    pub(crate) async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        traceparent: Option<String>,
        deadline: Duration,
    ) -> Result<Bytes, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let mut request = Box::new(RawRequest { payload, traceparent, reply: Reply::local(sender) });
        let exchange = async {
            loop {
                let server = self.pick(subject).ok_or(RequestError::NoResponders)?;
                match server.send(request).await {
                    Ok(()) => break,
                    // It stopped before it took the command: the next one, or nobody.
                    Err(mpsc::error::SendError(returned)) => request = returned,
                }
            }
            receiver.await.map_err(|_| RequestError::Abandoned)
        };
        tokio::time::timeout(deadline, exchange).await.map_err(|_| RequestError::Timeout)?
    }

    pub(crate) fn publish(&self, subject: &Subject, encode: impl FnOnce() -> Option<Bytes>) {
        let state = self.state();
        let exact = state.exact.get(subject.as_str()).into_iter().flatten().map(|(_, sink)| sink);
        let wild = state.wild.iter().filter(|(_, pattern, _)| pattern.matches(subject));
        let mut sinks = exact.chain(wild.map(|(_, _, sink)| sink)).peekable();
        if sinks.peek().is_some()
            && let Some(payload) = encode()
        {
            sinks.for_each(|sink| sink.put(payload.clone()));
        }
    }

    pub(crate) fn subscribe<H>(self: &Arc<Self>, pattern: Pattern, capacity: usize) -> Hints<H> {
        let (sink, finish) = hints::channel(capacity);
        let id = {
            let mut state = self.state();
            let id = state.next_id();
            if pattern.is_wild() {
                state.wild.push((id, pattern.clone(), sink));
            } else {
                state.exact.entry(pattern.as_str().to_owned()).or_default().push((id, sink));
            }
            id
        };
        finish(hints::Source::Local(Listener { id, pattern, bus: Arc::clone(self) })).into()
    }
}

impl State {
    const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.bus.state();
        if self.pattern.is_wild() {
            state.wild.retain(|(id, ..)| *id != self.id);
        } else if let Some(listeners) = state.exact.get_mut(self.pattern.as_str()) {
            listeners.retain(|(id, _)| *id != self.id);
            if listeners.is_empty() {
                state.exact.remove(self.pattern.as_str());
            }
        }
    }
}
