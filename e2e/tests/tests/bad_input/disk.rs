//! A disk without room: nothing is promised that cannot be kept, and all goes on when there is room again.

use e2e::{Arrival, Gateway, Ledger, PATIENCE, Storage, Tmpfs, World, distinct, eventually};
use http::Method;
use serde_json::json;

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing() {
    let Some(disk) = Tmpfs::mount(64) else {
        println!("skipped: this user may not mount a small file system");
        return;
    };
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::prepare(&world);
    gateway.keep_data_in(disk.path());
    gateway.up().await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let texts = Ledger::default();
    gateway.send("shop", THEIRS, "before", "before").await;
    texts.sent(THEIRS, "before");

    disk.fill();
    // There may be a little room within the files; what is accepted there counts as any other.
    let mut number = 0;
    let refused = eventually("a refusal", PATIENCE, async || {
        number += 1;
        let text = format!("text {number} {}", "x".repeat(4000));
        let body = json!({"session": "shop", "to": THEIRS, "text": text});
        let call = gateway.call(Method::POST, "/message/send-text").json(&body).idempotent(&text[..10]);
        let answer = call.answered().await;
        match answer.status {
            200 | 202 => {
                texts.sent(THEIRS, &text);
                None
            }
            _ => Some((answer, body)),
        }
    })
    .await;
    let (answer, body) = refused;
    println!(
        "accepted {} texts into what room was left, then: {} {}",
        number - 1,
        answer.status,
        answer.text
    );
    assert_eq!((answer.status, &answer.json["code"]), (507, &json!("database_full")), "{}", answer.text);
    assert_eq!(gateway.get("/health").await.status, 200, "the process itself is well");
    let received = contact.send_text(OURS, "while the disk is full").await.unwrap();
    assert!(gateway.is_running(), "a full disk does not end the process");

    disk.free();
    world.webhooks.text("while the disk is full", PATIENCE).await;
    let key = &body["text"].as_str().unwrap()[..10];
    gateway.send("shop", THEIRS, body["text"].as_str().unwrap(), key).await;
    texts.sent(THEIRS, body["text"].as_str().unwrap());
    let all = async || (distinct(&Arrival::at_contact(&contact)) >= texts.len()).then_some(());
    eventually("all texts", PATIENCE, all).await;
    println!("at the contact: {}", texts.tally(&Arrival::at_contact(&contact)));
    contact.send_text(OURS, "the end").await.unwrap();
    world.webhooks.text("the end", PATIENCE).await;
    let came: Vec<_> =
        world.webhooks.messages().iter().map(|hook| hook.text("messageId").to_owned()).collect();
    assert_eq!(came.iter().filter(|id| **id == received).count(), 1, "{came:?}");
}
