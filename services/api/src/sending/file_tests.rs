use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::media::MediaLimits;
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use super::*;
use crate::{
    state::Settings,
    testing::{Call, Rig},
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

const ROUTES: [(&str, &str); 6] = [
    ("image", "image_url"),
    ("video", "video_url"),
    ("document", "document_url"),
    ("audio", "audio_url"),
    ("voice", "audio_url"),
    ("sticker", "image_url"),
];

fn path(kind: &str) -> String {
    format!("/message/send-{kind}")
}

/// A request that is good for every kind.
fn good(url_field: &str) -> Value {
    json!({"session": "shop", "to": "62811", "text": "", "document_name": "a.pdf",
        url_field: "https://example.com/file"})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field);
    body
}

/// A form: text fields, then a file.
fn form(rig: &Rig, kind: &str, fields: &[(&str, &str)], files: &[(&str, &[u8])]) -> Call {
    let mut body = Vec::new();
    for (name, text) in fields {
        let part = format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
        body.extend(part.into_bytes());
    }
    for (name, bytes) in files {
        let head =
            format!("--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend(head.into_bytes());
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--xyz--\r\n");
    rig.request("POST", &path(kind)).header("content-type", "multipart/form-data; boundary=xyz").body(body)
}

/// How many files wait in the media store.
async fn kept(rig: &Rig) -> usize {
    let listed: Vec<_> = rig.state.media.list(ObjectKey::all_uploaded()).try_collect().await.unwrap();
    listed.len()
}

async fn only_message(rig: &Rig) -> domain::message::Message {
    let session = rig.database.session_by_name("shop").await.unwrap().unwrap();
    let mut queued = rig.database.queued_messages(session.id, 0, 10).await.unwrap();
    assert_eq!(queued.len(), 1, "{queued:?}");
    queued.remove(0)
}

#[tokio::test]
async fn the_first_wrong_field_is_named_for_every_kind() {
    let rig = Rig::new().await;
    rig.session("shop").await;
    for (kind, url) in ROUTES {
        let missing = |field: &str| (without(good(url), field), format!("Required field '{field}' on json"));
        let table = [
            missing("session"),
            missing("to"),
            missing(url),
            (
                with(good(url), url, json!(1)),
                format!("Expected string, received number field '{url}' on json"),
            ),
            (with(good(url), url, json!("file:///etc/passwd")), format!("Invalid url field '{url}' on json")),
            (with(good(url), url, json!("/etc/passwd")), format!("Invalid url field '{url}' on json")),
            (with(good(url), url, json!("")), format!("Invalid url field '{url}' on json")),
            (
                with(good(url), "is_group", json!("yes")),
                "Expected boolean, received string field 'is_group' on json".to_owned(),
            ),
            (
                with(good(url), "mentions", json!("62811")),
                "Expected array, received string field 'mentions' on json".to_owned(),
            ),
            (json!({}), "Required field 'session' on json".to_owned()),
        ];
        for (body, words) in table {
            rig.post(&path(kind), &body).send().await.fails(400, "invalid_field", &words);
        }
        let captioned = matches!(kind, "image" | "video" | "document");
        let silent = rig.post(&path(kind), &without(good(url), "text")).send().await;
        assert_eq!(silent.status, if captioned { 400 } else { 202 }, "{kind}: {}", silent.body);
        let nobody = with(good(url), "mentions", json!(["hello"]));
        let words = "'mentions' must be phone numbers or JIDs of people: hello";
        rig.post(&path(kind), &nobody).send().await.fails(400, "invalid_mention", words);
    }
}

#[tokio::test]
async fn a_document_needs_a_name_with_an_extension() {
    let rig = Rig::new().await;
    rig.session("shop").await;
    let named = |name: &str| with(good("document_url"), "document_name", json!(name));
    for name in ["", "report", "report.", ".pdf", "a.p df", "a\u{1}.pdf"] {
        let answer = rig.post(&path("document"), &named(name)).send().await;
        answer.fails(500, "invalid_document_name", "Filename must include valid extension");
    }
    let missing = without(good("document_url"), "document_name");
    let answer = rig.post(&path("document"), &missing).send().await;
    answer.fails(400, "invalid_field", "Required field 'document_name' on json");
    let answer = rig.post(&path("document"), &named("../faktur März.PDF")).send().await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.json()["data"]["message"]["documentMessage"]["fileName"], "faktur März.PDF");
}

#[tokio::test]
async fn a_url_is_kept_for_whoever_holds_the_session() {
    let rig = Rig::new().await;
    rig.session("shop").await;
    let body = with(with(good("image_url"), "text", json!("look @62899")), "mentions", json!(["+62 899"]));
    let body = with(with(body, "is_group", json!(true)), "quoted_message_id", json!("3EB0QQ"));
    let answer = rig.post(&path("image"), &with(body, "to", json!("1203-45"))).send().await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let data = answer.json()["data"].clone();
    assert_eq!(data["key"]["remoteJid"], "1203-45@g.us");
    assert_eq!(data["message"]["imageMessage"]["caption"], "look @62899");
    let message = only_message(&rig).await;
    let Content::Media(media) = message.content else { panic!("{message:?}") };
    assert_eq!(media.source, MediaSource::Url("https://example.com/file".into()));
    assert_eq!(media.mentions, ["62899@s.whatsapp.net"]);
    assert_eq!(media.quoted.unwrap().message_id, "3EB0QQ");
    assert_eq!(kept(&rig).await, 0);
}

#[tokio::test]
async fn a_file_can_come_in_base64() {
    let rig = Rig::new().await;
    rig.session("shop").await;
    let body = without(good("image_url"), "image_url");
    let sent = with(body.clone(), "image_base64", json!(BASE64_STANDARD.encode(PNG)));
    let answer = rig.post(&path("image"), &sent).send().await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let message = only_message(&rig).await;
    let upload = message.content.stored_upload().unwrap();
    assert_eq!((upload.message, upload.size), (message.id, PNG.len() as u64));
    let stored = rig.state.media.get(&ObjectKey::uploaded(message.id), None).await.unwrap().unwrap();
    let bytes: Vec<bytes::Bytes> = stored.bytes.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), PNG);

    let table = [
        (json!("not base64!"), 400, "invalid_field"),
        (json!(5), 400, "invalid_field"),
        (json!(""), 415, "unsupported_media_type"),
        (json!(BASE64_STANDARD.encode("GIF89a\x01\0\x01\0")), 415, "unsupported_media_type"),
        (json!(BASE64_STANDARD.encode("just text")), 415, "unsupported_media_type"),
    ];
    for (base64, status, code) in table {
        let answer = rig.post(&path("image"), &with(body.clone(), "image_base64", base64)).send().await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.body);
    }
    assert_eq!(kept(&rig).await, 1, "what was refused is not kept");
    let huge = with(body, "image_base64", json!("A".repeat(2 << 20)));
    assert_eq!(rig.post(&path("image"), &huge).send().await.code(), "body_too_large");
}

