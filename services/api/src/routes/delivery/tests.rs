//! Deliveries through their routes, without a dispatcher: claims and settlements are made by hand.

use std::time::Duration;

use domain::webhook::Next;
use serde_json::{Value, json};
use storage::{Settlement, Started};

use crate::testing::{Rig, TestUser};

const LIST: &str = "/webhook/deliveries";

/// A user with a callback and a session; messages with these texts have come in.
async fn received(rig: &Rig, user: &TestUser, texts: &[&str]) {
    let database = &rig.database;
    let name = format!("{}_shop", user.username);
    database.set_callback(user.id, Some("http://hooks.example")).await.unwrap();
    let Started::Session(session) = database.start_session(user.id, &name).await.unwrap() else {
        panic!("{name} is taken")
    };
    let runner = rig.idle_runner("r").await;
    let claimed = database.claim_sessions(runner, 100).await.unwrap();
    let fence = claimed.iter().find(|claimed| claimed.session.id == session.id).unwrap().fence;
    let messages = texts.iter().map(|text| crate::testing::received(&format!("ID{text}"), text));
    database.commit_inbound(fence, messages.collect()).await.unwrap();
}

/// Every delivery that is due ends so.
async fn end_all(rig: &Rig, next: Next) {
    for delivery in rig.database.claim_deliveries(100, Duration::from_mins(1), &[]).await.unwrap().deliveries
    {
        let settlement = Settlement {
            delivery: delivery.id,
            endpoint: delivery.endpoint,
            attempts: delivery.attempts + 1,
            at: rig.now(),
            duration: Duration::from_millis(84),
            status: Some(503),
            answer: Some("busy".into()),
            next,
        };
        assert!(rig.database.settle_delivery(settlement).await.unwrap());
    }
}

async fn list(rig: &Rig, user: &TestUser, query: &str) -> Vec<Value> {
    let answer = rig.get(&format!("{LIST}?{query}")).by(user).send().await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn they_come_in_pages_with_what_became_of_them() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    received(&rig, &anna, &["1", "2", "3"]).await;
    end_all(&rig, Next::Dead).await;
    let (mut url, mut ids) = (format!("{LIST}?limit=3"), Vec::new());
    loop {
        let page = rig.get(&url).by(&anna).send().await.json();
        let rows = page["data"].as_array().unwrap();
        assert!(rows.len() <= 3);
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        url = format!("{LIST}?limit=3&cursor={cursor}");
    }
    assert_eq!(ids.len(), 4, "three messages, and the session's start");
    let row = list(&rig, &anna, "limit=1").await.remove(0);
    let expected = [
        ("event", json!("message")),
        ("session", json!("anna_shop")),
        ("url", json!("http://hooks.example")),
        ("state", json!("dead")),
        ("attempts", json!(1)),
        ("next_attempt_at", json!(null)),
        ("last_status", json!(503)),
        ("last_error", json!("busy")),
        ("created_at", json!(rig.now().to_rfc3339())),
    ];
    for (field, value) in expected {
        assert_eq!(row[field], value, "{field}");
    }
    let details = rig.get(&format!("{LIST}/{}", row["id"].as_str().unwrap())).by(&anna).send().await.json();
    assert_eq!(details["data"]["payload"]["message"], "3");
    assert_eq!(
        details["data"]["history"],
        json!([{"number": 1, "at": rig.now().to_rfc3339(), "duration_ms": 84, "status": 503, "answer": "busy"}])
    );
}

