//! Files go both ways and arrive as they were; origins that misbehave are called by their names.

use std::time::{Duration, Instant};

use bytes::Bytes;
use e2e::{
    Answer, Contact, Gateway, MediaFault, MediaKind, Origin, PATIENCE, Received, Served, Storage, Webhook,
    World, eventually,
};
use http::{HeaderName, Method};
use rstest::rstest;
use serde_json::{Value, json};

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

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
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend(samples.to_le_bytes());
        page.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, u8::try_from(body.len()).unwrap()]);
        page.extend(body);
        page
    };
    [page(2, 0, b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"), page(4, 120_000, &[7; 200])].concat()
}

/// Bytes that are no known kind of file, and no two pieces of them alike.
fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at.wrapping_mul(2_654_435_761) >> 13) & 0xff).unwrap()).collect()
}

async fn linked(storage: Storage, settings: &[(&str, &str)]) -> (World, Gateway, Contact) {
    let world = World::new(storage).await;
    let gateway = Gateway::start_with(&world, settings).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    (world, gateway, contact)
}

async fn send(gateway: &Gateway, kind: &str, fields: Value) -> Answer {
    let mut body = json!({"session": "shop", "to": THEIRS, "text": ""});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    gateway.post(&format!("/message/send-{kind}"), body).await
}

/// The next message at the contact, and its file.
async fn arrived(contact: &Contact) -> (Received, Vec<u8>) {
    let received = contact.next_message(PATIENCE).await.unwrap();
    let file = contact.download(&received).await.unwrap().unwrap();
    (received, file)
}

