//! `xmlns="w:g2"`: groups made, looked up, changed, left.

use super::{Answer, Context, Login, jid, text};
use crate::account::{Account, Addressing};
use crate::clock;
use crate::groups::{Group, Role, new_invite, participant};
use crate::inner::Inner;
use crate::login::server_notification;
use crate::offline::Class;
use crate::stanza::message::hand_over;
use std::collections::BTreeMap;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

/// Settings of which the tag in the first place is taken back by the one in the second.
const TOGGLES: [(&str, &str); 4] = [
    ("locked", "unlocked"),
    ("announcement", "not_announcement"),
    ("ephemeral", "not_ephemeral"),
    ("no_frequently_forwarded", "frequently_forwarded_ok"),
];
/// Settings that simply replace their predecessor.
const SETTINGS: [&str; 4] =
    ["membership_approval_mode", "member_add_mode", "member_link_mode", "member_share_group_history_mode"];

pub(super) fn handle(context: &Context<'_>, login: &Login, iq: &NodeRef<'_>) -> Answer {
    let Some(request) = iq.children().and_then(<[NodeRef<'_>]>::first) else { return Answer::Unhandled };
    let id = jid(iq, "to").map(|to| to.user.to_string()).unwrap_or_default();
    let set = text(iq, "type").as_deref() == Some("set");
    if id.is_empty() {
        return without_group(context, login, request, set);
    }
    let Some(group) = context.inner.groups.get(&id) else { return Answer::Error(404, "item-not-found") };
    let joins = &*request.tag == "accept";
    if !group.has(&login.account.number) && !joins {
        return Answer::Error(403, "forbidden");
    }
    of_group(context, login, &group, request, set)
}

fn without_group(context: &Context<'_>, login: &Login, request: &NodeRef<'_>, set: bool) -> Answer {
    let inner = context.inner;
    match (&*request.tag, set) {
        ("create", true) => create(context, login, request),
        ("participating", false) => {
            let groups = inner.groups.of(&login.account.number);
            let groups = groups.iter().map(|group| group.describe(inner));
            Answer::one(NodeBuilder::new("groups").children(groups).build())
        }
        ("query", false) => {
            let asked = request.get_children_by_tag("group").filter_map(|group| jid(group, "jid"));
            let groups = asked.map(|jid| match inner.groups.get(&jid.user) {
                Some(group) => group.describe(inner),
                None => NodeBuilder::new("group").attr("id", jid.user.as_str()).attr("error", 404).build(),
            });
            Answer::one(NodeBuilder::new("groups").children(groups).build())
        }
        ("leave", true) => leave(inner, login, request),
        ("invite", _) => {
            let group = text(request, "code").and_then(|code| inner.groups.by_invite(&code));
            match group {
                None => Answer::Error(404, "item-not-found"),
                Some(group) if set => join(inner, login, &group),
                Some(group) => Answer::one(group.describe(inner)),
            }
        }
        _ => Answer::Unhandled,
    }
}

fn of_group(
    context: &Context<'_>,
    login: &Login,
    group: &Arc<Group>,
    request: &NodeRef<'_>,
    set: bool,
) -> Answer {
    let inner = context.inner;
    match &*request.tag {
        "query" => Answer::one(group.describe(inner)),
        "add" | "remove" | "promote" | "demote" => change_members(context, login, group, request),
        "subject" => {
            let subject = request.content_as_string().unwrap_or_default().to_string();
            rename(inner, &login.account, Some(login.device), group, &subject);
            Answer::empty()
        }
        "description" => {
            describe(inner, login, group, request);
            Answer::empty()
        }
        "invite" => {
            let mut state = group.state.lock();
            if set {
                state.invite = new_invite();
            }
            Answer::one(NodeBuilder::new("invite").attr("code", state.invite.as_str()).build())
        }
        "accept" => join(inner, login, group),
        "membership_approval_requests" => {
            Answer::one(NodeBuilder::new("membership_approval_requests").build())
        }
        tag => change_setting(inner, login, group, request, tag),
    }
}

fn create(context: &Context<'_>, login: &Login, request: &NodeRef<'_>) -> Answer {
    let inner = context.inner;
    let members = request.get_children_by_tag("participant").filter_map(|participant| {
        let by_number = jid(participant, "phone_number").and_then(|jid| inner.look_up(&jid));
        by_number.or_else(|| inner.look_up(&jid(participant, "jid")?)).map(|account| account.number.clone())
    });
    let settings: BTreeMap<String, Node> = request
        .children()
        .unwrap_or_default()
        .iter()
        .filter(|child| is_setting(&child.tag) && text(child, "expiration").as_deref() != Some("0"))
        .map(|child| (child.tag.to_string(), child.to_owned()))
        .collect();
    let subject = text(request, "subject").unwrap_or_default();
    let group = inner.groups.create(&login.account.number, &subject, members, settings);
    announce_new(inner, &login.account, Some(login.device), &group);
    Answer::one(group.describe(inner))
}

/// Tells the members of a new group that it exists.
pub(crate) fn announce_new(
    inner: &Arc<Inner>,
    actor: &Arc<Account>,
    device: Option<u16>,
    group: &Arc<Group>,
) {
    let created = NodeBuilder::new("create")
        .attr("type", "new")
        .attr("key", inner.next_id())
        .children([group.describe(inner)])
        .build();
    notify(inner, actor, device, group, &group.member_accounts(inner), created);
}

fn leave(inner: &Arc<Inner>, login: &Login, request: &NodeRef<'_>) -> Answer {
    let mut left = Vec::new();
    for asked in request.get_children_by_tag("group") {
        let Some(id) = jid(asked, "id").or_else(|| text(asked, "id")?.parse().ok()) else { continue };
        let user = if id.user.is_empty() { id.to_string() } else { id.user.to_string() };
        if let Some(group) = inner.groups.get(&user) {
            let members = group.member_accounts(inner);
            group.state.lock().members.remove(&login.account.number);
            rotate_sender_keys(inner, &group);
            let removed =
                NodeBuilder::new("remove").children([participant(&login.account, Role::Member)]).build();
            notify(inner, &login.account, Some(login.device), &group, &members, removed);
            left.push(NodeBuilder::new("group").attr("id", group.jid()).build());
        }
    }
    Answer::one(NodeBuilder::new("leave").children(left).build())
}

fn join(inner: &Arc<Inner>, login: &Login, group: &Arc<Group>) -> Answer {
    group.state.lock().members.entry(login.account.number.clone()).or_insert(Role::Member);
    let added = NodeBuilder::new("add")
        .attr("reason", "invite")
        .children([participant(&login.account, Role::Member)])
        .build();
    notify(inner, &login.account, Some(login.device), group, &group.member_accounts(inner), added);
    Answer::one(NodeBuilder::new("group").attr("jid", group.jid()).build())
}

fn change_members(context: &Context<'_>, login: &Login, group: &Arc<Group>, request: &NodeRef<'_>) -> Answer {
    let inner = context.inner;
    // Whoever is removed hears of it as well.
    let mut audience = group.member_accounts(inner);
    let (mut results, mut changed) = (Vec::new(), Vec::new());
    for asked in request.get_children_by_tag("participant") {
        let Some(who) = jid(asked, "jid") else { continue };
        let Some(account) = inner.look_up(&who) else {
            results.push(NodeBuilder::new("participant").attr("jid", who).attr("error", 404).build());
            continue;
        };
        let done = change_member(group, &account.number, &request.tag);
        let mut result = participant(&account, Role::Member);
        if done {
            changed.push(participant(&account, Role::Member));
            result.attrs.insert("type", "200");
            if !audience.iter().any(|member| member.number == account.number) {
                audience.push(account);
            }
        } else {
            result.attrs.insert("error", if &*request.tag == "add" { "409" } else { "404" });
        }
        results.push(result);
    }
    if !changed.is_empty() {
        if &*request.tag == "remove" {
            rotate_sender_keys(inner, group);
        }
        let change = NodeBuilder::new_dynamic(request.tag.to_string()).children(changed).build();
        notify(inner, &login.account, Some(login.device), group, &audience, change);
    }
    Answer::one(NodeBuilder::new_dynamic(request.tag.to_string()).children(results).build())
}

/// Whoever is gone must not read what the phones of the others write from now on.
fn rotate_sender_keys(inner: &Inner, group: &Group) {
    let jid = group.jid().to_string();
    for member in group.member_accounts(inner) {
        member.phone.lock().rotate_sender_key(&jid);
    }
}

/// Carries out one change; false when there was nothing to change.
fn change_member(group: &Group, number: &str, action: &str) -> bool {
    let mut state = group.state.lock();
    match action {
        "add" if state.members.contains_key(number) => false,
        "add" => state.members.insert(number.to_owned(), Role::Member).is_none(),
        "remove" => state.members.remove(number).is_some(),
        "promote" => set_role(&mut state.members, number, Role::Admin),
        _ => set_role(&mut state.members, number, Role::Member),
    }
}

fn set_role(members: &mut BTreeMap<String, Role>, number: &str, role: Role) -> bool {
    members.get_mut(number).map(|current| *current = role).is_some()
}

fn rename(inner: &Arc<Inner>, actor: &Arc<Account>, device: Option<u16>, group: &Arc<Group>, subject: &str) {
    let now = clock::unix_seconds();
    {
        let mut state = group.state.lock();
        subject.clone_into(&mut state.subject);
        state.subject_changed = now;
        state.subject_owner.clone_from(&actor.number);
    }
    let change = NodeBuilder::new("subject")
        .attr("subject", subject)
        .attr("s_t", now)
        .attr("s_o", actor.jid(Addressing::Lid))
        .build();
    notify(inner, actor, device, group, &group.member_accounts(inner), change);
}

fn describe(inner: &Arc<Inner>, login: &Login, group: &Arc<Group>, request: &NodeRef<'_>) {
    let id = text(request, "id").unwrap_or_default().into_owned();
    let body = request.get_optional_child("body").and_then(NodeRef::content_as_string);
    group.state.lock().description = body.map(|body| (id, body.to_string()));
    let members = group.member_accounts(inner);
    notify(inner, &login.account, Some(login.device), group, &members, request.to_owned());
}

fn is_setting(tag: &str) -> bool {
    SETTINGS.contains(&tag) || TOGGLES.iter().any(|(on, _)| *on == tag)
}

fn change_setting(
    inner: &Arc<Inner>,
    login: &Login,
    group: &Arc<Group>,
    request: &NodeRef<'_>,
    tag: &str,
) -> Answer {
    if is_setting(tag) {
        group.state.lock().settings.insert(tag.to_owned(), request.to_owned());
    } else if let Some((on, _)) = TOGGLES.iter().find(|(_, off)| *off == tag) {
        group.state.lock().settings.remove(*on);
    } else {
        return Answer::Unhandled;
    }
    let members = group.member_accounts(inner);
    notify(inner, &login.account, Some(login.device), group, &members, request.to_owned());
    Answer::empty()
}

/// Tells every device of the audience what has changed, but not the device that changed it.
fn notify(
    inner: &Arc<Inner>,
    actor: &Arc<Account>,
    device: Option<u16>,
    group: &Group,
    audience: &[Arc<Account>],
    change: Node,
) {
    let id = inner.next_id();
    let notification = server_notification("w:gp2", &id)
        .attr("from", group.jid())
        .attr("participant", actor.jid(Addressing::Lid))
        .attr("participant_pn", actor.jid(Addressing::Pn))
        .attr("addressing_mode", "lid")
        .children([change])
        .build();
    for member in audience {
        let own = member.number == actor.number;
        for target in member.device_ids() {
            if target != 0 && !(own && Some(target) == device) {
                hand_over(inner, member, target, Class::Notification, &id, notification.clone());
            }
        }
    }
}
