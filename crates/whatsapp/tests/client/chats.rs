//! What goes on in chats besides texts, both ways.

use domain::{
    Degrees,
    detail::{Card, Detail},
    message::{PollSecret, Target},
};
use wacore::poll::{compute_option_hash, encrypt_poll_vote_with_secret};
use waproto::whatsapp::{
    self as wa,
    message::{self as part, protocol_message::Type},
};

use super::*;

fn target(message_id: &str, from_me: bool) -> Target {
    Target { message_id: message_id.to_owned(), from_me, participant: None }
}

impl Stage {
    /// Sends it, and returns it as the customer's phone got it.
    async fn arrives(&self, client: &Client, content: Content) -> wa::Message {
        let message = self.content(content);
        client.send(&message).await.unwrap();
        let what = format!("{} on the customer's phone", message.content.kind());
        *self.got(&what, &message.wa_id).await
    }

    /// The message with that id, as the customer's phone got it.
    async fn got(&self, what: &str, wa_id: &str) -> Box<wa::Message> {
        let customer = self.customer();
        let found =
            customer.wait(what, SOON, |customer| customer.received().into_iter().find(|got| got.id == wa_id));
        found.await.unwrap().message
    }

    /// What the customer's phone sends, as the inbox gets it.
    async fn comes_in(&self, message: &wa::Message) -> InboundMessage {
        let id = self.customer().send(SHOP, message, None).unwrap();
        let find = || {
            let messages = self.inbox.messages.lock().unwrap();
            messages.iter().find(|message| message.message_id == id).cloned()
        };
        wait_for(SOON, async || find().is_some()).await;
        find().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_arrives_as_what_it_is() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let (latitude, longitude) = (Degrees::new(-6.1754).unwrap(), Degrees::new(106.8272).unwrap());
    let place = Content::Location { latitude, longitude, name: Some("Monas".into()), address: None };
    let place = stage.arrives(&client, place).await;
    let place = place.location_message.as_option().unwrap();
    assert_eq!((place.degrees_latitude, place.name.as_deref()), (Some(-6.1754), Some("Monas")));

    let card = domain::vcard::vcard("Budi", "628110000002", None);
    let contact = stage.arrives(&client, Content::Contact { name: "Budi".into(), vcard: card.clone() }).await;
    assert_eq!(contact.contact_message.as_option().unwrap().vcard, Some(card));

    let text = stage.message("helo");
    client.send(&text).await.unwrap();
    let to = || target(&text.wa_id, true);
    let reaction = stage.arrives(&client, Content::Reaction { to: to(), emoji: "👍".into() }).await;
    let reaction = reaction.reaction_message.as_option().unwrap();
    assert_eq!(reaction.text.as_deref(), Some("👍"));
    assert_eq!(reaction.key.as_option().unwrap().id.as_ref(), Some(&text.wa_id));

    let edit = stage.arrives(&client, Content::Edit { of: to(), text: "hello".into() }).await;
    let edit = edit.protocol_message.as_option().unwrap();
    assert_eq!(edit.edited_message.as_option().unwrap().conversation.as_deref(), Some("hello"));
    let deletion = stage.arrives(&client, Content::Delete { of: to() }).await;
    let deletion = deletion.protocol_message.as_option().unwrap();
    assert_eq!(deletion.r#type, Some(Type::REVOKE));
    assert_eq!(deletion.key.as_option().unwrap().id.as_ref(), Some(&text.wa_id));

    let question = stage.customer().say(SHOP, "who?").unwrap();
    stage.inbox.wait("who?").await;
    let to = target(&question, false);
    let reaction = stage.arrives(&client, Content::Reaction { to, emoji: String::new() }).await;
    let reaction = reaction.reaction_message.as_option().unwrap();
    assert_eq!(reaction.key.as_option().unwrap().from_me, Some(false));
    client.disconnect().await;
    assert_eq!(stage.server.unhandled(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_in_a_group_names_its_author() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let group = stage.server.create_group(CUSTOMER, "Team", &[SHOP]).unwrap();
    let text = Message { chat: group.clone(), ..stage.message("helo") };
    client.send(&text).await.unwrap();
    stage.customer().wait_text("helo", SOON).await.unwrap();
    let edit = Content::Edit { of: target(&text.wa_id, true), text: "hello".into() };
    let edit = Message { chat: group, ..stage.content(edit) };
    client.send(&edit).await.unwrap();
    let got = stage.got("the edit", &edit.wa_id).await;
    let author = got.protocol_message.as_option().unwrap().key.as_option().unwrap();
    let own = [stage.shop().jid(), stage.shop().lid()];
    assert!(author.participant.as_ref().is_some_and(|author| own.contains(author)), "{author:?}");
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_in_a_poll_is_read() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let options = vec!["now".to_owned(), "later".to_owned()];
    let secret = PollSecret([9; 32]);
    let poll = Content::Poll { name: "When?".into(), options: options.clone(), selectable: 1, secret };
    let poll = stage.content(poll);
    client.send(&poll).await.unwrap();
    let known = KnownPoll { options, authors: Vec::new(), secret: Some(vec![9; 32]) };
    stage.inbox.polls.lock().unwrap().push((poll.wa_id.clone(), known));
    let arrived = stage.got("the poll", &poll.wa_id).await;
    let secret = arrived.message_context_info.as_option().unwrap().message_secret.clone().unwrap();

    let vote = |poll: &str, author: &str| {
        let chosen = [compute_option_hash("later").to_vec()];
        let (payload, iv) =
            encrypt_poll_vote_with_secret(&chosen, &secret, poll, author, &stage.customer().jid()).unwrap();
        let key = wa::MessageKey { id: Some(poll.to_owned()), ..Default::default() };
        let vote = part::PollEncValue { enc_payload: Some(payload), enc_iv: Some(iv.to_vec()) };
        let update = part::PollUpdateMessage {
            poll_creation_message_key: Some(key).into(),
            vote: Some(vote).into(),
            ..Default::default()
        };
        wa::Message { poll_update_message: Some(update).into(), ..Default::default() }
    };
    let told = stage.comes_in(&vote(&poll.wa_id, &stage.shop().jid())).await;
    let chosen = |id: &str, options: Option<Vec<String>>| {
        Some(Detail::PollVote { message_id: id.to_owned(), options })
    };
    assert_eq!(told.kind, "poll_vote");
    assert_eq!(told.detail, chosen(&poll.wa_id, Some(vec!["later".to_owned()])));
    let unknown = stage.comes_in(&vote("3EB0FF", &stage.shop().jid())).await;
    assert_eq!(unknown.detail, chosen("3EB0FF", None));

    // The customer's own poll: its secret came with it.
    let option = |name: &str| part::poll_creation_message::Option {
        option_name: Some(name.to_owned()),
        ..Default::default()
    };
    let context = wa::MessageContextInfo { message_secret: Some(secret.clone()), ..Default::default() };
    let theirs = wa::Message {
        poll_creation_message_v3: Some(part::PollCreationMessage {
            name: Some("Where?".into()),
            options: vec![option("here"), option("later")],
            selectable_options_count: Some(1),
            ..Default::default()
        })
        .into(),
        message_context_info: Some(context).into(),
        ..Default::default()
    };
    let theirs = stage.comes_in(&theirs).await;
    let authors = [Some(theirs.sender.clone()), theirs.sender_alt.clone()].into_iter().flatten().collect();
    let known = KnownPoll { options: vec!["here".into(), "later".into()], authors, secret: None };
    stage.inbox.polls.lock().unwrap().push((theirs.message_id.clone(), known));
    let told = stage.comes_in(&vote(&theirs.message_id, &stage.customer().jid())).await;
    assert_eq!(told.detail, chosen(&theirs.message_id, Some(vec!["later".to_owned()])));
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_is_told_with_its_details() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let key =
        |id: &str| wa::MessageKey { id: Some(id.to_owned()), from_me: Some(true), ..Default::default() };
    let reaction =
        part::ReactionMessage {
            key: Some(key("AA")).into(), text: Some("🎉".into()), ..Default::default()
        };
    let reaction = wa::Message { reaction_message: Some(reaction).into(), ..Default::default() };
    let told = stage.comes_in(&reaction).await;
    assert_eq!(told.detail, Some(Detail::Reaction { message_id: "AA".into(), emoji: "🎉".into() }));

    let card = part::ContactMessage { display_name: Some("Ani".into()), ..Default::default() };
    let told =
        stage.comes_in(&wa::Message { contact_message: Some(card).into(), ..Default::default() }).await;
    assert_eq!(told.text.as_deref(), Some("Ani"));
    assert_eq!(told.detail, Some(Detail::Contact(Card { name: Some("Ani".into()), vcard: None })));

    let protocol = |kind, edited: Option<wa::Message>| wa::Message {
        protocol_message: Some(part::ProtocolMessage {
            key: Some(key("AA")).into(),
            r#type: Some(kind),
            edited_message: edited.into(),
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    let better = wa::Message { conversation: Some("better".into()), ..Default::default() };
    let told = stage.comes_in(&protocol(Type::MESSAGE_EDIT, Some(better))).await;
    assert_eq!((told.kind.as_str(), told.text.as_deref()), ("edit", Some("better")));
    assert_eq!(told.detail, Some(Detail::Edited { message_id: Some("AA".into()) }));
    let told = stage.comes_in(&protocol(Type::REVOKE, None)).await;
    assert_eq!((told.kind.as_str(), told.text), ("delete", None));
    assert_eq!(told.detail, Some(Detail::Deleted { message_id: "AA".into() }));
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_go_both_ways() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.linked().await;
    let question = stage.customer().say(SHOP, "read me").unwrap();
    let received = stage.inbox.wait("read me").await;
    client.mark_read(&received.chat, None, std::slice::from_ref(&question)).await.unwrap();
    stage.customer().wait_receipt(&question, "read", SOON).await.unwrap();

    let answer = stage.message("now you");
    client.send(&answer).await.unwrap();
    stage.customer().wait_text("now you", SOON).await.unwrap();
    stage.customer().read(&answer.wa_id).unwrap();
    let read = |event: &Happened| matches!(event, Happened::Receipt { kind: ReceiptKind::Read, .. });
    let Happened::Receipt { message_ids, .. } = next(&mut events, read).await else { unreachable!() };
    assert_eq!(message_ids, [answer.wa_id]);
    client.disconnect().await;
    let late = client.mark_read(&received.chat, None, &[question]).await;
    assert_eq!(late, Err(whatsapp::CheckError::NotConnected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_show_what_they_show() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let customer = stage.customer().jid();
    let profile = client.profile(&customer).await.unwrap().unwrap();
    assert_eq!((profile.picture_url, profile.status), (None, None));
    for nobody in ["628119999999@s.whatsapp.net", "not a jid@@", "123@newsletter"] {
        assert_eq!(client.profile(nobody).await, Ok(None), "{nobody}");
    }
    let group = stage.server.create_group(CUSTOMER, "Team", &[SHOP]).unwrap();
    assert_eq!(client.profile(&group).await, Ok(Some(whatsapp::Profile::default())));
    for typing in [Typing::Composing, Typing::Recording, Typing::Paused] {
        client.typing(&customer, typing).await;
    }
    wait_for(SOON, async || {
        let journal = stage.shop().journal();
        let states = journal.iter().filter(|entry| entry.stanza.contains("<chatstate"));
        states.filter(|entry| entry.direction == fake_whatsapp::Direction::In).count() >= 3
    })
    .await;
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_restart_after_a_scan_is_no_failure() {
    for _ in 0..5 {
        let stage = Stage::new().await;
        let (client, mut events) = stage.open(true).await.unwrap();
        client.start();
        let qr = next(&mut events, |event| matches!(event, Happened::Qr { .. })).await;
        let Happened::Qr { text, .. } = qr else { unreachable!() };
        stage.server.scan(Some(SHOP), &text).await.unwrap();
        let told = next(&mut events, |event| {
            matches!(
                event,
                Happened::Connected | Happened::ConnectFailed { .. } | Happened::Disconnected { .. }
            )
        });
        assert_eq!(told.await, Happened::Connected);
        client.disconnect().await;
    }
}
