//! Endpoints through their routes, with a receiver that is really there.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::{net::TcpListener, task::JoinSet};

use crate::testing::{Rig, TestUser};

const ENDPOINTS: &str = "/webhook/endpoints";

type Received = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A receiver that answers with this status.
async fn receiver(status: u16) -> (String, Received, JoinSet<()>) {
    async fn receive(
        State((status, received)): State<(u16, Received)>,
        headers: HeaderMap,
        body: String,
    ) -> (StatusCode, &'static str) {
        received.lock().unwrap().push((headers, body));
        (StatusCode::from_u16(status).unwrap(), "thank you")
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let received = Received::default();
    let router = Router::new().route("/hook", post(receive)).with_state((status, Arc::clone(&received)));
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, received, server)
}

async fn make(rig: &Rig, user: &TestUser, body: &Value) -> Value {
    let answer = rig.post(ENDPOINTS, body).by(user).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["data"].clone()
}

fn path(endpoint: &Value) -> String {
    format!("{ENDPOINTS}/{}", endpoint["id"].as_str().unwrap())
}

#[tokio::test]
async fn one_is_made_seen_changed_and_removed() {
    let rig = Rig::new().await;
    let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
    let body =
        json!({"url": "https://hooks.example/wa?a=b", "events": ["session", "message"], "description": "x"});
    let made = make(&rig, &anna, &body).await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(
        expected,
        json!({"id": made["id"], "kind": "custom", "url": "https://hooks.example/wa?a=b",
            "events": ["message", "session"], "description": "x", "enabled": true, "disabled_reason": null,
            "signed": true, "previous_secret_until": null, "created_at": rig.now().to_rfc3339(), "pending": 0,
            "dead": 0, "last_delivery": null, "health": {"delivered_24h": 0, "failed_24h": 0,
            "counted_since": (rig.now() - Duration::from_hours(24)).to_rfc3339(), "dead": 0, "oldest_due_at": null,
            "last_answer": null}})
    );
    let url = path(&made);
    assert_eq!(rig.get(&url).by(&anna).send().await.json()["data"], expected);
    assert_eq!(rig.get(&url).send().await.json()["data"], expected, "an admin sees it");
    let listed = async |user: &TestUser| rig.get(ENDPOINTS).by(user).send().await.json()["data"].clone();
    assert_eq!((listed(&anna).await, listed(&bob).await), (json!([expected]), json!([])));

    let change = json!({"events": ["message"], "enabled": false, "description": ""});
    let changed = rig.put(&url, &change).by(&anna).send().await.json()["data"].clone();
    assert_eq!((&changed["events"], &changed["enabled"]), (&json!(["message"]), &json!(false)));
    assert_eq!((&changed["description"], &changed["url"]), (&json!(null), &expected["url"]));
    assert_eq!(changed["disabled_reason"], "its owner disabled it");
    let again = rig.put(&url, &json!({"enabled": true})).by(&anna).send().await.json()["data"].clone();
    assert_eq!((&again["enabled"], &again["disabled_reason"]), (&json!(true), &json!(null)));

    let not_found =
        |answer: crate::testing::Answer| answer.fails(404, "endpoint_not_found", "Endpoint not found");
    for (method, tail) in
        [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret")]
    {
        not_found(rig.request(method, &format!("{url}{tail}")).by(&bob).send().await);
        for id in ["x", "%00", "dlv_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"]
        {
            not_found(rig.request(method, &format!("{ENDPOINTS}/{id}{tail}")).send().await);
        }
    }
    let done = rig.request("DELETE", &url).by(&anna).send().await;
    done.is(200, r#"{"data":{"message":"Endpoint deleted successfully"}}"#);
    not_found(rig.get(&url).by(&anna).send().await);
    assert_eq!(listed(&anna).await, json!([]));
}

#[tokio::test]
async fn bad_input_makes_nothing() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let long = "x".repeat(501);
    let url = "https://hooks.example";
    let table = [
        (json!({}), "Required field 'url' on json"),
        (json!({"url": ""}), "Invalid url field 'url' on json"),
        (json!({"url": "ftp://hooks.example"}), "Invalid url field 'url' on json"),
        (json!({"url": 1}), "Expected string, received number field 'url' on json"),
        (
            json!({"url": url, "events": []}),
            "Array must contain at least 1 element(s) field 'events' on json",
        ),
        (json!({"url": url, "events": "message"}), "Expected array, received string field 'events' on json"),
        (
            json!({"url": url, "description": long}),
            "String must contain at most 500 character(s) field 'description' on json",
        ),
    ];
    for (body, words) in table {
        rig.post(ENDPOINTS, &body).by(&anna).send().await.fails(400, "invalid_field", words);
    }
    let weird = rig.post(ENDPOINTS, &json!({"url": url, "events": ["weird"]})).by(&anna).send().await;
    assert!(weird.message().starts_with("Invalid enum value. Expected 'message' | 'session'"), "{weird:?}");
    let addresses = [
        ("http://user:pass@hooks.example/", "url_has_credentials"),
        ("http://user@hooks.example/", "url_has_credentials"),
        ("http://10.0.0.1/", "url_not_allowed"),
        ("http://[::ffff:169.254.169.254]/", "url_not_allowed"),
        ("http://0x7f000002/", "url_not_allowed"),
    ];
    for (url, code) in addresses {
        let answer = rig.post(ENDPOINTS, &json!({"url": url})).by(&anna).send().await;
        assert_eq!((answer.status, answer.code()), (400, code.to_owned()), "{url}");
    }
    assert_eq!(rig.get(ENDPOINTS).by(&anna).send().await.json()["data"], json!([]));
    let made = make(&rig, &anna, &json!({"url": url})).await;
    let moved = rig.put(&path(&made), &json!({"url": "http://10.0.0.1/"})).by(&anna).send().await;
    assert_eq!((moved.status, moved.code()), (400, "url_not_allowed".to_owned()));
    for _ in 1..20 {
        make(&rig, &anna, &json!({"url": url})).await;
    }
    let one_more = rig.post(ENDPOINTS, &json!({"url": url})).by(&anna).send().await;
    one_more.fails(409, "too_many_endpoints", "A user can have at most 20 endpoints");
}

#[tokio::test]
async fn the_contracts_own_are_seen_and_set_elsewhere() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    rig.database.set_callback(anna.id, Some("https://hooks.example/a")).await.unwrap();
    rig.database.set_base_endpoint(Some("http://10.0.0.1/base")).await.unwrap();
    let first = |answer: crate::testing::Answer| answer.json()["data"][0].clone();
    let callback = first(rig.get(ENDPOINTS).by(&anna).send().await);
    assert_eq!((&callback["kind"], &callback["signed"]), (&json!("callback"), &json!(false)));
    let base = first(rig.get(ENDPOINTS).send().await);
    assert_eq!((&base["kind"], &base["url"]), (&json!("base"), &json!("http://10.0.0.1/base")));
    rig.get(&path(&base)).by(&anna).send().await.fails(404, "endpoint_not_found", "Endpoint not found");
    for (endpoint, words) in [
        (&callback, "The callback is set with PUT /dashboard/callback"),
        (&base, "WEBHOOK_BASE_URL is set by the operator"),
    ] {
        let url = path(endpoint);
        for body in [json!({"url": "https://x.example"}), json!({"events": ["message"]})] {
            rig.put(&url, &body).send().await.fails(409, "not_a_custom_endpoint", words);
        }
        rig.request("DELETE", &url).send().await.fails(409, "not_a_custom_endpoint", words);
        let described = rig.put(&url, &json!({"description": "mine", "enabled": true})).send().await;
        assert_eq!(described.json()["data"]["description"], "mine");
    }
    let rotated = rig.request("POST", &format!("{}/rotate-secret", path(&callback))).by(&anna).send().await;
    assert_eq!(rotated.json()["data"]["previous_secret_until"], json!(null));
    assert_eq!(first(rig.get(ENDPOINTS).by(&anna).send().await)["signed"], true);
}