/// The webhook about a message.
async fn told(world: &World, message_id: &str) -> Webhook {
    eventually("the webhook about a file", PATIENCE, async || {
        world.webhooks.messages().into_iter().find(|webhook| webhook.text("messageId") == message_id)
    })
    .await
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn files_go_out_as_they_are(#[case] storage: Storage) {
    let (_world, gateway, contact) = linked(storage, &[]).await;
    let origin = Origin::start().await;
    let document = noise(3_000_000);

    let photo = origin.serve("/photo", Served::File(Bytes::from_static(PNG)));
    let there = origin.serve("/there", Served::Redirect(photo));
    let answer =
        send(&gateway, "image", json!({"image_url": there, "text": "look @62899", "mentions": ["62899"]}))
            .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (received, file) = arrived(&contact).await;
    assert_eq!(file, PNG);
    assert_eq!(received.id, answer.json["data"]["key"]["id"].as_str().unwrap());
    let image = received.message.image_message.as_option().unwrap();
    assert_eq!((image.width, image.height, image.mimetype.as_deref()), (Some(3), Some(2), Some("image/png")));
    assert_eq!(image.caption.as_deref(), Some("look @62899"));
    assert!(image.jpeg_thumbnail.as_ref().is_some_and(|preview| preview.starts_with(&[0xff, 0xd8])));
    assert_eq!(image.context_info.as_option().unwrap().mentioned_jid, ["62899@s.whatsapp.net"]);

    let photo_id = received.id.clone();
    let invoice = origin.serve("/invoice", Served::File(document.clone().into()));
    let fields = json!({"document_url": invoice, "document_name": "faktur März.bin", "text": "here",
        "quoted_message_id": photo_id});
    let answer = send(&gateway, "document", fields).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (received, file) = arrived(&contact).await;
    assert!(file == document, "{} bytes came", file.len());
    let sent = received.message.document_message.as_option().unwrap();
    assert_eq!((sent.file_name.as_deref(), sent.caption.as_deref()), (Some("faktur März.bin"), Some("here")));
    assert_eq!(sent.context_info.as_option().unwrap().stanza_id, Some(photo_id));

    let form = [("session", "shop"), ("to", THEIRS), ("text", "as a form")];
    let call = gateway.call(Method::POST, "/message/send-document").form(&form, "a.bin", &document);
    let answer = call.answered().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (received, file) = arrived(&contact).await;
    assert!(file == document, "{} bytes came", file.len());
    assert_eq!(received.message.document_message.as_option().unwrap().file_name.as_deref(), Some("a.bin"));

    let form = [("session", "shop"), ("to", THEIRS)];
    let call = gateway.call(Method::POST, "/message/send-voice").form(&form, "a.ogg", &voice());
    assert_eq!(call.answered().await.status, 200);
    let (received, file) = arrived(&contact).await;
    assert_eq!(file, voice());
    let sent = received.message.audio_message.as_option().unwrap();
    assert_eq!((sent.ptt, sent.seconds), (Some(true), Some(3)));
    assert_eq!(sent.mimetype.as_deref(), Some("audio/ogg; codecs=opus"));

    let sticker = origin.serve("/sticker", Served::File(Bytes::from_static(PNG)));
    assert_eq!(send(&gateway, "sticker", json!({"image_url": sticker})).await.status, 200);
    let (received, file) = arrived(&contact).await;
    assert!(file.starts_with(b"RIFF") && &file[8..12] == b"WEBP");
    let sent = received.message.sticker_message.as_option().unwrap();
    assert_eq!((sent.width, sent.height), (Some(512), Some(512)));

    // What came with requests is gone once it is sent.
    let waiting = gateway.data().join("media/out");
    let left = || std::fs::read_dir(&waiting).map_or(0, Iterator::count);
    eventually("an empty folder", PATIENCE, async || (left() == 0).then_some(())).await;
    assert_eq!(std::fs::read_dir(gateway.data().join("tmp")).unwrap().count(), 0);
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn files_come_in_as_they_are(#[case] storage: Storage) {
    let (world, gateway, contact) = linked(storage, &[("PUBLIC_URL", "https://gateway.example")]).await;
    let document = noise(3_000_000);
    let table = [
        (MediaKind::Image, PNG.to_vec(), "image", "png", "image/png"),
        (MediaKind::Voice, voice(), "audio", "ogg", "audio/ogg; codecs=opus"),
        (MediaKind::Document, document, "document", "bin", "application/octet-stream"),
    ];
    for (kind, file, field, extension, mime_type) in table {
        let id = contact.send_media(OURS, kind, file.clone(), Some("look")).await.unwrap();
        let webhook = told(&world, &id).await;
        let name = format!("{id}.{extension}");
        assert_eq!(webhook.body["media"][field], json!(name), "{}", webhook.body);
        let others = webhook.body["media"].as_object().unwrap().values().filter(|value| value.is_null());
        assert_eq!(others.count(), 4, "{}", webhook.body);
        let about = &webhook.body["file"];
        assert_eq!((&about["state"], &about["mime_type"]), (&json!("stored"), &json!(mime_type)));
        assert_eq!(about["size"], json!(file.len()));

        let served = gateway.get(&format!("/media/{name}")).await;
        assert_eq!(served.status, 200, "{}", served.text);
        assert!(served.bytes == file, "{} bytes came", served.bytes.len());
        assert_eq!(served.header("content-type"), mime_type);
        let part = gateway.call(Method::GET, &format!("/media/{name}"));
        let part = part.header(HeaderName::from_static("range"), "bytes=1-3").answered().await;
        assert_eq!((part.status, &part.bytes[..]), (206, &file[1..=3]));

        let link = webhook.text("media_url").strip_prefix("https://gateway.example").unwrap().to_owned();
        let anybody = gateway.authorization(None);
        assert!(anybody.get(&link).await.bytes == file);
        assert_eq!(anybody.get(&format!("/media/{name}")).await.status, 401);
        assert_eq!(anybody.get(&link.replace("expires=1", "expires=2")).await.json["code"], "invalid_link");
    }
    // A text behind a file does not overtake it.
    let id = contact.send_media(OURS, MediaKind::Document, noise(2_000_000), None).await.unwrap();
    contact.send_text(OURS, "behind it").await.unwrap();
    let behind = world.webhooks.text("behind it", PATIENCE).await;
    let before = told(&world, &id).await;
    assert!(before.body["sequence"].as_i64() < behind.body["sequence"].as_i64());
    let order: Vec<_> =
        world.webhooks.messages().iter().map(|webhook| webhook.text("messageId").to_owned()).collect();
    assert!(
        order.iter().position(|other| *other == id)
            < order.iter().position(|other| *other == behind.text("messageId"))
    );
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_survives_the_death_of_the_process_that_fetches_it(#[case] storage: Storage) {
    let (world, mut gateway, contact) = linked(storage, &[]).await;
    let file = noise(2_000_000);
    // 16 KiB every 20 ms: about two and a half seconds.
    world.whatsapp.media_fault(MediaFault::Trickle(20), false, None);
    let id = contact.send_media(OURS, MediaKind::Document, file.clone(), None).await.unwrap();
    let incoming = gateway.data().join("media/in");
    eventually("half a file", PATIENCE, async || unfinished(&incoming).then_some(())).await;
    gateway.kill();
    assert!(world.webhooks.messages().is_empty(), "nobody hears of half a file");
    world.whatsapp.clear_media_faults();
    gateway.up().await;
    let webhook = told(&world, &id).await;
    assert_eq!(webhook.body["file"]["state"], "stored", "{}", webhook.body);
    let name = webhook.body["media"]["document"].as_str().unwrap().to_owned();
    assert!(gateway.get(&format!("/media/{name}")).await.bytes == file);
    assert_eq!(world.webhooks.messages().len(), 1);
}

/// Whether a file is being written somewhere below.
fn unfinished(folder: &std::path::Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        entry.file_name().to_string_lossy().contains('#')
            || (entry.path().is_dir() && unfinished(&entry.path()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_host_that_fails_is_asked_again() {
    let (world, gateway, contact) = linked(Storage::Sqlite, &[]).await;
    world.whatsapp.media_fault(MediaFault::Status(503), false, Some(1));
    let id = contact.send_media(OURS, MediaKind::Image, PNG.to_vec(), Some("later")).await.unwrap();
    let webhook = told(&world, &id).await;
    assert_eq!(webhook.body["file"]["state"], "stored", "{}", webhook.body);
    for fault in [MediaFault::Cut, MediaFault::WrongBytes] {
        world.whatsapp.media_fault(fault.clone(), false, Some(1));
        let id = contact.send_media(OURS, MediaKind::Document, noise(200_000), None).await.unwrap();
        let webhook = told(&world, &id).await;
        assert_eq!(webhook.body["file"]["state"], "stored", "{fault:?}: {}", webhook.body);
        let name = webhook.body["media"]["document"].as_str().unwrap();
        assert!(gateway.get(&format!("/media/{name}")).await.bytes == noise(200_000));
    }
    // One that asks for new credentials, and one that fails: the message goes nevertheless.
    let origin = Origin::start().await;
    let photo = origin.serve("/photo", Served::File(Bytes::from_static(PNG)));
    for status in [401, 500] {
        world.whatsapp.media_fault(MediaFault::Status(status), true, Some(1));
        let answer = send(&gateway, "image", json!({"image_url": photo})).await;
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
        let (received, file) = arrived(&contact).await;
        assert_eq!(
            (file.as_slice(), received.id.as_str()),
            (PNG, answer.json["data"]["key"]["id"].as_str().unwrap())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_does_not_upload_again() {
    let (world, gateway, contact) = linked(Storage::Sqlite, &[]).await;
    let origin = Origin::start().await;
    let photo = origin.serve("/photo", Served::File(Bytes::from_static(PNG)));
    // WhatsApp takes the message, and its word of that is lost.
    world.whatsapp.account(OURS).unwrap().swallow_acks(1);
    let answer = send(&gateway, "image", json!({"image_url": photo})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let id = answer.json["data"]["id"].as_str().unwrap().to_owned();
    let sent = eventually("the message to be sent", PATIENCE, async || {
        let message = gateway.get(&format!("/message/{id}")).await.json["data"].clone();
        // The phone's receipt may be faster than this question.
        (message["state"] == "sent" || message["state"] == "delivered").then_some(message)
    });
    let sent = sent.await;
    assert_eq!((origin.asked(), world.whatsapp.media_files()), (1, 1));
    let (received, file) = arrived(&contact).await;
    assert_eq!((file.as_slice(), json!(received.id)), (PNG, sent["wa_id"].clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_that_misbehave_get_clear_errors() {
    let settings = [
        ("EGRESS_ALLOW", "127.0.0.1/32"),
        ("MEDIA_TRANSFER_SECONDS", "3"),
        ("MEDIA_IMAGE_MAX_BYTES", "100000"),
    ];
    let (_world, gateway, contact) = linked(Storage::Sqlite, &settings).await;
    let origin = Origin::start().await;
    let png = |size: usize| Bytes::from([PNG, &vec![0; size]].concat());
    let to = |url: &str| Served::Redirect(url.to_owned());
    let table = [
        ("/gone", Served::Status(404), 400, "media_unreachable"),
        ("/broken", Served::Status(500), 400, "media_unreachable"),
        ("/nonsense", Served::Nonsense, 400, "media_unreachable"),
        ("/silence", Served::Silence, 400, "media_unreachable"),
        ("/drip", Served::Drip, 400, "media_unreachable"),
        (
            "/less",
            Served::Less { announced: 90_000, file: Bytes::from_static(PNG) },
            400,
            "media_unreachable",
        ),
        ("/announced", Served::Announced(1 << 40), 413, "media_too_large"),
        ("/large", Served::File(png(100_000)), 413, "media_too_large"),
        ("/endless", Served::Endless, 413, "media_too_large"),
        ("/empty", Served::File(Bytes::new()), 415, "unsupported_media_type"),
        ("/page", Served::File(Bytes::from_static(b"<html>not found</html>")), 415, "unsupported_media_type"),
        ("/ruin", Served::File(Bytes::from_static(&PNG[..20])), 415, "unsupported_media_type"),
        ("/private", to("http://127.0.0.2/x"), 400, "media_forbidden"),
        ("/metadata", to("http://169.254.169.254/latest"), 400, "media_forbidden"),
        ("/file", to("file:///etc/passwd"), 400, "media_forbidden"),
        ("/loop", to("/loop"), 400, "media_unreachable"),
    ];
    for (path, served, status, code) in table {
        let url = origin.serve(path, served);
        let began = Instant::now();
        let answer = send(&gateway, "image", json!({"image_url": url})).await;
        assert_eq!(
            (answer.status, answer.json["code"].as_str()),
            (status, Some(code)),
            "{path}: {}",
            answer.text
        );
        assert!(began.elapsed() < Duration::from_secs(9), "{path} took {:?}", began.elapsed());
        assert!(!answer.message().is_empty());
    }
    let nobody = format!("http://127.0.0.1:{}/x", scratch::free_port());
    let direct = [(nobody.as_str(), "media_unreachable"), ("http://10.0.0.1/x", "media_forbidden")];
    for (url, code) in direct {
        let answer = send(&gateway, "image", json!({"image_url": url})).await;
        assert_eq!((answer.status, answer.json["code"].as_str()), (400, Some(code)), "{}", answer.text);
    }
    // The session is none the worse for it.
    let fine = origin.serve("/fine", Served::File(Bytes::from_static(PNG)));
    assert_eq!(send(&gateway, "image", json!({"image_url": fine})).await.status, 200);
    assert_eq!(arrived(&contact).await.1, PNG);
}
