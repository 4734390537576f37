//! What `POST /message/send-text` answers, row by row of the contract.

use std::time::Duration;

use bus::messages::{NumberCheck, SessionCommand};
use domain::{
    Timestamp,
    event::InboundMessage,
    message::{Failure, FailureCode},
    session::SessionState,
};
use serde_json::{Value, json};

use crate::{
    state::Settings,
    testing::{Rig, with},
};

const SEND: &str = "/message/send-text";

fn order(session: &str, to: &str) -> Value {
    json!({"session": session, "to": to, "text": "Hello"})
}

/// A rig with the connected session `shop`.
async fn connected() -> (Rig, crate::testing::Runner) {
    let rig = Rig::new().await;
    let runner = rig.runner().connects().start().await;
    rig.post("/session/start", &json!({"session": "shop"})).send().await;
    (rig, runner)
}

#[tokio::test]
async fn what_whatsapp_took_is_answered_in_the_contracts_form() {
    let (rig, runner) = connected().await;
    let answer = rig.post(SEND, &order("shop", "+62 812-345")).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let data = &answer.json()["data"];
    let id = data["key"]["id"].as_str().unwrap();
    assert!(id.starts_with("3EB0") && id.len() == 22, "{id}");
    assert!(data["id"].as_str().unwrap().starts_with("msg_"));
    assert_eq!(
        data,
        &json!({
            "id": data["id"],
            "key": {"remoteJid": "62812345@s.whatsapp.net", "fromMe": true, "id": id},
            "message": {"extendedTextMessage": {"text": "Hello"}},
            "messageTimestamp": data["messageTimestamp"],
            "status": "PENDING"
        })
    );
    let seconds: i64 = data["messageTimestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(seconds, rig.now().seconds());
    let message = data["id"].as_str().unwrap().parse().unwrap();
    let check = SessionCommand::CheckNumbers { numbers: vec!["62812345".into()] };
    let heard = runner.heard();
    let [first, SessionCommand::Send { message: sent, row: Some(row) }] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!((first, *sent), (&check, message));
    let stored = rig.database.message(message).await.unwrap().unwrap();
    assert_eq!(
        (row.position, row.id, &row.wa_id, &row.chat),
        (stored.position, message, &stored.wa_id, &stored.chat)
    );
    assert_eq!((&row.content, row.expires_at), (&stored.content, stored.expires_at));
}

#[tokio::test]
async fn the_first_wrong_field_is_named_and_nothing_is_stored() {
    let (rig, runner) = connected().await;
    let table = [
        (json!({}), "Required field 'session' on json"),
        (json!({"session": "shop"}), "Required field 'to' on json"),
        (json!({"session": "shop", "to": "1"}), "Required field 'text' on json"),
        (json!({"session": 1, "to": 2}), "Expected string, received number field 'session' on json"),
        (json!({"session": "shop", "to": 1}), "Expected string, received number field 'to' on json"),
        (
            json!({"session": "shop", "to": "1", "text": {}}),
            "Expected string, received object field 'text' on json",
        ),
        (
            json!({"session": "shop", "to": "1", "text": "x", "is_group": "true"}),
            "Expected boolean, received string field 'is_group' on json",
        ),
        (
            json!({"session": "shop", "to": "1", "text": "x", "quoted_message_id": 5}),
            "Expected string, received number field 'quoted_message_id' on json",
        ),
        (
            json!({"session": "shop", "to": "1", "text": "x", "queue": 0}),
            "Expected boolean, received number field 'queue' on json",
        ),
        (
            json!({"session": "shop", "to": "1", "text": "x".repeat(65_537)}),
            "String must contain at most 65536 character(s) field 'text' on json",
        ),
    ];
    for (body, words) in table {
        rig.post(SEND, &body).send().await.fails(400, "invalid_field", words);
    }
    let raw = |kind: &'static str, body: &'static str| {
        rig.request("POST", SEND).header("content-type", kind).body(body).send()
    };
    raw("application/json", "{").await.fails(400, "malformed_json", "Malformed JSON in request body");
    raw("text/plain", "{").await.fails(400, "invalid_field", "Required field 'session' on json");
    let long = "x".repeat(1 << 20);
    let long = rig.post(SEND, &json!({"session": long})).send().await;
    long.fails(413, "body_too_large", "The request body must not be larger than 1048576 bytes");
    assert!(runner.heard().is_empty());
}

#[tokio::test]
async fn whose_session_it_is_comes_before_whom_it_is_for() {
    let (rig, _runner) = connected().await;
    let anna = rig.user("anna").await;
    rig.session_of(&anna, "anna_shop").await;
    for (name, status) in [("shop", 202), ("anna_shop", 202)] {
        assert_eq!(
            rig.post(SEND, &order(name, "62811")).by(&anna).send().await.status,
            status,
            "her own {name}"
        );
    }
    let bob = rig.user("bob").await;
    for name in ["anna_shop", "shop", "nothing"] {
        let answer = rig.post(SEND, &order(name, "")).by(&bob).send().await;
        answer.fails(403, "not_your_session", "You can only use your own sessions");
    }
    for name in ["bob_nothing", "bob", "", "a/b"] {
        let answer = rig.post(SEND, &order(name, "")).by(&bob).send().await;
        answer.fails(400, "session_not_found", "Session does not exist");
    }
    rig.post(SEND, &order("nothing", "1")).send().await.fails(
        400,
        "session_not_found",
        "Session does not exist",
    );
    rig.post(SEND, &order("shop", " + ")).send().await.fails(
        500,
        "recipient_required",
        "parameter \"to\" is required",
    );
    rig.post(SEND, &order("shop", "hello")).send().await.fails(
        400,
        "invalid_recipient",
        "'to' is neither a phone number nor the JID of a chat",
    );
}

#[tokio::test]
async fn groups_and_jids_are_taken_as_they_are() {
    let (rig, _runner) = connected().await;
    let table = [
        (json!({"to": "12036-99", "is_group": true}), "12036-99@g.us"),
        (json!({"to": "12036@g.us"}), "12036@g.us"),
        (json!({"to": "99@lid"}), "99@lid"),
    ];
    for (fields, jid) in table {
        let body = with(&json!({"session": "shop", "text": ""}), &fields);
        let answer = rig.post(SEND, &body).send().await;
        assert_eq!(answer.json()["data"]["key"]["remoteJid"], jid, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_number_that_whatsapp_does_not_know_is_refused_before_it_is_stored_and_remembered() {
    let (rig, runner) = connected().await;
    runner.knows(NumberCheck { number: "62800".into(), jid: None });
    runner.knows(NumberCheck { number: "5511987".into(), jid: Some("551187@s.whatsapp.net".into()) });
    for _ in 0..2 {
        let answer = rig.post(SEND, &order("shop", "62800")).send().await;
        answer.fails(400, "not_on_whatsapp", "The number 62800 is not on WhatsApp");
        let other = rig.post(SEND, &order("shop", "5511987")).send().await;
        assert_eq!(other.json()["data"]["key"]["remoteJid"], "551187@s.whatsapp.net");
    }
    let checks = runner.heard().into_iter().filter(|c| matches!(c, SessionCommand::CheckNumbers { .. }));
    assert_eq!(checks.count(), 2, "answers are remembered");
}

#[tokio::test]
async fn without_an_answer_it_is_queued() {
    let rig = Rig::with(Settings {
        send_wait: Duration::from_millis(50),
        check_wait: Duration::from_millis(50),
        ..Settings::default()
    })
    .await;
    let runner = rig.runner().connects().start().await;
    rig.post("/session/start", &json!({"session": "shop"})).send().await;
    runner.falls_silent();
    let silent = rig.post(SEND, &order("shop", "62811")).send().await;
    assert_eq!((silent.status, &silent.json()["data"]["status"]), (202, &json!("QUEUED")));
    runner.stop().await;
    let alone = rig.post(SEND, &order("shop", "62811")).send().await;
    assert_eq!((alone.status, &alone.json()["data"]["status"]), (202, &json!("QUEUED")));
    assert!(alone.json()["data"]["key"]["id"].as_str().unwrap().starts_with("3EB0"));

    rig.session("off").await;
    assert_eq!(rig.post(SEND, &order("off", "62811")).send().await.status, 202);
    let session = rig.database.session_by_name("off").await.unwrap().unwrap();
    assert_eq!(rig.database.count_queued(session.id, 9).await.unwrap(), 1);
}

#[tokio::test]
async fn what_must_not_wait_is_refused_and_the_queue_ends() {
    let rig = Rig::with(Settings { queue_limit: 2, ..Settings::default() }).await;
    rig.session("off").await;
    let mut hurried = order("off", "62811");
    hurried["queue"] = json!(false);
    let answer = rig.post(SEND, &hurried).send().await;
    answer.fails(503, "session_not_connected", "The session is connecting and the message must not wait");
    assert_eq!(answer.header("retry-after"), "10");
    for _ in 0..2 {
        assert_eq!(rig.post(SEND, &order("off", "62811")).send().await.status, 202);
    }
    let full = rig.post(SEND, &order("off", "62811")).send().await;
    full.fails(429, "queue_full", "The session is not connected and 2 messages wait for it already");
    assert_eq!(full.header("retry-after"), "10");
}

#[tokio::test]
async fn what_whatsapp_refuses_is_an_error_with_its_code() {
    let (rig, runner) = connected().await;
    let table = [
        (FailureCode::Refused, 502),
        (FailureCode::NotOnWhatsapp, 400),
        (FailureCode::Invalid, 400),
        (FailureCode::SessionGone, 409),
        (FailureCode::Expired, 504),
    ];
    for (code, status) in table {
        runner.fails(Failure { code, reason: "because".into() });
        rig.post(SEND, &order("shop", "62811")).send().await.fails(status, code.as_str(), "because");
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_message() {
    let (rig, runner) = connected().await;
    let send = |key: &'static str, body: Value| rig.post(SEND, &body).header("idempotency-key", key).send();
    let first = send("k1", order("shop", "62811")).await;
    assert_eq!(first.status, 200);
    let again = send("k1", order("shop", "+62811")).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let other = send("k1", order("shop", "62812")).await;
    other.fails(409, "idempotency_key_reused", "This Idempotency-Key was used for another request");
    assert_ne!(send("k2", order("shop", "62811")).await.body, first.body);
    let sends = runner.heard().into_iter().filter(|c| matches!(c, SessionCommand::Send { .. })).count();
    assert_eq!(sends, 2);
    let empty = rig.post(SEND, &order("shop", "62811")).header("idempotency-key", "").send().await;
    assert_eq!((empty.status, empty.code()), (400, "invalid_idempotency_key".to_owned()));

    // Keys are a user's own, and a repeated request is not refused because the session has gone off line since.
    runner.moves("shop", SessionState::Reconnecting).await;
    let mut hurried = order("shop", "62811");
    hurried["queue"] = json!(false);
    assert_eq!(send("k1", hurried).await.body, first.body);
}

#[tokio::test]
async fn twenty_at_once_under_one_key_are_one_message() {
    let (rig, _runner) = connected().await;
    let sends =
        (0..20).map(|_| rig.post(SEND, &order("shop", "62811")).header("idempotency-key", "k").send());
    let answers = futures::future::join_all(sends).await;
    let ids: std::collections::HashSet<_> =
        answers.iter().map(|a| a.json()["data"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_quoted_message_is_quoted_as_far_as_it_is_known() {
    let (rig, runner) = connected().await;
    let received = InboundMessage {
        message_id: "AAA".into(),
        chat: "1203@g.us".into(),
        sender: "62899@s.whatsapp.net".into(),
        chat_alt: None,
        sender_alt: None,
        push_name: None,
        text: Some("When?".into()),
        kind: "text".into(),
        detail: None,
        sent_at: Timestamp(1),
        replayed: false,
        media: None,
    };
    rig.database.commit_inbound(runner.fence("shop"), vec![received]).await.unwrap();
    let quoting = |id: &str| {
        let body = json!({"session": "shop", "to": "1203@g.us", "text": "Now", "quoted_message_id": id});
        rig.post(SEND, &body).send()
    };
    let context = |answer: &Value| answer["data"]["message"]["extendedTextMessage"]["contextInfo"].clone();
    let known = quoting("AAA").await.json();
    assert_eq!(
        context(&known),
        json!({"stanzaId": "AAA", "participant": "62899@s.whatsapp.net", "quotedMessage": {"conversation": "When?"}})
    );
    let own = known["data"]["key"]["id"].as_str().unwrap();
    assert_eq!(
        context(&quoting(own).await.json()),
        json!({"stanzaId": own, "participant": "49170@s.whatsapp.net", "quotedMessage": {"conversation": "Now"}})
    );
    assert_eq!(
        context(&quoting("BBB").await.json()),
        json!({"stanzaId": "BBB", "participant": "1203@g.us", "quotedMessage": null})
    );
}
