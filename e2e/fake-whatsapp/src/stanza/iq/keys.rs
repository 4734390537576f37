//! `xmlns="encrypt"`: prekeys uploaded, counted, checked, and fetched by others.

use super::{Answer, Context, Login, jid};
use crate::account::keys::signed_key;
use crate::inner::Inner;
use crate::phone;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeRef};

pub(super) fn handle(context: &Context<'_>, login: &Login, iq: &NodeRef<'_>) -> Answer {
    if let Some(users) = iq.get_optional_child("key") {
        let bundles = users.get_children_by_tag("user").filter_map(|user| jid(user, "jid"));
        let bundles: Vec<Node> = bundles.map(|jid| bundle(context, &jid)).collect();
        return Answer::one(NodeBuilder::new("list").children(bundles).build());
    }
    let mut state = login.account.state.lock();
    let Some(device) = state.devices.get_mut(&login.device) else {
        return Answer::Error(404, "item-not-found");
    };
    if iq.get_optional_child("count").is_some() {
        Answer::one(NodeBuilder::new("count").attr("value", device.keys.one_time.len()).build())
    } else if iq.get_optional_child("digest").is_some() {
        Answer::one(device.keys.digest())
    } else if let Some(rotate) = iq.get_optional_child("rotate") {
        if let Some(signed) = rotate.get_optional_child("skey").and_then(signed_key) {
            device.keys.signed = signed;
        }
        Answer::empty()
    } else if iq.get_optional_child("list").is_some() {
        device.keys.upload(iq);
        Answer::empty()
    } else {
        Answer::Unhandled
    }
}

/// Right after a new companion's first upload its phone hands it the app-state keys, and its history.
pub(super) fn after_upload(inner: &Arc<Inner>, login: &Login) {
    let fresh = {
        let mut state = login.account.state.lock();
        state
            .devices
            .get_mut(&login.device)
            .is_some_and(|device| !std::mem::replace(&mut device.has_sync_key, true))
    };
    if fresh {
        phone::receive::share_keys(inner, &login.account, login.device);
        phone::receive::send_history(inner, &login.account, login.device);
    }
}

fn bundle(context: &Context<'_>, jid: &Jid) -> Node {
    let user = NodeBuilder::new("user").attr("jid", jid);
    let children = context.inner.directory.by_jid(jid).and_then(|account| {
        let mut state = account.state.lock();
        let device = state.devices.get_mut(&jid.device())?;
        let mut children = device.keys.take_bundle();
        if !device.signed_identity.is_empty() {
            children.push(NodeBuilder::new("device-identity").bytes(device.signed_identity.clone()).build());
        }
        Some(children)
    });
    match children {
        Some(children) => user.children(children).build(),
        None => user
            .children([NodeBuilder::new("error").attr("code", 406).attr("text", "not-acceptable").build()])
            .build(),
    }
}
