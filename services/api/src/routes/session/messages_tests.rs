//! The messages of a session through their route.

use std::time::Duration;

use domain::{MessageId, SessionId, UserId};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Rig, received};

fn message(at: i64) -> Message {
    Message {
        id: MessageId::new(),
        position: at,
        session: SessionId::new(),
        user: UserId::ADMIN,
        wa_id: "3EB0".into(),
        chat: "62811@s.whatsapp.net".into(),
        content: Content::plain("x"),
        state: MessageState::Queued,
        failure: None,
        accepted_at: Timestamp(at),
        expires_at: Timestamp(at),
        sent_at: None,
        delivered_at: None,
        read_at: None,
        traceparent: None,
    }
}

fn arrived(at: i64) -> ReceivedMessage {
    ReceivedMessage { id: EventId::new(), at: Timestamp(at), message_id: "M".into(), payload: "{}".into() }
}

/// Where each of two lists goes on.
type Places = (Option<i64>, Option<i64>);

/// What comes of two lists: the directions in their order, and where each goes on.
fn merged(
    sent: (&[i64], Option<i64>),
    received: (&[i64], Option<i64>),
    limit: usize,
) -> (String, Option<Places>) {
    let place = |at: Option<i64>| at.map(|at| Place { at: Timestamp(at), key: at });
    let sent = Part { items: sent.0.iter().copied().map(message).collect(), next: place(sent.1) };
    let next = received.1.map(|at| Place { at: Timestamp(at), key: EventId::new() });
    let received = Part { items: received.0.iter().copied().map(arrived).collect(), next };
    let (items, next) = merge(sent, received, &Cursor::newest(), limit);
    let line: Vec<_> = items.iter().map(|item| item.direction).collect();
    let at = |next: Cursor| (next.sent.map(|place| place.at.0), next.received.map(|place| place.at.0));
    (line.join(" "), next.map(at))
}

#[test]
fn two_lists_become_one_from_the_newest() {
    const ALL: i64 = i64::MAX;
    assert_eq!(merged((&[], None), (&[], None), 3), (String::new(), None));
    assert_eq!(merged((&[9, 5], None), (&[7], None), 3), ("out in out".into(), None));
    assert_eq!(merged((&[9, 5], None), (&[7], None), 2), ("out in".into(), Some((Some(9), None))));
    assert_eq!(merged((&[9, 8], Some(8)), (&[1], None), 2), ("out out".into(), Some((Some(8), Some(ALL)))));
    // What was received at 5 may not be the next: what was sent is known back to 8 only.
    assert_eq!(merged((&[9], Some(8)), (&[5], None), 5), ("out".into(), Some((Some(8), Some(ALL)))));
    assert_eq!(merged((&[], Some(8)), (&[], Some(3)), 5), (String::new(), Some((Some(8), Some(3)))));
}

#[test]
fn a_cursor_is_read_as_it_was_written() {
    let place = Place { at: Timestamp(5), key: -7 };
    for cursor in [
        Cursor::newest(),
        Cursor { sent: Some(place), received: None },
        Cursor { sent: None, received: Some(Place { at: Timestamp(-1), key: EventId::new() }) },
    ] {
        assert_eq!(Cursor::parse(&cursor.written()), Some(cursor));
    }
    for text in ["x", "%%%", "AAAA", &"A".repeat(55)] {
        assert_eq!(Cursor::parse(text), None, "{text}");
    }
}

#[test]
fn long_texts_are_cut_between_characters() {
    assert_eq!(cut(None), (None, false));
    assert_eq!(cut(Some("ä")), (Some("ä".into()), false));
    let long = "ä".repeat(MAX_TEXT_CHARS + 1);
    assert_eq!(cut(Some(&long)), (Some("ä".repeat(MAX_TEXT_CHARS)), true));
    assert_eq!(cut(Some(&long[2..])), (Some("ä".repeat(MAX_TEXT_CHARS)), false));
}

#[tokio::test]
async fn both_ways_come_with_their_state_page_by_page() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let runner = rig.runner().connects().start().await;
    rig.post("/session/start", &json!({"session": "shop"})).by(&anna).send().await;
    for n in 0..3 {
        let order = json!({"session": "shop", "to": "62811", "text": format!("<b>{n}</b>")});
        assert_eq!(rig.post("/message/send-text", &order).by(&anna).send().await.status, 200);
        rig.advance(Duration::from_secs(1));
        let mut message = received(&format!("M{n}"), &format!("halo {n}"));
        message.chat_alt = Some("62811@s.whatsapp.net".into());
        message.push_name = Some("Budi".into());
        rig.database.commit_inbound(runner.fence("anna_shop"), vec![message]).await.unwrap();
        rig.advance(Duration::from_secs(1));
    }
    let list = async |query: &str| {
        let answer = rig.get(&format!("/session/shop/messages?{query}")).by(&anna).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let texts = |page: &Value| -> Vec<String> {
        let items = page["data"].as_array().unwrap().iter();
        items.map(|item| item["text"].as_str().unwrap().to_owned()).collect()
    };
    let (mut seen, mut query) = (Vec::new(), "limit=4".to_owned());
    loop {
        let page = list(&query).await;
        seen.extend(texts(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=4&cursor={cursor}");
    }
    assert_eq!(seen, ["halo 2", "<b>2</b>", "halo 1", "<b>1</b>", "halo 0", "<b>0</b>"]);
    let first = list("limit=2").await["data"].clone();
    let (came, went) = (&first[0], &first[1]);
    assert_eq!(
        (&came["direction"], &came["state"], &came["chat"]),
        (&json!("in"), &json!("received"), &json!("62811@s.whatsapp.net"))
    );
    assert_eq!(
        (&came["sender_name"], &came["message_id"], &came["kind"]),
        (&json!("Budi"), &json!("M2"), &json!("text"))
    );
    assert!(came["id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!(
        (&went["direction"], &went["state"], &went["error"]),
        (&json!("out"), &json!("sent"), &json!(null))
    );
    assert_eq!(texts(&list("direction=in").await).len(), 3);
    assert_eq!(texts(&list("state=sent").await), ["<b>2</b>", "<b>1</b>", "<b>0</b>"]);
    assert_eq!(texts(&list("state=received&limit=1").await), ["halo 2"]);
    assert!(texts(&list("state=failed").await).is_empty());
    assert_eq!(texts(&list("chat=%2B62811").await).len(), 6);
    assert!(texts(&list("chat=62812").await).is_empty());
}

#[tokio::test]
async fn bad_filters_and_others_see_nothing() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    rig.session("shop").await;
    for (query, words) in [
        ("limit=101", "Number must be less than or equal to 100 field 'limit' on query"),
        ("cursor=x", "Invalid cursor field 'cursor' on query"),
        ("chat=a%20b%00", "Expected a phone number or a JID field 'chat' on query"),
        (
            "direction=up",
            "Invalid enum value. Expected 'in' | 'out', received 'up' field 'direction' on query",
        ),
    ] {
        rig.get(&format!("/session/shop/messages?{query}")).send().await.fails(400, "invalid_field", words);
    }
    let weird = rig.get("/session/shop/messages?state=green").send().await;
    assert!(weird.message().starts_with("Invalid enum value. Expected one of queued, "), "{weird:?}");
    let answer = rig.get("/session/shop/messages").by(&anna).send().await;
    answer.fails(404, "session_not_found", "Session does not exist");
}