#[tokio::test]
async fn a_test_tells_what_came_of_it() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let (url, received, _server) = receiver(202).await;
    let made = make(&rig, &anna, &json!({"url": url})).await;
    let old = made["secret"].as_str().unwrap();
    rig.advance(Duration::from_secs(1));
    let rotated =
        rig.request("POST", &format!("{}/rotate-secret", path(&made))).by(&anna).send().await.json();
    let new = rotated["data"]["secret"].as_str().unwrap();
    assert!(rotated["data"]["previous_secret_until"].as_str().unwrap() > &*rig.now().to_rfc3339());
    rig.put("/dashboard/webhook-auth", &json!({"auth_type": "bearer", "auth_bearer_token": "t0ken"}))
        .by(&anna)
        .send()
        .await;
    let test = async |endpoint: &Value| {
        let answer = rig.request("POST", &format!("{}/test", path(endpoint))).by(&anna).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["data"].clone()
    };
    let outcome = test(&made).await;
    assert_eq!((&outcome["delivered"], &outcome["status"]), (&json!(true), &json!(202)));
    assert_eq!((&outcome["answer"], &outcome["error"]), (&json!("thank you"), &json!(null)));
    let (headers, body) = received.lock().unwrap().remove(0);
    assert_eq!(headers["authorization"], "Bearer t0ken");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["event"], "test");
    for secret in [old, new] {
        // The clock of tests stands still, so the signature is looked at without its time.
        let signed = Webhook::new(secret).unwrap().sign(
            headers["webhook-id"].to_str().unwrap(),
            headers["webhook-timestamp"].to_str().unwrap().parse().unwrap(),
            body.as_bytes(),
        );
        assert!(headers["webhook-signature"].to_str().unwrap().contains(&signed.unwrap()), "{secret}");
    }

    let (broken, _, _server) = receiver(500).await;
    let refused = test(&make(&rig, &anna, &json!({"url": broken})).await).await;
    assert_eq!((&refused["delivered"], &refused["status"]), (&json!(false), &json!(500)));
    let blocked = test(&make(&rig, &anna, &json!({"url": "http://ip6-localhost:9/"})).await).await;
    assert_eq!((&blocked["status"], &blocked["answer"]), (&json!(null), &json!(null)));
    assert!(!blocked["error"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn of_two_who_change_the_same_the_second_looks_again() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let url = path(&make(&rig, &anna, &json!({"url": "https://hooks.example"})).await);
    let seen = rig.get(&url).by(&anna).send().await.header("etag").to_owned();
    let change = |text: &str, tag: &str| {
        rig.put(&url, &json!({"description": text})).by(&anna).header("if-match", tag).send()
    };
    let first = change("one", &seen).await;
    let next = first.header("etag").to_owned();
    assert!(first.status == 200 && next != seen && next.starts_with('"'), "{seen} {next}");
    let words = "It was changed in the meantime: look at it again";
    for tag in [&*seen, "x", "\"\"", "W/\"x\""] {
        change("two", tag).await.fails(412, "changed_meanwhile", words);
    }
    assert_eq!(rig.get(&url).by(&anna).send().await.json()["data"]["description"], "one");
    assert_eq!(change("two", &next).await.status, 200);
    assert_eq!(change("three", "*").await.status, 200);
    assert_eq!(rig.put(&url, &json!({"description": "four"})).by(&anna).send().await.status, 200);
}
