//! Wrong credentials, in the contract's words.

use e2e::{Gateway, Storage, World};
use http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_refused_in_the_contracts_words() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::prepare(&world);
    // The limit on failed logins is not the subject here.
    gateway.set("LOGIN_FAILURES_PER_NAME", "1000");
    gateway.set("LOGIN_FAILURES_PER_ADDRESS", "1000");
    gateway.up().await;
    let base64_without_colon = "Basic YWRtaW4=";
    let table = [
        (gateway.authorization(None), "Unauthorized"),
        (gateway.authorization(Some("")), "Unauthorized"),
        (gateway.authorization(Some("Digest username=\"admin\"")), "Unauthorized"),
        (gateway.login("admin", "wrong"), "Invalid credentials"),
        (gateway.login("nobody", "admin"), "Invalid credentials"),
        (gateway.login("admin", ""), "Invalid credentials"),
        (gateway.login("admin", "admin:admin"), "Invalid credentials"),
    ];
    for (rest, message) in &table {
        for (method, path) in [
            (Method::GET, "/session"),
            (Method::GET, "/status"),
            (Method::GET, "/status/shop"),
            (Method::POST, "/session/start"),
            (Method::POST, "/message/send-text"),
            (Method::DELETE, "/session/logout"),
        ] {
            let answer = rest.call(method, path).answered().await;
            assert_eq!((answer.status, answer.message()), (401, *message), "{path}");
            assert_eq!(answer.header("www-authenticate"), "Basic realm=\"WA Gateway\"", "{path}");
            assert!(answer.json["code"].is_string(), "{}", answer.text);
        }
    }
    let refused = gateway.authorization(Some(base64_without_colon)).get("/session").await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    for path in ["/", "/health", "/ready"] {
        assert_eq!(gateway.authorization(None).get(path).await.status, 200, "{path} is open to everybody");
    }
    let sessions = gateway.get("/session").await;
    assert_eq!((sessions.status, sessions.json), (200, json!({"data": []})), "the right ones still work");
}
