//! Requests that cannot be carried out: each is told why, in the contract's words.

use e2e::{Gateway, Storage, World};
use http::{Method, header};
use serde_json::{Value, json};

const SEND: &str = "/message/send-text";

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read_are_refused() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    for malformed in
        ["{", "{\"session\": \"shop\",}", "nothing", "\"\u{1}\"", "{\"session\": \"shop\"} and more"]
    {
        for path in [SEND, "/session/start"] {
            let call = gateway.call(Method::POST, path).body("application/json", malformed);
            let answer = call.answered().await;
            let expected = (400, "Malformed JSON in request body");
            assert_eq!((answer.status, answer.message()), expected, "{path} {malformed}");
        }
    }
    let not_utf8 = gateway.call(Method::POST, SEND).body("application/json", &b"{\"session\": \"\xff\"}"[..]);
    assert_eq!(not_utf8.answered().await.status, 400);
    // Another content type counts as an empty object.
    let text = gateway.call(Method::POST, SEND).body("text/plain", "{\"session\": \"shop\"}");
    assert_eq!(text.answered().await.message(), "Required field 'session' on json");
    let huge = gateway.call(Method::POST, SEND).body("application/json", vec![b' '; 2 << 20]);
    assert_eq!(huge.answered().await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_wrong_field_is_named() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", "628110000001").await;
    let body = |changed: Value| {
        let mut body = json!({"session": "shop", "to": "628110000002", "text": "halo"});
        for (field, value) in changed.as_object().unwrap() {
            if value.is_null() {
                body.as_object_mut().unwrap().remove(field);
            } else {
                body[field] = value.clone();
            }
        }
        body
    };
    let table = [
        (json!({"session": null}), 400, "Required field 'session' on json"),
        (json!({"to": null}), 400, "Required field 'to' on json"),
        (json!({"text": null}), 400, "Required field 'text' on json"),
        (json!({"to": 628_110_000_002_i64}), 400, "Expected string, received number field 'to' on json"),
        (json!({"text": ["halo"]}), 400, "Expected string, received array field 'text' on json"),
        (
            json!({"session": {"name": "shop"}}),
            400,
            "Expected string, received object field 'session' on json",
        ),
        (json!({"text": true}), 400, "Expected string, received boolean field 'text' on json"),
        (json!({"is_group": "yes"}), 400, "Expected boolean, received string field 'is_group' on json"),
        (json!({"session": "elsewhere"}), 400, "Session does not exist"),
        (json!({"to": ""}), 500, "parameter \"to\" is required"),
        (json!({"to": " + "}), 500, "parameter \"to\" is required"),
    ];
    for (changed, status, message) in table {
        let answer = gateway.post(SEND, body(changed.clone())).await;
        assert_eq!((answer.status, answer.message()), (status, message), "{changed}");
        assert!(answer.json["code"].is_string(), "{}", answer.text);
    }
    for to in ["@", "x@y@z", "628110000002@nowhere", "not a number"] {
        let answer = gateway.post(SEND, body(json!({"to": to}))).await;
        assert!((400..500).contains(&answer.status), "{to}: {} {}", answer.status, answer.text);
        assert!(!answer.message().is_empty(), "{}", answer.text);
    }
    let answer = gateway.post(SEND, body(json!({"text": "x".repeat(70_000)}))).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let answer = gateway.get("/message/send-text?session=shop&to=628110000002").await;
    assert_eq!((answer.status, answer.message()), (400, "Required field 'text' on query"));
    assert_eq!(world.whatsapp.accepted(), 0, "nothing of this went out");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    for (method, path) in
        [(Method::GET, "/nothing"), (Method::POST, "/message"), (Method::GET, "/session/start/x")]
    {
        let answer = gateway.call(method, path).answered().await;
        assert_eq!((answer.status, answer.message()), (404, "Route not found"), "{path}");
    }
    assert_eq!(gateway.get("/status/elsewhere").await.status, 404);
    let answer = gateway.call(Method::POST, "/session/logout").json(&json!({"session": "elsewhere"}));
    let answer = answer.answered().await;
    assert_eq!(
        (answer.status, answer.json),
        (200, json!({"data": "success"})),
        "also for an unknown session"
    );
    for name in ["", "..", "a/b", "a\u{202e}b"] {
        let answer = gateway.post("/session/start", json!({"session": name})).await;
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.text);
    }
    let stranger = gateway.authorization(None);
    let preflight = stranger
        .call(Method::OPTIONS, SEND)
        .header(header::ORIGIN, "https://shop.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .answered()
        .await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));
}
