//! Links through their routes.

use std::time::Duration;

use domain::session::SessionState;
use serde_json::json;

use crate::testing::{Answer, Rig};

const EXPIRED: &str = "This link has expired or was revoked: ask for a new one";

async fn link(rig: &Rig, name: &str) -> String {
    let made = rig.post(&format!("/session/{name}/share"), &json!({"expires_in_minutes": 10})).send().await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("/link/{}", made.json()["data"]["token"].as_str().unwrap())
}

async fn state(rig: &Rig, link: &str) -> Answer {
    rig.get(&format!("{link}/state")).anonymous().send().await
}

#[tokio::test]
async fn a_link_shows_what_to_scan_and_nothing_else() {
    let rig = Rig::new().await;
    let runner = rig.runner().offers("2@one").start().await;
    rig.post("/session/start", &json!({"session": "shop"})).send().await;
    let link = link(&rig, "shop").await;
    let end = domain::Timestamp::from_seconds((rig.now() + Duration::from_mins(10)).seconds()).to_rfc3339();
    assert_eq!(
        state(&rig, &link).await.json(),
        json!({"data": {"session": "shop", "state": "pairing", "expires_at": end}})
    );
    let mut stream = rig.get(&format!("{link}/qr/events")).anonymous().open().await;
    assert_eq!(stream.names(1).await, ["state"]);
    let code = stream.next().await.unwrap();
    assert_eq!((code.name.as_str(), &code.data["qr"]), ("qr", &json!("2@one")));
    runner.moves("shop", SessionState::Connected).await;
    let linked = stream.next().await.unwrap();
    assert_eq!((&linked.data["state"], &linked.data["reason"]), (&json!("connected"), &json!(null)));
    let linked = stream.next().await.unwrap();
    assert_eq!((linked.name.as_str(), &linked.data["number"]), ("linked", &json!(null)));
    assert!(stream.next().await.is_none());
    let pair =
        rig.post(&format!("{link}/pair-code"), &json!({"phone_number": "+62 811 0000 001"})).anonymous();
    pair.send().await.fails(400, "session_exists", "Session already exist");
}

#[tokio::test]
async fn a_link_starts_what_is_not_linked_and_gives_a_code() {
    let rig = Rig::new().await;
    let _runner = rig.runner().offers("2@one").start().await;
    rig.session("shop").await;
    rig.post("/session/shop/stop", &json!({})).send().await;
    let link = link(&rig, "shop").await;
    let mut stream = rig.get(&format!("{link}/qr/events")).anonymous().open().await;
    loop {
        let event = stream.next().await.unwrap();
        if event.name == "qr" {
            break;
        }
    }
    let url = format!("{link}/pair-code");
    for phone in ["", "1", "08110000001", "x"] {
        let answer = rig.post(&url, &json!({"phone_number": phone})).anonymous().send().await;
        answer.fails(400, "invalid_phone", "'phone_number' is not a phone number with its country code");
    }
    let body = json!({"phone_number": "+62 811 0000 001"});
    let answer = rig.post(&url, &body).anonymous().send().await;
    answer.is(200, r#"{"data":{"session":"shop","code":"AAAA-BBBB"}}"#);
    let again = rig.post(&url, &body).anonymous().send().await;
    again.fails(429, "too_many_codes", "A code was asked for a moment ago, try again later");
    assert_eq!(again.header("retry-after"), "20");
}

#[tokio::test]
async fn a_link_ends_with_its_time_its_session_and_when_it_is_revoked() {
    let rig = Rig::new().await;
    let _runner = rig.runner().offers("2@one").start().await;
    for name in ["shop", "other"] {
        rig.post("/session/start", &json!({"session": name})).send().await;
    }
    let (first, second, others) =
        (link(&rig, "shop").await, link(&rig, "shop").await, link(&rig, "other").await);
    let mut stream = rig.get(&format!("{first}/qr/events")).anonymous().open().await;
    assert_eq!(stream.names(1).await, ["state"]);
    rig.request("DELETE", "/session/shop/share").send().await.is(204, "");
    for link in [&first, &second] {
        state(&rig, link).await.fails(404, "link_expired", EXPIRED);
    }
    while stream.next().await.is_some() {}
    assert_eq!(state(&rig, &others).await.status, 200);
    let again = link(&rig, "shop").await;
    assert_eq!(state(&rig, &again).await.status, 200);
    rig.get("/session/logout?session=shop").send().await;
    state(&rig, &again).await.fails(404, "link_expired", EXPIRED);
    rig.advance(Duration::from_mins(10));
    state(&rig, &others).await.fails(404, "link_expired", EXPIRED);
}

#[tokio::test]
async fn what_is_no_link_opens_nothing() {
    let rig = Rig::new().await;
    rig.session("shop").await;
    let real = link(&rig, "shop").await;
    let (head, _) = real.split_at(real.len() - 6);
    for link in [head, "/link/x", "/link/%ff", "/link/%00", &format!("{head}AAAAAA")] {
        for (method, tail) in [("GET", "state"), ("GET", "qr/events"), ("POST", "pair-code")] {
            let answer = rig.request(method, &format!("{link}/{tail}")).anonymous().send().await;
            answer.fails(404, "link_expired", EXPIRED);
        }
    }
}
