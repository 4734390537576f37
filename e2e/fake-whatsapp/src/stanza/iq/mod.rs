//! Requests (`<iq>`), by namespace.

mod appstate;
mod groups;
mod keys;
mod linking;
mod media;
mod profile;
mod usync;

pub(crate) use groups::announce_new as announce_new_group;

use super::{Context, jid, text};
use crate::inner::Inner;
use crate::pairing;
use crate::socket::connection::{Connection, Login};
use crate::stanza::devices;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef, SERVER_JID};

/// A request of the server to a client.
pub(crate) fn request(id: &str, kind: &'static str, xmlns: &'static str) -> NodeBuilder {
    NodeBuilder::new("iq").attr("from", SERVER_JID).attr("type", kind).attr("id", id).attr("xmlns", xmlns)
}

/// What a handler has to say.
pub(crate) enum Answer {
    /// `type="result"` with these children.
    Result(Vec<Node>),
    /// `type="error"`.
    Error(u16, &'static str),
    /// Nobody knows this request; answered with an empty result and counted.
    Unhandled,
}

impl Answer {
    pub(crate) fn empty() -> Self {
        Self::Result(Vec::new())
    }

    pub(crate) fn one(node: Node) -> Self {
        Self::Result(vec![node])
    }
}

/// Answers a request, or takes in the answer to one of ours.
pub(crate) fn handle(context: &Context<'_>, iq: &NodeRef<'_>) {
    if !matches!(text(iq, "type").as_deref(), Some("get" | "set")) {
        pairing::answered(context.inner, context.connection, iq);
        return;
    }
    let xmlns = text(iq, "xmlns").unwrap_or_default();
    let answer = match context.login() {
        Some(login) => of_device(context, login, &xmlns, iq),
        None => of_stranger(context, &xmlns, iq),
    };
    let mut reply = NodeBuilder::new("iq").attr("id", &*text(iq, "id").unwrap_or_default());
    reply = match iq.get_attr("to") {
        Some(to) => reply.attr("from", to.to_node_value()),
        None => reply.attr("from", SERVER_JID),
    };
    let reply = match answer {
        Answer::Result(children) if children.is_empty() => reply.attr("type", "result"),
        Answer::Result(children) => reply.attr("type", "result").children(children),
        Answer::Error(code, reason) => reply
            .attr("type", "error")
            .children([NodeBuilder::new("error").attr("code", code).attr("text", reason).build()]),
        Answer::Unhandled => {
            context.inner.unhandled(iq);
            reply.attr("type", "result")
        }
    };
    let follow_up = context.login().and_then(|_| follow_up(&xmlns, iq));
    context.answer_and(&["iq", &xmlns], reply.build(), follow_up);
}

fn of_stranger(context: &Context<'_>, xmlns: &str, iq: &NodeRef<'_>) -> Answer {
    match xmlns {
        "md" => linking::by_code(context, iq),
        "w:p" => Answer::empty(),
        _ => Answer::Unhandled,
    }
}

fn of_device(context: &Context<'_>, login: &Login, xmlns: &str, iq: &NodeRef<'_>) -> Answer {
    match xmlns {
        // Keepalive, the clean-up of dirty bits, and the switch between active and passive.
        "w:p" | "urn:xmpp:whatsapp:dirty" | "passive" => Answer::empty(),
        "encrypt" => keys::handle(context, login, iq),
        "usync" => usync::handle(context, iq),
        "w:sync:app:state" => appstate::handle(context, login, iq),
        "w:m" => media::handle(context, iq),
        "w:g2" => groups::handle(context, login, iq),
        "md" => linking::unlink(context, login, iq),
        "abt" => Answer::one(
            NodeBuilder::new("props")
                .attr("protocol", "1")
                .attr("ab_key", "test")
                .attr("hash", "test")
                .attr("refresh", 86_400)
                .attr("refresh_id", 1)
                .build(),
        ),
        "blocklist" => profile::blocklist(login, iq),
        "privacy" => profile::privacy(login, iq),
        "w:profile:picture" => profile::picture(context, login, iq),
        "status" => profile::about(login, iq),
        "w:mex" => Answer::Error(501, "feature-not-implemented"),
        _ => Answer::Unhandled,
    }
}

/// What follows an answer on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FollowUp {
    /// The client has gone active: what has come for it.
    Activate,
    /// The client has uploaded its first prekeys: the app-state keys and the history from its phone.
    ShareKeys,
}

fn follow_up(xmlns: &str, iq: &NodeRef<'_>) -> Option<FollowUp> {
    match xmlns {
        "passive" if iq.get_optional_child("active").is_some() => Some(FollowUp::Activate),
        "encrypt" if iq.get_optional_child("list").is_some() => Some(FollowUp::ShareKeys),
        _ => None,
    }
}

impl FollowUp {
    /// Carries it out, once the answer is on its way.
    pub(crate) fn run(self, inner: &Arc<Inner>, connection: &Connection) {
        let Some(login) = connection.login.get() else { return };
        match self {
            Self::Activate => {
                let mut state = login.account.state.lock();
                if let Some(device) = state.devices.get_mut(&login.device) {
                    device.activate();
                }
            }
            Self::ShareKeys => keys::after_upload(inner, login),
        }
        inner.note(&login.account);
    }
}