#[tokio::test]
async fn filters_say_which() {
    let rig = Rig::new().await;
    let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
    received(&rig, &anna, &["1", "2"]).await;
    end_all(&rig, Next::Done).await;
    let between = rig.now() + Duration::from_secs(1);
    rig.advance(Duration::from_mins(1));
    received(&rig, &bob, &["3"]).await;
    let endpoint = list(&rig, &anna, "limit=1").await[0]["endpoint_id"].as_str().unwrap().to_owned();
    let table = [
        (&anna, "state=delivered".to_owned(), 3),
        (&anna, "state=pending".to_owned(), 0),
        (&bob, "state=pending".to_owned(), 2),
        (&anna, format!("since={}", between.0), 0),
        (&anna, format!("until={}", between.to_rfc3339()), 3),
        (&anna, "session=anna_shop".to_owned(), 3),
        (&anna, "session=shop".to_owned(), 3),
        (&anna, format!("endpoint={endpoint}"), 3),
        (&bob, format!("endpoint={endpoint}"), 0),
    ];
    for (user, query, expected) in table {
        assert_eq!(list(&rig, user, &query).await.len(), expected, "{query}");
    }
    let all = rig.get(LIST).send().await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 5, "an admin sees all");
    let none = rig.get(&format!("{LIST}?session=bob_shop")).by(&anna).send().await;
    none.fails(403, "not_your_session", "You can only use your own sessions");
    let number = "Number must be less than or equal to 100 field 'limit' on query";
    let word = "Invalid enum value. Expected 'pending' | 'claimed' | 'delivered' | 'dead', received 'x' field \
                'state' on query";
    let table = [
        ("limit=0", "Number must be greater than or equal to 1 field 'limit' on query"),
        ("limit=101", number),
        ("limit=x", "Expected a whole number field 'limit' on query"),
        ("state=x", word),
        ("endpoint=x", "Expected an id such as end_… field 'endpoint' on query"),
        ("since=x", "Expected a time such as 2026-11-22T19:36:11Z field 'since' on query"),
        ("cursor=x", "Invalid cursor field 'cursor' on query"),
        ("cursor=AAAAAAAAAAA%3D", "Invalid cursor field 'cursor' on query"),
    ];
    for (query, words) in table {
        rig.get(&format!("{LIST}?{query}")).send().await.fails(400, "invalid_field", words);
    }
}

#[tokio::test]
async fn one_is_sent_again() {
    let rig = Rig::new().await;
    let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
    received(&rig, &anna, &["1"]).await;
    end_all(&rig, Next::Dead).await;
    let id = list(&rig, &anna, "limit=1").await[0]["id"].as_str().unwrap().to_owned();
    let url = format!("{LIST}/{id}/replay");
    rig.request("POST", &url).by(&bob).send().await.fails(404, "delivery_not_found", "Delivery not found");
    let answer = rig.request("POST", &url).by(&anna).send().await;
    let data = answer.json()["data"].clone();
    assert_eq!(
        (&data["state"], &data["next_attempt_at"]),
        (&json!("pending"), &json!(rig.now().to_rfc3339()))
    );
    rig.database.claim_deliveries(1, Duration::from_mins(1), &[]).await.unwrap();
    let now = rig.request("POST", &url).send().await;
    now.fails(409, "delivery_under_way", "A dispatcher is at it this moment");
    end_all(&rig, Next::Dead).await;
    rig.database.free_abandoned_deliveries(true).await.unwrap();
    rig.database.set_callback(anna.id, None).await.unwrap();
    let gone = rig.request("POST", &url).by(&anna).send().await;
    gone.fails(409, "endpoint_disabled", "Its endpoint is disabled or removed");
    for id in
        ["1", "dlv_x", "%00", "evt_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "dlv_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"]
    {
        for (method, tail) in [("GET", ""), ("POST", "/replay")] {
            let answer = rig.request(method, &format!("{LIST}/{id}{tail}")).send().await;
            answer.fails(404, "delivery_not_found", "Delivery not found");
        }
    }
}

#[tokio::test]
async fn many_are_sent_again_and_only_ones_own() {
    let rig = Rig::new().await;
    let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
    received(&rig, &anna, &["1", "2", "3"]).await;
    received(&rig, &bob, &["4"]).await;
    end_all(&rig, Next::Dead).await;
    let url = format!("{LIST}/replay");
    let replay = async |user: &TestUser, body: Value| rig.post(&url, &body).by(user).send().await.json();
    let later = json!({"since": "2030-01-01T00:00:00Z"});
    assert_eq!(replay(&anna, later).await, json!({"data": {"replayed": 0, "more": false}}));
    let here = json!({"session": "shop"});
    assert_eq!(replay(&anna, here).await, json!({"data": {"replayed": 4, "more": false}}));
    assert_eq!(rig.database.delivery_counts().await.unwrap().dead, 2);
    end_all(&rig, Next::Done).await;
    assert_eq!(replay(&anna, json!({})).await, json!({"data": {"replayed": 0, "more": false}}));
    let delivered = json!({"state": "delivered"});
    assert_eq!(replay(&anna, delivered).await, json!({"data": {"replayed": 4, "more": false}}));
    let all = rig.post(&url, &json!({})).send().await.json();
    assert_eq!(all["data"]["replayed"], 2, "an admin's are everybody's");
    let word = "Invalid enum value. Expected 'dead' | 'delivered', received 'pending' field 'state' on json";
    rig.post(&url, &json!({"state": "pending"})).send().await.fails(400, "invalid_field", word);
    let foreign = rig.post(&url, &json!({"session": "bob_shop"})).by(&anna).send().await;
    foreign.fails(403, "not_your_session", "You can only use your own sessions");
}
