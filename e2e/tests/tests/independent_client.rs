//! An independent client at the other end: what goes out through the gateway is read by Baileys, and what Baileys writes
//! arrives at the webhook.

use bytes::Bytes;
use e2e::{Baileys, Gateway, Origin, PATIENCE, Served, Storage, World, eventually};
use scratch::Dir;
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

/// A kind of file: how the gateway is asked to send it, how Baileys is, and what both call it.
struct Kind {
    route: &'static str,
    order: fn(&str) -> Value,
    content: fn(&str) -> Value,
    name: &'static str,
    extension: &'static str,
    mime_type: &'static str,
    file: Vec<u8>,
}

/// A PNG of 3 × 2 pixels.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x02, 0x08, 0x02, 0x00, 0x00, 0x00, 0x12, 0x16, 0xf1, 0x4d, 0x00,
    0x00, 0x00, 0x10, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x38, 0x21, 0x67, 0x03, 0x41, 0x0c, 0x70,
    0x16, 0x00, 0x47, 0x54, 0x06, 0xcd, 0xc4, 0x87, 0x98, 0xf1, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e,
    0x44, 0xae, 0x42, 0x60, 0x82,
];

/// An Ogg file that says that it has 2.5 seconds of Opus.
fn voice() -> Vec<u8> {
    let page = |flags: u8, samples: u64, body: &[u8]| {
        let numbers = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, u8::try_from(body.len()).unwrap()];
        [&b"OggS\0"[..], &[flags], &samples.to_le_bytes(), &numbers, body].concat()
    };
    [page(2, 0, b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"), page(4, 120_000, &[7; 200])].concat()
}

fn kinds() -> [Kind; 3] {
    [
        Kind {
            route: "/message/send-image",
            order: |url| json!({"image_url": url, "text": "a picture"}),
            // With previews of its own: Baileys makes them with libraries that are not here.
            content: |path| json!({"image": path, "mimetype": "image/png", "caption": "a picture", "jpegThumbnail": ""}),
            name: "image",
            extension: "png",
            mime_type: "image/png",
            file: PNG.to_vec(),
        },
        Kind {
            route: "/message/send-document",
            order: |url| json!({"document_url": url, "document_name": "report 1.pdf", "text": "a report"}),
            content: |path| json!({"document": path, "mimetype": "application/pdf", "fileName": "report 1.pdf"}),
            name: "document",
            extension: "pdf",
            mime_type: "application/pdf",
            file: b"%PDF-1.7\n".iter().copied().chain((0..=255).cycle().take(300_000)).collect(),
        },
        Kind {
            route: "/message/send-voice",
            order: |url| json!({"audio_url": url}),
            content: |path| json!({"audio": path, "mimetype": "audio/ogg; codecs=opus", "ptt": true, "seconds": 3, "waveform": ""}),
            name: "audio",
            extension: "ogg",
            mime_type: "audio/ogg; codecs=opus",
            file: voice(),
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_the_same_bytes_at_both_ends() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let mut baileys = Baileys::link(&world, THEIRS).await;
    let (origin, folder) = (Origin::start().await, Dir::new());
    let group = world.whatsapp.create_group(THEIRS, "Pelanggan", &[OURS]).unwrap();
    for kind in kinds() {
        let url = origin.serve(&format!("/{}", kind.name), Served::File(Bytes::from(kind.file.clone())));
        let path = folder.join(kind.name);
        std::fs::write(&path, &kind.file).unwrap();
        for (to, chat) in [(THEIRS, jid(OURS)), (&group, group.clone())] {
            let mut order = (kind.order)(&url);
            (order["session"], order["to"]) = (json!("shop"), json!(to));
            let answer = gateway.post(kind.route, order).await;
            assert_eq!(answer.status, 200, "{}: {}", kind.route, answer.text);
            let message = baileys.next_message().await;
            assert_eq!(message["id"], answer.json["data"]["key"]["id"], "{message}");
            assert_eq!((&message["type"], &message["mimetype"]), (&json!(kind.name), &json!(kind.mime_type)));
            assert!(Baileys::file(&message) == kind.file, "{}: other bytes at Baileys", kind.name);

            let id = baileys.send(&chat, (kind.content)(&path.display().to_string())).await;
            let webhook = eventually("the webhook about a file", PATIENCE, async || {
                world.webhooks.messages().into_iter().find(|webhook| webhook.text("messageId") == id)
            })
            .await;
            let name = webhook.body["media"][kind.name].as_str().unwrap_or_default();
            assert_eq!(name, format!("{id}.{}", kind.extension), "{}", webhook.body);
            let file = gateway.get(&format!("/media/{name}")).await;
            assert_eq!((file.status, file.header("content-type")), (200, kind.mime_type), "{}", file.text);
            assert!(file.bytes == kind.file, "{name}: other bytes at the gateway");
        }
    }
    nothing_was_strange(&world);
}
