//! Who is online, and who is typing. Neither is queued: who is not there misses it.

use super::{Context, jid, text};
use crate::account::{Account, Addressing};
use crate::inner::Inner;
use crate::socket::connection::Login;
use crate::{clock, groups};
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeRef};

/// `<presence>`: one's own, or a subscription to somebody's.
pub(crate) fn handle(context: &Context<'_>, login: &Login, node: &NodeRef<'_>) {
    let account = &login.account;
    if let Some(name) = text(node, "name").filter(|name| !name.is_empty()) {
        account.state.lock().profile.push_name = Some(name.into_owned());
    }
    match text(node, "type").as_deref() {
        Some("subscribe") => subscribe(context, login, node, true),
        Some("unsubscribe") => subscribe(context, login, node, false),
        None | Some("available") => set_online(context.inner, account, true),
        Some("unavailable") => set_online(context.inner, account, false),
        Some(_) => context.inner.unhandled(node),
    }
}

fn set_online(inner: &Arc<Inner>, account: &Arc<Account>, online: bool) {
    let changed = {
        let mut state = account.state.lock();
        let changed = state.online != online;
        state.online = online;
        if changed && !online {
            state.last_seen = clock::unix_seconds();
        }
        changed
    };
    if changed {
        announce(inner, account);
    }
    inner.note(account);
}

fn subscribe(context: &Context<'_>, login: &Login, node: &NodeRef<'_>, wanted: bool) {
    let Some(to) = jid(node, "to") else { return };
    let Some(target) = context.inner.directory.by_jid(&to) else { return };
    {
        let mut state = target.state.lock();
        if wanted {
            state.subscribers.insert(login.account.number.clone());
        } else {
            state.subscribers.remove(&login.account.number);
        }
    }
    if wanted {
        context.connection.send(&presence_of(&target, Addressing::of(to.server())));
    }
}

/// Tells whoever wants to know that an account has come or gone.
pub(crate) fn announce(inner: &Arc<Inner>, account: &Arc<Account>) {
    let subscribers: Vec<String> = account.state.lock().subscribers.iter().cloned().collect();
    for subscriber in subscribers {
        if let Some(subscriber) = inner.directory.by_number(&subscriber) {
            send_to_connected(&subscriber, &presence_of(account, Addressing::Pn), None);
        }
    }
}

fn presence_of(account: &Account, addressing: Addressing) -> Node {
    let (online, last_seen) = {
        let state = account.state.lock();
        (state.online, state.last_seen)
    };
    let presence = NodeBuilder::new("presence").attr("from", account.jid(addressing));
    if online {
        presence.attr("type", "available").build()
    } else {
        presence.attr("type", "unavailable").attr("last", last_seen).build()
    }
}

/// `<chatstate>`: typing, recording, or no longer.
pub(crate) fn chatstate(context: &Context<'_>, login: &Login, node: &NodeRef<'_>) {
    let Some(to) = jid(node, "to") else { return };
    let children: Vec<Node> = node.children().unwrap_or_default().iter().map(NodeRef::to_owned).collect();
    typing(context.inner, &login.account, &to, children);
}

/// Passes a chat state on.
pub(crate) fn typing(inner: &Arc<Inner>, sender: &Arc<Account>, to: &Jid, children: Vec<Node>) {
    let state = NodeBuilder::new("chatstate").children(children);
    if to.is_group() {
        let state = state.attr("from", to).attr("participant", sender.jid(Addressing::Lid)).build();
        for member in inner
            .groups
            .get(&to.user)
            .map(|group| groups::Group::member_accounts(&group, inner))
            .unwrap_or_default()
        {
            if member.number != sender.number {
                send_to_connected(&member, &state, None);
            }
        }
    } else if let Some(peer) = inner.directory.by_jid(to) {
        let state = state.attr("from", sender.jid(Addressing::of(to.server()))).build();
        send_to_connected(&peer, &state, None);
    }
}

/// Writes a stanza to every connected device of an account, but not to one.
pub(crate) fn send_to_connected(account: &Account, stanza: &Node, but: Option<u16>) {
    let state = account.state.lock();
    if state.held {
        return;
    }
    for (id, device) in &state.devices {
        if let Some(connection) =
            device.connection.as_ref().filter(|_| device.is_connected() && Some(*id) != but)
        {
            connection.send(stanza);
        }
    }
}
