//! Section 3: images, documents and stickers sent.

use bytes::Bytes;
use e2e::{Origin, Row, Served, check, row};
use serde_json::{Value, json};

use super::{THEIRS, with_shop};

/// A PNG of 3 × 2 pixels.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x02, 0x08, 0x02, 0x00, 0x00, 0x00, 0x12, 0x16, 0xf1, 0x4d, 0x00,
    0x00, 0x00, 0x10, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x38, 0x21, 0x67, 0x03, 0x41, 0x0c, 0x70,
    0x16, 0x00, 0x47, 0x54, 0x06, 0xcd, 0xc4, 0x87, 0x98, 0xf1, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e,
    0x44, 0xae, 0x42, 0x60, 0x82,
];

fn sent(kind: &str) -> Value {
    json!({"data": {
        "id": "<word>",
        "key": {"remoteJid": format!("{THEIRS}@s.whatsapp.net"), "fromMe": true, "id": "<word>"},
        "message": {kind: {"...": 0}},
        "messageTimestamp": "<digits>",
        "status": "PENDING",
    }})
}

fn send(kind: &'static str, fields: &Value) -> Row {
    let mut body = json!({"session": "shop", "to": THEIRS, "text": ""});
    for (name, value) in fields.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    row(kind).json(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_sent_and_their_answers() {
    const IMAGE: &str = "POST /message/send-image";
    const DOCUMENT: &str = "POST /message/send-document";
    const STICKER: &str = "POST /message/send-sticker";
    let (world, gateway) = with_shop().await;
    let origin = Origin::start().await;
    let image = origin.serve("/photo", Served::File(Bytes::from_static(PNG)));
    let document = origin.serve("/report", Served::File(Bytes::from_static(b"%PDF-1.4 halo")));
    let missing = origin.serve("/missing", Served::Status(404));
    let document_fields = |name: Value| json!({"document_url": document, "document_name": name});
    let rows = [
        send(IMAGE, &json!({"image_url": image, "text": "caption"})).is(200, sent("imageMessage")),
        send(IMAGE, &json!({"image_url": image})).is(200, sent("imageMessage")),
        send(IMAGE, &json!({"image_url": image, "is_group": false, "quoted_message_id": "3EB0AA"}))
            .is(200, sent("imageMessage")),
        send(DOCUMENT, &document_fields(json!("report.pdf"))).is(200, sent("documentMessage")),
        send(STICKER, &json!({"image_url": image})).is(200, sent("stickerMessage")),
        // What is missing or wrong.
        send(IMAGE, &json!({})).fails(400, "Required field 'image_url' on json"),
        send(IMAGE, &json!({"image_url": image, "text": null})).fails(400, "Required field 'text' on json"),
        send(IMAGE, &json!({"image_url": 1}))
            .fails(400, "Expected string, received number field 'image_url' on json"),
        send(IMAGE, &json!({"image_url": image, "to": ""})).fails(500, "parameter \"to\" is required"),
        send(IMAGE, &json!({"image_url": image, "session": "elsewhere"}))
            .fails(400, "Session does not exist"),
        send(DOCUMENT, &json!({"document_name": "a.pdf"}))
            .fails(400, "Required field 'document_url' on json"),
        send(DOCUMENT, &document_fields(json!(null))).fails(400, "Required field 'document_name' on json"),
        send(DOCUMENT, &document_fields(json!("report"))).fails(500, "Filename must include valid extension"),
        send(STICKER, &json!({})).fails(400, "Required field 'image_url' on json"),
        // Only the web.
        send(IMAGE, &json!({"image_url": "file:///etc/passwd"}))
            .is(400, json!({"message": "<text>", "code": "<word>"})),
        send(IMAGE, &json!({"image_url": "/etc/passwd"}))
            .is(400, json!({"message": "<text>", "code": "<word>"})),
        send(IMAGE, &json!({"image_url": "http://10.0.0.1/x"}))
            .is(400, json!({"message": "<text>", "code": "<word>"})),
        send(IMAGE, &json!({"image_url": missing})).is(400, json!({"message": "<text>", "code": "<word>"})),
    ];
    check(&gateway, &rows).await;
    let phone = world.whatsapp.account(THEIRS).unwrap();
    let received = phone.wait_received(5, e2e::PATIENCE).await.unwrap();
    // They go as they come, one behind the other, because they go to one chat.
    let image = received[0].message.image_message.as_option().unwrap();
    assert_eq!(image.caption.as_deref(), Some("caption"));
    assert_eq!(image.mimetype.as_deref(), Some("image/png"), "what it is, not what it was called");
    let document = received[3].message.document_message.as_option().unwrap();
    assert_eq!(document.file_name.as_deref(), Some("report.pdf"));
    assert!(received[4].message.sticker_message.is_set());
}
