//! What an account shows of itself, and its settings: picture, about text, privacy, blocked contacts.

use super::{Answer, Context, Login, jid, text};
use crate::account::profile::{PRIVACY_CATEGORIES, Picture};
use crate::clock;
use crate::login::server_notification;
use crate::offline::Class;
use crate::stanza::message::hand_over;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, NodeRef};

/// `xmlns="blocklist"`.
pub(super) fn blocklist(login: &Login, iq: &NodeRef<'_>) -> Answer {
    let mut state = login.account.state.lock();
    let blocked = &mut state.profile.blocked;
    if let Some(item) = iq.get_optional_child("item")
        && let Some(who) = text(item, "jid")
    {
        if text(item, "action").as_deref() == Some("unblock") {
            blocked.remove(&*who);
        } else {
            blocked.insert(who.into_owned());
        }
    }
    let items = blocked.iter().map(|who| NodeBuilder::new("item").attr("jid", who.as_str()).build());
    Answer::one(NodeBuilder::new("list").children(items).build())
}

/// `xmlns="privacy"`: settings, and tokens for trusted contacts.
pub(super) fn privacy(login: &Login, iq: &NodeRef<'_>) -> Answer {
    if iq.get_optional_child("tokens").is_some() {
        return Answer::empty();
    }
    let mut state = login.account.state.lock();
    let asked = iq.get_optional_child("privacy").and_then(|privacy| privacy.children()).unwrap_or_default();
    for category in asked {
        if let (Some(name), Some(value)) = (text(category, "name"), text(category, "value")) {
            state.profile.privacy.insert(name.into_owned(), value.into_owned());
        }
    }
    let categories = PRIVACY_CATEGORIES.map(|name| {
        NodeBuilder::new("category").attr("name", name).attr("value", state.profile.privacy(name)).build()
    });
    Answer::one(NodeBuilder::new("privacy").children(categories).build())
}

/// `xmlns="status"`: the about text.
pub(super) fn about(login: &Login, iq: &NodeRef<'_>) -> Answer {
    if let Some(about) = iq.get_optional_child("status").and_then(NodeRef::content_as_string) {
        login.account.state.lock().profile.about = Some((about.to_string(), clock::unix_seconds()));
    }
    Answer::empty()
}

/// `xmlns="w:profile:picture"`: fetched, set or taken away.
pub(super) fn picture(context: &Context<'_>, login: &Login, iq: &NodeRef<'_>) -> Answer {
    if text(iq, "type").as_deref() == Some("get") {
        return fetch_picture(context, login, iq);
    }
    let target = jid(iq, "target").filter(Jid::is_group);
    let id = clock::unix_seconds();
    let stored = iq
        .get_optional_child("picture")
        .and_then(|picture| picture.content_bytes())
        .filter(|bytes| !bytes.is_empty())
        .map(|bytes| Picture { id, path: context.inner.media.store_plain(bytes) });
    let known = stored.is_some();
    if let Some(group) = target.and_then(|group| context.inner.groups.get(&group.user)) {
        group.set_picture(stored);
    } else {
        login.account.state.lock().profile.picture = stored;
        announce(context, login, known, id);
    }
    if known { Answer::one(NodeBuilder::new("picture").attr("id", id).build()) } else { Answer::empty() }
}

fn fetch_picture(context: &Context<'_>, login: &Login, iq: &NodeRef<'_>) -> Answer {
    let asked = iq.get_optional_child("picture");
    let kind = asked.and_then(|asked| text(asked, "type")).unwrap_or_default().into_owned();
    let picture = match jid(iq, "target") {
        Some(group) if group.is_group() => {
            context.inner.groups.get(&group.user).and_then(|group| group.picture())
        }
        Some(user) => context
            .inner
            .directory
            .by_jid(&user)
            .and_then(|account| account.state.lock().profile.picture.clone()),
        None => login.account.state.lock().profile.picture.clone(),
    };
    match picture {
        Some(picture) => {
            let host = context.inner.media_host(context.connection.tls);
            Answer::one(
                NodeBuilder::new("picture")
                    .attr("id", picture.id)
                    .attr("type", kind)
                    .attr("url", format!("https://{host}{}", picture.path))
                    .attr("direct_path", picture.path)
                    .build(),
            )
        }
        None => Answer::one(
            NodeBuilder::new("picture")
                .children([NodeBuilder::new("error")
                    .attr("code", 404)
                    .attr("text", "item-not-found")
                    .build()])
                .build(),
        ),
    }
}

/// All devices of the account hear of a new picture, the acting one too.
fn announce(context: &Context<'_>, login: &Login, set: bool, picture: u64) {
    let account = &login.account;
    let user = account.jid(crate::account::Addressing::Pn);
    for device in account.device_ids().into_iter().filter(|device| *device != 0) {
        let id = context.inner.next_id();
        let change = NodeBuilder::new(if set { "set" } else { "delete" })
            .attr("jid", &user)
            .attr("id", picture)
            .attr("author", &user)
            .build();
        let notification = server_notification("picture", &id).attr("from", &user).children([change]).build();
        hand_over(context.inner, account, device, Class::Notification, &id, notification);
    }
}
