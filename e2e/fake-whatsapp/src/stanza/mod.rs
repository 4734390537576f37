//! What the server does with each kind of stanza.

pub(crate) mod devices;
pub(crate) mod iq;
pub(crate) mod message;
pub(crate) mod presence;
pub(crate) mod receipt;

use crate::clock;
use crate::inner::Inner;
use crate::journal::{Direction, JournalEntry};
use crate::offline::Class;
use crate::socket::connection::{Close, Connection, Login};
use std::borrow::Cow;
use std::sync::Arc;
use wacore::xml::DisplayableNodeRef;
use wacore_binary::node::ValueRef;
use wacore_binary::{Jid, Node, NodeRef, OwnedNodeRef};

/// A stanza's surroundings.
pub(crate) struct Context<'a> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) connection: &'a Arc<Connection>,
}

impl<'a> Context<'a> {
    /// Who has logged in on this connection.
    pub(crate) fn login(&self) -> Option<&'a Login> {
        self.connection.login.get()
    }

    /// Answers, later if the answers of one of these kinds are delayed.
    pub(crate) fn answer(&self, kinds: &[&str], answer: Node) {
        self.answer_and(kinds, answer, None);
    }

    /// The same with something to do right after.
    pub(crate) fn answer_and(&self, kinds: &[&str], answer: Node, follow_up: Option<iq::FollowUp>) {
        let (inner, connection) = (Arc::clone(self.inner), Arc::clone(self.connection));
        let finish = move || {
            connection.send(&answer);
            if let Some(follow_up) = follow_up {
                follow_up.run(&inner, &connection);
            }
        };
        let Some(delay) = self.inner.faults.delay_of(kinds) else {
            finish();
            return;
        };
        let cancel = self.inner.cancel.clone();
        self.inner.tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(delay) => finish(),
            }
        });
    }
}

/// Handles one stanza of a client.
pub(crate) fn dispatch(inner: &Arc<Inner>, connection: &Arc<Connection>, stanza: &OwnedNodeRef) {
    let context = Context { inner, connection };
    let node = stanza.get();
    if inner.options.journal > 0
        && let Some(login) = context.login()
    {
        record(login, Direction::In, node);
    }
    match &*node.tag {
        "iq" => iq::handle(&context, node),
        "xmlstreamend" => connection.close(Close::Gentle),
        tag => match (tag, context.login()) {
            ("message", Some(login)) => message::handle(&context, login, node),
            ("receipt", Some(login)) => receipt::handle(&context, login, node),
            ("ack", Some(login)) => acknowledged(inner, login, node),
            // Of a client that is being linked, or has just been refused. Baileys shows its name before it has one.
            ("ack" | "ib" | "presence", None) => {}
            ("presence", Some(login)) => presence::handle(&context, login, node),
            ("chatstate", Some(login)) => presence::chatstate(&context, login, node),
            ("ib", Some(login)) => info(login, node),
            _ => inner.unhandled(node),
        },
    }
}

/// `<ack>`: the device has dealt with a receipt or a notification.
fn acknowledged(inner: &Inner, login: &Login, node: &NodeRef<'_>) {
    let class = match text(node, "class").as_deref() {
        Some("receipt") => Class::Receipt,
        Some("notification") => Class::Notification,
        Some("message") => Class::Message,
        _ => return,
    };
    let Some(id) = text(node, "id") else { return };
    settle(inner, login, class, &id);
}

/// Takes a stanza off the device's queue.
pub(crate) fn settle(inner: &Inner, login: &Login, class: Class, id: &str) {
    let mut state = login.account.state.lock();
    let Some(device) = state.devices.get_mut(&login.device) else { return };
    if device.queue.settle(class, id) {
        device.pump();
        drop(state);
        inner.note(&login.account);
    }
}

/// `<ib>`: the client asks for a batch of its backlog, or tells something nobody needs.
fn info(login: &Login, node: &NodeRef<'_>) {
    let Some(batch) = node.get_optional_child("offline_batch") else { return };
    let count = text(batch, "count").and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut state = login.account.state.lock();
    if let Some(device) = state.devices.get_mut(&login.device) {
        device.queue.grant(count);
        device.pump();
    }
}

/// Writes a stanza to the journal of its account.
pub(crate) fn record(login: &Login, direction: Direction, node: &NodeRef<'_>) {
    login.account.journal.lock().add(JournalEntry {
        at: clock::unix_millis(),
        device: login.device,
        direction,
        stanza: DisplayableNodeRef(node).to_string(),
    });
}

/// An attribute as text.
pub(crate) fn text<'a>(node: &'a NodeRef<'_>, key: &str) -> Option<Cow<'a, str>> {
    node.get_attr(key).map(|value| value.as_str())
}

/// An attribute as an address.
pub(crate) fn jid(node: &NodeRef<'_>, key: &str) -> Option<Jid> {
    node.get_attr(key).and_then(ValueRef::to_jid)
}
