//! Section 3: texts sent.

use e2e::{check, row};
use serde_json::{Value, json};

use super::{THEIRS, with_shop};

/// The answer of the Node gateway, and our `id` beside it.
fn sent(remote_jid: &str) -> Value {
    json!({"data": {
        "id": "<word>",
        "key": {"remoteJid": remote_jid, "fromMe": true, "id": "<word>"},
        "message": {"...": 0},
        "messageTimestamp": "<digits>",
        "status": "PENDING",
    }})
}

fn text(to: &str) -> Value {
    json!({"session": "shop", "to": to, "text": "halo"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_and_its_answer() {
    let (world, gateway) = with_shop().await;
    let group = world.whatsapp.create_group(THEIRS, "Pelanggan", &[super::OURS]).unwrap();
    let group_id = group.trim_end_matches("@g.us").to_owned();
    let in_group = |to: &str| json!({"session": "shop", "to": to, "text": "halo", "is_group": true});
    let send = || row("POST /message/send-text");
    let person = sent("628110000002@s.whatsapp.net");
    let rows = [
        send().json(text("628110000002")).is(200, person.clone()),
        send().json(text("+62 811-0000-002")).is(200, person.clone()),
        send().json(text(" 628110000002\t")).is(200, person.clone()),
        send().json(text("628110000002@s.whatsapp.net")).is(200, person.clone()),
        send()
            .json(json!({"session": "shop", "to": THEIRS, "text": "halo", "is_group": false}))
            .is(200, person.clone()),
        send()
            .json(json!({"session": "shop", "to": THEIRS, "text": "x", "quoted_message_id": "3EB0AA"}))
            .is(200, person.clone()),
        send().json(in_group(&group_id)).is(200, sent(&group)),
        send().json(in_group(&group)).is(200, sent(&group)),
        send().json(text(&group)).is(200, sent(&group)),
        row("GET /message/send-text?session=shop&to=%2B62%20811-0000-002&text=halo").is(200, person),
    ];
    check(&gateway, &rows).await;
    let phone = world.whatsapp.account(THEIRS).unwrap();
    phone.wait_received(rows.len() as u64, e2e::PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused() {
    let (world, gateway) = with_shop().await;
    let send = || row("POST /message/send-text");
    let to = |to: &str| send().json(text(to));
    let rows = [
        send()
            .json(json!({"session": "elsewhere", "to": THEIRS, "text": "x"}))
            .fails(400, "Session does not exist"),
        send().json(json!({"session": "", "to": THEIRS, "text": "x"})).fails(400, "Session does not exist"),
        row("GET /message/send-text?session=elsewhere&to=1&text=x").fails(400, "Session does not exist"),
        to("").fails(500, "parameter \"to\" is required"),
        to(" ").fails(500, "parameter \"to\" is required"),
        to("+").fails(500, "parameter \"to\" is required"),
        to("628119999999").is(400, json!({"message": "<text>", "code": "not_on_whatsapp"})),
        to("hello").is(400, json!({"message": "<text>", "code": "invalid_recipient"})),
        to("@s.whatsapp.net").is(400, json!({"message": "<text>", "code": "invalid_recipient"})),
        to("1@2@3").is(400, json!({"message": "<text>", "code": "invalid_recipient"})),
    ];
    check(&gateway, &rows).await;
    assert_eq!(world.whatsapp.accepted(), 0, "nothing of this went out");
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles() {
    let (_world, gateway) = with_shop().await;
    let profile = |target: &str| row("POST /profile").json(json!({"session": "shop", "target": target}));
    let known = format!("{THEIRS}@s.whatsapp.net");
    let rows = [
        profile(&known).is(200, json!({"data": {"profilePictureUrl": "<text|null>", "status": "<any>"}})),
        profile("628119999999@s.whatsapp.net").fails(400, "Target is not registered"),
        row("POST /profile").json(json!({"session": "shop"})).fails(400, "Required field 'target' on json"),
        row("POST /profile").json(json!({"target": known})).fails(400, "Required field 'session' on json"),
        row("POST /profile")
            .json(json!({"session": "elsewhere", "target": known}))
            .fails(400, "Session does not exist"),
    ];
    check(&gateway, &rows).await;
}
