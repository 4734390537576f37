//! `xmlns="usync"`: what is known about users.

use super::{Answer, Context, devices, jid};
use crate::account::{Account, Addressing, digits};
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};

pub(super) fn handle(context: &Context<'_>, iq: &NodeRef<'_>) -> Answer {
    let Some(usync) = iq.get_optional_child("usync") else { return Answer::Unhandled };
    let asked = usync.get_optional_child("query").and_then(|query| query.children()).unwrap_or_default();
    let protocols: Vec<&str> = asked.iter().map(|protocol| &*protocol.tag).collect();
    let listed = usync.get_optional_child("list").and_then(|list| list.children()).unwrap_or_default();
    let users: Vec<Node> = listed.iter().filter_map(|user| answer_for(context, user, &protocols)).collect();
    let mut answer = NodeBuilder::new("usync");
    for key in ["sid", "mode", "context"] {
        if let Some(value) = usync.get_attr(key) {
            answer = answer.attr(key, value.to_node_value());
        }
    }
    let result = protocols.iter().map(|protocol| NodeBuilder::new_dynamic((*protocol).to_owned()).build());
    Answer::one(
        answer
            .attr("index", "0")
            .attr("last", "true")
            .children([
                NodeBuilder::new("result").children(result).build(),
                NodeBuilder::new("list").children(users).build(),
            ])
            .build(),
    )
}

/// Who is asked for: by address, or by number.
struct Asked {
    jid: Jid,
    number: Option<String>,
}

fn asked_for(user: &NodeRef<'_>) -> Option<Asked> {
    let contact = user.get_optional_child("contact").and_then(NodeRef::content_as_string);
    if let Some(number) = contact.map(|number| number.to_string()).filter(|number| !digits(number).is_empty())
    {
        return Some(Asked { jid: Jid::pn(digits(&number)), number: Some(number) });
    }
    Some(Asked { jid: jid(user, "jid")?, number: None })
}

fn answer_for(context: &Context<'_>, user: &NodeRef<'_>, protocols: &[&str]) -> Option<Node> {
    let asked = asked_for(user)?;
    let account = context.inner.look_up(&asked.jid);
    let contact = protocols.contains(&"contact");
    if account.is_none() && !contact {
        return None;
    }
    let mut children = Vec::new();
    if contact {
        let registered = if account.is_some() { "in" } else { "out" };
        let number = asked.number.clone().unwrap_or_else(|| format!("+{}", asked.jid.user));
        children.push(NodeBuilder::new("contact").attr("type", registered).string_content(number).build());
    }
    if let Some(account) = &account {
        children.extend(protocols.iter().filter_map(|protocol| about(account, protocol)));
    }
    Some(NodeBuilder::new("user").attr("jid", asked.jid.to_non_ad()).children(children).build())
}

fn about(account: &Arc<Account>, protocol: &str) -> Option<Node> {
    match protocol {
        "devices" => Some(devices::devices_node(account)),
        "lid" => Some(NodeBuilder::new("lid").attr("val", account.jid(Addressing::Lid)).build()),
        "status" => {
            let (about, changed) = account.state.lock().profile.about.clone().unwrap_or_default();
            Some(NodeBuilder::new("status").attr("t", changed).string_content(about).build())
        }
        "picture" => {
            let id = account.state.lock().profile.picture.as_ref().map(|picture| picture.id)?;
            Some(NodeBuilder::new("picture").attr("id", id).build())
        }
        "disappearing_mode" => {
            Some(NodeBuilder::new("disappearing_mode").attr("duration", 0).attr("t", 0).build())
        }
        "business" => Some(NodeBuilder::new("business").build()),
        _ => None,
    }
}
