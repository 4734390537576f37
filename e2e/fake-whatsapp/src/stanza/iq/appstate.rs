//! `xmlns="w:sync:app:state"`: collections read and patched.

use super::{Answer, Context, Login, text};
use crate::appstate::Append;
use crate::login::server_notification;
use crate::offline::Class;
use crate::stanza::message::hand_over;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

pub(super) fn handle(context: &Context<'_>, login: &Login, iq: &NodeRef<'_>) -> Answer {
    let Some(sync) = iq.get_optional_child("sync") else { return Answer::Unhandled };
    let mut changed = Vec::new();
    let collections: Vec<Node> = sync
        .get_children_by_tag("collection")
        .map(|collection| answer_for(login, collection, &mut changed))
        .collect();
    notify_others(context, login, &changed);
    Answer::one(NodeBuilder::new("sync").children(collections).build())
}

fn answer_for(login: &Login, asked: &NodeRef<'_>, changed: &mut Vec<(String, u64)>) -> Node {
    let name = text(asked, "name").unwrap_or_default().into_owned();
    let version = text(asked, "version").and_then(|version| version.parse().ok()).unwrap_or(0_u64);
    let collection = NodeBuilder::new("collection").attr("name", name.as_str());
    let mut state = login.account.app_state.lock();
    if let Some(patch) = asked.get_optional_child("patch").and_then(|patch| patch.content_bytes()) {
        return match state.append(&name, version, patch) {
            Append::Stored(version) => {
                changed.push((name.clone(), version));
                collection.attr("version", version).build()
            }
            Append::Conflict => collection
                .attr("version", state.head(&name))
                .attr("type", "error")
                .children([NodeBuilder::new("error").attr("code", 409).attr("text", "conflict").build()])
                .build(),
        };
    }
    let patches: Vec<Node> = state
        .since(&name, version)
        .iter()
        .map(|patch| NodeBuilder::new("patch").bytes(patch.clone()).build())
        .collect();
    let collection = collection.attr("version", state.head(&name));
    if patches.is_empty() {
        collection.build()
    } else {
        collection.children([NodeBuilder::new("patches").children(patches).build()]).build()
    }
}

fn notify_others(context: &Context<'_>, login: &Login, changed: &[(String, u64)]) {
    if changed.is_empty() {
        return;
    }
    for device in login.account.device_ids().into_iter().filter(|id| *id != 0 && *id != login.device) {
        let id = context.inner.next_id();
        let collections = changed.iter().map(|(name, version)| {
            NodeBuilder::new("collection").attr("name", name.as_str()).attr("version", *version).build()
        });
        let notification = server_notification("server_sync", &id).children(collections).build();
        hand_over(context.inner, &login.account, device, Class::Notification, &id, notification);
    }
}