#[tokio::test]
async fn a_file_can_come_as_a_part_of_a_form() {
    let rig = Rig::new().await;
    rig.session("shop").await;
    let fields = [("session", "shop"), ("to", "62811"), ("text", "größe"), ("mentions", "62811,9@lid")];
    let pdf: Vec<u8> = [&b"%PDF-1.7\n"[..], &vec![7; 3 << 20]].concat();
    let answer = form(&rig, "document", &fields, &[("C:\\faktur.pdf", &pdf)]).send().await;
    assert_eq!(answer.status, 202, "larger than the limit of other bodies: {}", answer.body);
    let message = only_message(&rig).await;
    let Content::Media(media) = &message.content else { panic!("{message:?}") };
    assert_eq!((media.file_name.as_deref(), media.caption.as_deref()), (Some("faktur.pdf"), Some("größe")));
    assert_eq!(media.mentions, ["62811@s.whatsapp.net", "9@lid"]);
    assert_eq!(message.content.stored_upload().unwrap().size, pdf.len() as u64);
    assert_eq!(kept(&rig).await, 1);

    let two = form(&rig, "document", &fields, &[("a.pdf", &pdf), ("b.pdf", &pdf)]).send().await;
    two.fails(400, "invalid_body", "Only one file can come with a request");
    let none = form(&rig, "document", &fields, &[]).send().await;
    none.fails(400, "invalid_field", "Required field 'document_url' on form");
    let bare = form(&rig, "document", &fields[1..], &[("a.pdf", &pdf)]).send().await;
    bare.fails(400, "invalid_field", "Required field 'session' on form");
    let nameless = form(&rig, "document", &fields, &[("a", &pdf)]).send().await;
    nameless.fails(500, "invalid_document_name", "Filename must include valid extension");
    let foreign =
        form(&rig, "document", &[("session", "other"), ("to", "1"), ("text", "")], &[("a.pdf", &pdf)]);
    foreign.send().await.fails(400, "session_not_found", "Session does not exist");
    let wrong = form(&rig, "voice", &fields, &[("a.ogg", &pdf)]).send().await;
    assert_eq!((wrong.status, wrong.code().as_str()), (415, "unsupported_media_type"));
    assert_eq!(kept(&rig).await, 1, "what was refused is not kept");
}

