//! An independent client at the other end: what goes out through the gateway is read by Baileys, and what Baileys writes
//! arrives at the webhook.

use e2e::{Baileys, Gateway, PATIENCE, Storage, World};
use serde_json::{Value, json};

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

fn jid(number: &str) -> String {
    format!("{number}@s.whatsapp.net")
}

async fn send(gateway: &Gateway, body: Value) -> String {
    let answer = gateway.post("/message/send-text", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["data"]["key"]["id"].as_str().unwrap_or_default().to_owned()
}

/// The server knows every stanza that the two of them sent.
fn nothing_was_strange(world: &World) {
    assert_eq!(world.whatsapp.unhandled(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_both_ways() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let mut baileys = Baileys::link(&world, THEIRS).await;
    let long: String = "Selamat pagi, 你好, שלום, 🌅👩‍👩‍👧 ".chars().cycle().take(20_000).collect();
    let texts = ["halo", "  two\nlines\t\"quoted\" \\ ", "🇮🇩 👩🏽‍🚀 e\u{301}", &long];
    for text in texts {
        let id = send(&gateway, json!({"session": "shop", "to": THEIRS, "text": text})).await;
        let message = baileys.next_message().await;
        assert_eq!((&message["id"], &message["text"]), (&json!(id), &json!(text)));
        let id = baileys.send_text(&jid(OURS), text).await;
        let webhook = world.webhooks.text(text, PATIENCE).await;
        assert_eq!(webhook.body["messageId"], id);
        assert_eq!((webhook.text("from"), webhook.text("phone")), (&*jid(THEIRS), &*jid(THEIRS)));
    }
    // Both go on where they were when the gateway comes back from nowhere.
    gateway.kill();
    let id = baileys.send_text(&jid(OURS), "are you there?").await;
    gateway.up().await;
    assert_eq!(world.webhooks.text("are you there?", PATIENCE).await.body["messageId"], id);
    gateway.connected("shop").await;
    gateway.send("shop", THEIRS, "again", "again").await;
    assert_eq!(baileys.next_message().await["text"], "again");

    let messages = world.webhooks.messages();
    let arrived: Vec<_> = messages.iter().map(|webhook| webhook.text("message")).collect();
    assert_eq!(arrived, [&texts[..], &["are you there?"]].concat(), "one webhook each");
    assert_eq!(baileys.received(), texts.len() + 1, "each of ours once");
    nothing_was_strange(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_talks() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let mut baileys = Baileys::link(&world, THEIRS).await;
    let group = world.whatsapp.create_group(THEIRS, "Pelanggan", &[OURS]).unwrap();
    for round in ["satu", "dua"] {
        let body =
            json!({"session": "shop", "to": group, "text": format!("dari toko: {round}"), "is_group": true});
        let id = send(&gateway, body).await;
        let message = baileys.next_message().await;
        assert_eq!((&message["id"], &message["chat"]), (&json!(id), &json!(group)), "{message}");
        assert_eq!(message["text"], format!("dari toko: {round}"));
        let author = [&message["participant"], &message["participantAlt"]];
        assert!(author.contains(&&json!(jid(OURS))), "{message}");

        let text = format!("dari pelanggan: {round}");
        let id = baileys.send_text(&group, &text).await;
        let webhook = world.webhooks.text(&text, PATIENCE).await;
        assert_eq!((webhook.text("from"), webhook.text("messageId")), (&*group, &*id));
        assert_eq!(webhook.body["participant"]["phone"], jid(THEIRS), "{}", webhook.body);
    }
    assert_eq!(world.webhooks.messages().len(), 2, "one webhook each");
    nothing_was_strange(&world);
}
