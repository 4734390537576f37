//! What sessions do besides sending texts, through a real process: linked by a code, stopped and started, and
//! everything that goes on in a chat, as the device at the other side sees it.

use std::time::Duration;

use contact::whatsapp_rust::{
    Jid,
    waproto::whatsapp::{self as wa, message::protocol_message::Type},
};
use e2e::{Contact, FakeWhatsApp, Gateway, PATIENCE, Storage, World, eventually};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

/// Sends something that WhatsApp takes; returns WhatsApp's id of it, and ours.
async fn sent(gateway: &Gateway, route: &str, fields: Value) -> (String, String) {
    let mut body = json!({"session": "shop", "to": THEIRS});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = gateway.post(&format!("/message/{route}"), body).await;
    assert_eq!(answer.status, 200, "{route}: {}", answer.text);
    let data = &answer.json["data"];
    (data["key"]["id"].as_str().unwrap().to_owned(), data["id"].as_str().unwrap().to_owned())
}

/// The next message, which must be the one with this id.
async fn arrives(contact: &Contact, id: &str) -> wa::Message {
    let received = contact.next_message(PATIENCE).await.unwrap();
    assert_eq!(received.id, id);
    (*received.message).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_links_as_well_as_a_scan() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    world.whatsapp.create_account(OURS).await;
    let answer = gateway.post("/session/shop/pair-code", json!({"phone": format!("+{OURS}")})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let code = answer.json["data"]["code"].as_str().unwrap();
    world.whatsapp.enter_code(OURS, code).await.unwrap();
    gateway.connected("shop").await;
    let session = gateway.get("/session/shop").await.json["data"].clone();
    assert_eq!((&session["number"], &session["credentials_present"]), (&json!(OURS), &json!(true)));
    let again = gateway.post("/session/shop/pair-code", json!({"phone": OURS})).await;
    assert_eq!((again.status, again.message()), (400, "Session already exist"), "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_session_starts_again_without_a_scan() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.account(OURS).unwrap();
    let stopped = gateway.post("/session/shop/stop", json!({})).await;
    assert_eq!(stopped.status, 200, "{}", stopped.text);
    let session = &stopped.json["data"];
    assert_eq!(
        (&session["state"], &session["credentials_present"], &session["wanted"]),
        (&json!("stopped"), &json!(true), &json!(false))
    );
    phone.wait_connected(0, PATIENCE).await.unwrap();
    // Nor does a new process bring it back by itself.
    gateway.restart().await;
    assert_eq!(gateway.status("shop").await["state"], "stopped");
    assert_eq!(phone.connected(), 0);

    let started = gateway.post("/session/start", json!({"session": "shop"})).await;
    assert_eq!(
        (started.status, &started.json["data"]["message"]),
        (200, &json!("Connected")),
        "{}",
        started.text
    );
    phone.wait_connected(1, PATIENCE).await.unwrap();
    let restarted = gateway.post("/session/shop/restart", json!({})).await;
    assert_eq!(restarted.status, 200, "{}", restarted.text);
    gateway.connected("shop").await;
    let history = gateway.get("/session/shop/events").await.json["data"]["events"].clone();
    let states: Vec<_> =
        history.as_array().unwrap().iter().map(|past| past["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "stopped").count(), 2, "{states:?}");
    assert_eq!(states.first(), Some(&"connected"), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_what_it_is_at_the_other_side() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;

    let place = json!({"latitude": -6.1754, "longitude": 106.8272, "name": "Monas"});
    let place = arrives(&contact, &sent(&gateway, "send-location", place).await.0).await;
    let place = place.location_message.as_option().unwrap();
    assert_eq!((place.degrees_latitude, place.name.as_deref()), (Some(-6.1754), Some("Monas")));

    let card = json!({"name": "Ani", "phone": "+62 811-0000-003"});
    let card = arrives(&contact, &sent(&gateway, "send-contact", card).await.0).await;
    let card = card.contact_message.as_option().unwrap();
    assert_eq!(card.display_name.as_deref(), Some("Ani"));
    assert!(card.vcard.as_ref().is_some_and(|card| card.contains("waid=628110000003")), "{card:?}");

    let text = json!({"text": "helo @628110000001", "mentions": [OURS]});
    let (id, _) = sent(&gateway, "send-text", text).await;
    let text = arrives(&contact, &id).await;
    let context = text.extended_text_message.as_option().unwrap().context_info.as_option().unwrap();
    assert_eq!(context.mentioned_jid, [format!("{OURS}@s.whatsapp.net")]);

    let reaction = json!({"message_id": id, "emoji": "👍"});
    let reaction = arrives(&contact, &sent(&gateway, "send-reaction", reaction).await.0).await;
    let reaction = reaction.reaction_message.as_option().unwrap();
    assert_eq!(reaction.text.as_deref(), Some("👍"));
    assert_eq!(reaction.key.as_option().unwrap().id.as_ref(), Some(&id));

    let edit = json!({"message_id": id, "text": "hello"});
    let edit = arrives(&contact, &sent(&gateway, "edit", edit).await.0).await;
    let edit = edit.protocol_message.as_option().unwrap();
    assert_eq!(edit.edited_message.as_option().unwrap().conversation.as_deref(), Some("hello"));
    assert_eq!(edit.key.as_option().unwrap().id.as_ref(), Some(&id));

    let deletion = arrives(&contact, &sent(&gateway, "delete", json!({"message_id": id})).await.0).await;
    let deletion = deletion.protocol_message.as_option().unwrap();
    assert_eq!(
        (deletion.r#type, deletion.key.as_option().unwrap().id.as_ref()),
        (Some(Type::REVOKE), Some(&id))
    );
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_vote_comes_with_what_was_chosen(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let poll = json!({"name": "When?", "options": ["Today", "Tomorrow", "Never"], "selectable": 2});
    let (id, _) = sent(&gateway, "send-poll", poll).await;
    let poll = arrives(&contact, &id).await;
    let secret = poll.message_context_info.as_option().unwrap().message_secret.clone().unwrap();
    let asked = poll.poll_creation_message.as_option().unwrap();
    assert_eq!((asked.name.as_deref(), asked.options.len()), (Some("When?"), 3));

    let ours = Jid::pn(OURS);
    let votes = [vec!["Tomorrow".to_owned(), "Never".to_owned()], Vec::new()];
    for (nth, chosen) in votes.iter().enumerate() {
        let client = contact.client().unwrap();
        client.polls().vote(ours.clone(), &id, &ours, &secret, chosen).await.unwrap();
        let told = eventually("the vote", PATIENCE, async || {
            let messages = world.webhooks.messages();
            messages.into_iter().filter(|webhook| webhook.text("type") == "poll_vote").nth(nth)
        });
        let told = told.await;
        assert_eq!(told.body["pollVote"], json!({"messageId": id, "options": chosen}), "{}", told.body);
        assert_eq!(told.body["message"], json!(null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_edits_and_deletions_come_in() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let (id, _) = sent(&gateway, "send-text", json!({"text": "halo"})).await;
    arrives(&contact, &id).await;
    let client = contact.client().unwrap();
    let key = wa::MessageKey {
        remote_jid: Some(format!("{OURS}@s.whatsapp.net")),
        from_me: Some(false),
        id: Some(id.clone()),
        ..Default::default()
    };
    client.send_reaction(Jid::pn(OURS), key, "🎉").await.unwrap();
    let own = contact.send_text(OURS, "helo").await.unwrap();
    let better = wa::Message { conversation: Some("hello".to_owned()), ..Default::default() };
    client.edit_message(Jid::pn(OURS), own.clone(), better).await.unwrap();
    client
        .revoke_message(Jid::pn(OURS), own.clone(), contact::whatsapp_rust::RevokeType::Sender)
        .await
        .unwrap();
    let told = eventually("four messages", PATIENCE, async || {
        let messages = world.webhooks.messages();
        (messages.len() >= 4).then_some(messages)
    });
    let told: Vec<_> = told.await.into_iter().map(|webhook| webhook.body).collect();
    let kinds: Vec<_> = told.iter().map(|body| (&body["type"], &body["message"])).collect();
    let text = |kind: &str, message: Value| (json!(kind), message);
    let expected = [
        text("reaction", json!(null)),
        text("text", json!("helo")),
        text("edit", json!("hello")),
        text("delete", json!(null)),
    ];
    assert_eq!(kinds, expected.iter().map(|(kind, message)| (kind, message)).collect::<Vec<_>>());
    assert_eq!(told[0]["reaction"], json!({"messageId": id, "emoji": "🎉"}));
    assert_eq!(told[2]["edited"], json!({"messageId": own}));
    assert_eq!(told[3]["deleted"], json!({"messageId": own}));
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn receipts_move_a_message_on(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let (wa_id, id) = sent(&gateway, "send-text", json!({"text": "halo"})).await;
    arrives(&contact, &wa_id).await;
    let reaches = async |state: &str| {
        eventually(&format!("state {state}"), PATIENCE, async || {
            let message = gateway.get(&format!("/message/{id}")).await.json["data"].clone();
            (message["state"] == state).then_some(message)
        })
        .await
    };
    let delivered = reaches("delivered").await;
    assert!(delivered["delivered_at"].is_string() && delivered["read_at"].is_null(), "{delivered}");
    contact.mark_read(&Jid::pn(OURS), None, &[&wa_id]).await.unwrap();
    let read = reaches("read").await;
    assert_eq!(
        (&read["delivered_at"], &read["sent_at"]),
        (&delivered["delivered_at"], &delivered["sent_at"])
    );
    assert!(read["read_at"].is_string(), "{read}");

    let question = contact.send_text(OURS, "and you?").await.unwrap();
    world.webhooks.text("and you?", PATIENCE).await;
    let mark = json!({"session": "shop", "to": THEIRS, "message_ids": [question]});
    let marked = gateway.post("/message/mark-read", mark).await;
    assert_eq!(marked.status, 200, "{}", marked.text);
    contact.wait_receipt(&question, "Read", PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_seen_typing() {
    let options = fake_whatsapp::Options { journal: 1000, ..fake_whatsapp::Options::default() };
    let whatsapp = FakeWhatsApp::start(options).await.unwrap();
    let world = World { whatsapp, ..World::new(Storage::Sqlite).await };
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let journal = |from: usize| {
        let entries = world.whatsapp.account(OURS).unwrap().journal();
        let ours = entries.into_iter().filter(|entry| entry.direction == fake_whatsapp::Direction::In);
        let words = ours.filter_map(|entry| {
            let stanza = entry.stanza;
            ["<composing", "<paused", "<message"].into_iter().find(|word| stanza.contains(word))
        });
        words.skip(from).collect::<Vec<_>>()
    };
    let body = json!({"session": "shop", "to": THEIRS, "state": "composing", "duration_ms": 200});
    let shown = gateway.post("/message/typing", body).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let seen = eventually("an end of the typing", PATIENCE, async || {
        let seen = journal(0);
        (seen.len() >= 2).then_some(seen)
    });
    assert_eq!(seen.await, ["<composing", "<paused"]);

    let (id, _) = sent(&gateway, "send-text", json!({"text": "halo", "typing": true})).await;
    arrives(&contact, &id).await;
    let seen = eventually("typing and a message", PATIENCE, async || {
        let seen = journal(2);
        (seen.len() >= 3).then_some(seen)
    });
    let seen = seen.await;
    assert_eq!(seen[0], "<composing", "{seen:?}");
    assert!(seen.contains(&"<paused") && seen.contains(&"<message"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_stream_as_they_happen() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let request = "GET /events HTTP/1.1\r\nhost: x\r\nauthorization: Basic YWRtaW46YWRtaW4=\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut read_until = async |words: &str| {
        let reading = async {
            while !text.contains(words) {
                let mut chunk = [0; 4096];
                let length = stream.read(&mut chunk).await.unwrap();
                assert!(length > 0, "the stream ended: {text}");
                text.push_str(&String::from_utf8_lossy(&chunk[..length]));
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reading).await.unwrap();
    };
    read_until("listening").await;
    contact.send_text(OURS, "seen at once").await.unwrap();
    read_until("seen at once").await;
    gateway.post("/session/shop/stop", json!({})).await;
    read_until(r#""state":"stopped""#).await;
    read_until("event: session").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_profiles_are_looked_up() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    world.whatsapp.create_account(THEIRS).await;
    let check = json!({"session": "shop", "numbers": [THEIRS, "628119999999"]});
    let checked = gateway.post("/contact/check", check).await;
    assert_eq!(
        checked.json,
        json!({"data": [
            {"number": THEIRS, "exists": true, "jid": format!("{THEIRS}@s.whatsapp.net")},
            {"number": "628119999999", "exists": false, "jid": null},
        ]})
    );
    let profile =
        async |target: &str| gateway.post("/profile", json!({"session": "shop", "target": target})).await;
    let known = profile(&format!("{THEIRS}@s.whatsapp.net")).await;
    assert_eq!(known.json, json!({"data": {"profilePictureUrl": null, "status": null}}), "{}", known.text);
    let unknown = profile("628119999999@s.whatsapp.net").await;
    assert_eq!((unknown.status, unknown.message()), (400, "Target is not registered"), "{}", unknown.text);
}
