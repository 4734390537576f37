//! Texts that cannot go now: they wait if the caller lets them, in order, and not for ever.

use std::time::{Duration, Instant};

use e2e::{Arrival, Failure, Gateway, Kick, Ledger, PATIENCE, Storage, World, distinct, eventually};
use rstest::rstest;
use serde_json::json;

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

/// The session loses its connection and does not get it back before [`on_line_again`].
async fn off_line(world: &World, gateway: &Gateway) {
    let phone = world.whatsapp.account(OURS).unwrap();
    phone.refuse_logins(Some(Failure::Unavailable));
    phone.kick_all(Kick::Drop);
    let status = gateway.state("shop", "reconnecting").await;
    assert_eq!(status["connected"], false, "{status}");
    assert!(status["last_state_reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{status}");
}

fn on_line_again(world: &World) {
    world.whatsapp.account(OURS).unwrap().refuse_logins(None);
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn texts_wait_for_their_session(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    gateway.send("shop", THEIRS, "before", "before").await;
    off_line(&world, &gateway).await;

    let texts = Ledger::default();
    texts.sent(THEIRS, "before");
    for number in 0..10 {
        let text = format!("queued {number}");
        let body = json!({"session": "shop", "to": THEIRS, "text": text});
        let answer = gateway.post("/message/send-text", body).await;
        assert_eq!(
            (answer.status, &answer.json["data"]["status"]),
            (202, &json!("QUEUED")),
            "{}",
            answer.text
        );
        assert!(answer.json["data"]["key"]["id"].is_string(), "{}", answer.text);
        texts.sent(THEIRS, &text);
    }
    let body = json!({"session": "shop", "to": THEIRS, "text": "not later", "queue": false});
    let answer = gateway.post("/message/send-text", body).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(
        answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0),
        "{:?}",
        answer.headers
    );

    // What was accepted does not depend on the process that accepted it.
    gateway.kill();
    on_line_again(&world);
    gateway.up().await;
    let all = async || (distinct(&Arrival::at_contact(&contact)) >= texts.len()).then_some(());
    eventually("the queued texts", PATIENCE, all).await;
    gateway.send("shop", THEIRS, "after", "after").await;
    texts.sent(THEIRS, "after");
    eventually("the last text", PATIENCE, all).await;
    let tally = texts.tally(&Arrival::at_contact(&contact));
    println!("{storage:?}: {tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_waited_too_long_is_not_sent() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start_with(&world, &[("MESSAGE_TTL_SECONDS", "1")]).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    off_line(&world, &gateway).await;
    let body = json!({"session": "shop", "to": THEIRS, "text": "too late"});
    let answer = gateway.post("/message/send-text", body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let accepted = Instant::now();
    let wa_id = answer.json["data"]["key"]["id"].as_str().unwrap();
    let url = format!("/message/{}", answer.json["data"]["id"].as_str().unwrap());
    assert_eq!(gateway.get(&url).await.json["data"]["state"], "queued");

    let waited = async || (accepted.elapsed() > Duration::from_secs(1)).then_some(());
    eventually("the end of its time to live", PATIENCE, waited).await;
    on_line_again(&world);
    let failed = eventually("its failure", PATIENCE, async || {
        let message = gateway.get(&url).await.json["data"].clone();
        (message["state"] == "failed").then_some(message)
    })
    .await;
    assert_eq!(failed["failure"]["code"], "expired", "{failed}");
    gateway.connected("shop").await;
    gateway.send("shop", THEIRS, "in time", "in time").await;
    let received = contact.next_message(PATIENCE).await.unwrap();
    assert_eq!(received.text.as_deref(), Some("in time"));
    assert!(!world.whatsapp.ledger().has(OURS, wa_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_not_on_whatsapp_is_refused() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let body = json!({"session": "shop", "to": "628999999999", "text": "anybody there?"});
    for _ in 0..2 {
        let answer = gateway.post("/message/send-text", body.clone()).await;
        assert_eq!(
            (answer.status, &answer.json["code"]),
            (400, &json!("not_on_whatsapp")),
            "{}",
            answer.text
        );
        assert!(!answer.message().is_empty());
    }
    assert_eq!(world.whatsapp.ledger().distinct_from(OURS), 0);
    assert_eq!(world.whatsapp.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_message() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;
    let first = gateway.send("shop", THEIRS, "once", "key").await;
    let again = gateway.send("shop", THEIRS, "once", "key").await;
    assert_eq!(first, again);
    let other = json!({"session": "shop", "to": THEIRS, "text": "something else"});
    let answer = gateway
        .call(http::Method::POST, "/message/send-text")
        .json(&other)
        .idempotent("key")
        .answered()
        .await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    gateway.send("shop", THEIRS, "twice", "another key").await;
    for text in ["once", "twice"] {
        assert_eq!(contact.next_message(PATIENCE).await.unwrap().text.as_deref(), Some(text));
    }
    assert!(world.whatsapp.ledger().duplicates().is_empty());
}