#[tokio::test]
async fn files_have_limits_by_what_they_are() {
    let limits = MediaLimits { image: 2000, sticker: 1000, document: 3000, ..MediaLimits::default() };
    let rig = Rig::with(Settings { media_limits: limits, ..Settings::default() }).await;
    rig.session("shop").await;
    let fields = [("session", "shop"), ("to", "62811"), ("text", ""), ("document_name", "a.bin")];
    let png = |size: usize| [PNG, &vec![0; size - PNG.len()]].concat();
    let webp = |size: usize| [&b"RIFF\x10\0\0\0WEBPVP8L"[..], &vec![0; size - 16]].concat();
    let table = [
        ("image", png(2000), 202),
        ("image", png(2001), 413),
        ("image", png(200_000), 413),
        // A photograph becomes smaller as a sticker; what is one already does not.
        ("sticker", png(2000), 202),
        ("sticker", png(2001), 413),
        ("sticker", webp(1000), 202),
        ("sticker", webp(1001), 413),
        ("document", png(3000), 202),
        ("document", png(3001), 413),
    ];
    let mut accepted = 0;
    for (kind, file, status) in table {
        let answer = form(&rig, kind, &fields, &[("a.png", &file)]).send().await;
        assert_eq!(answer.status, status, "{kind} {}: {}", file.len(), answer.body);
        if status == 413 {
            assert_eq!(answer.code(), "media_too_large");
        } else {
            accepted += 1;
        }
    }
    assert_eq!(kept(&rig).await, accepted);
}

#[tokio::test]
async fn the_same_file_under_the_same_key_is_the_same_message() {
    let rig = Rig::new().await;
    rig.session("shop").await;
    let fields = [("session", "shop"), ("to", "62811"), ("text", "")];
    let send = |file: &'static [u8]| {
        form(&rig, "image", &fields, &[("a.png", file)]).header("idempotency-key", "order-1").send()
    };
    let first = send(PNG).await.json();
    let again = send(PNG).await.json();
    assert_eq!(first["data"]["id"], again["data"]["id"]);
    assert_eq!(kept(&rig).await, 1, "the copy is not kept");
    let other = send(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02").await;
    assert_eq!((other.status, other.code().as_str()), (409, "idempotency_key_reused"));
    assert_eq!(kept(&rig).await, 1);
}

#[tokio::test]
async fn what_became_of_the_file_is_the_answer() {
    use domain::message::{Failure, FailureCode};
    let rig = Rig::new().await;
    let runner = rig.runner().connects().start().await;
    rig.get("/session/start?session=shop").send().await;
    let table = [
        (FailureCode::MediaUnreachable, 400, "media_unreachable"),
        (FailureCode::MediaForbidden, 400, "media_forbidden"),
        (FailureCode::MediaTooLarge, 413, "media_too_large"),
        (FailureCode::UnsupportedMediaType, 415, "unsupported_media_type"),
    ];
    for (code, status, word) in table {
        runner.fails(Failure { code, reason: "why".into() });
        rig.post(&path("image"), &good("image_url")).send().await.fails(status, word, "why");
    }
    let sent = rig.post(&path("image"), &good("image_url")).send().await;
    assert_eq!((sent.status, &sent.json()["data"]["status"]), (200, &json!("PENDING")));
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let rig = Rig::new().await;
    let broken = rig
        .request("POST", &path("image"))
        .header("content-type", "multipart/form-data; boundary=xyz")
        .body("--xyz\r\nnonsense");
    broken.send().await.fails(400, "malformed_form", "Malformed multipart/form-data in request body");
    let forged = form(&rig, "image", &[], &[]).header("sec-fetch-site", "cross-site").send().await;
    assert_eq!((forged.status, forged.code().as_str()), (403, "cross_site"));
}
