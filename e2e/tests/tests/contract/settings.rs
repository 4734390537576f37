//! Section 5: a user's own settings.

use e2e::{Storage, World, check, row};
use serde_json::{Value, json};

use super::{OURS, gateway};

fn said(message: &str) -> Value {
    json!({"data": {"message": message}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_and_a_session() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    gateway.post("/admin/users", json!({"username": "anna", "password": "anna:pass"})).await;
    let anna = |request| row(request).login("anna", "anna:pass");
    let info = |callback: Value, connected: bool| {
        json!({"data": {"session_name": "<text|null>", "callback_url": callback, "is_connected": connected,
            "webhook_auth": {"auth_type": "none", "has_credentials": false}}})
    };
    let callback = |url: Value| anna("PUT /dashboard/callback").json(json!({"callback_url": url}));
    let updated = || said("Callback URL updated successfully");
    let rows = [
        anna("GET /dashboard/session-info").is(200, info(json!(null), false)),
        callback(json!("https://anna.example/hook")).is(200, updated()),
        anna("GET /dashboard/session-info").is(200, info(json!("https://anna.example/hook"), false)),
        callback(json!("not a url")).fails(400, "Invalid url field 'callback_url' on json"),
        callback(json!("ftp://anna.example/")).is(400, json!({"message": "<text>", "code": "<word>"})),
        callback(json!(7)).fails(400, "Expected string, received number field 'callback_url' on json"),
        callback(json!(null)).is(200, updated()),
        anna("GET /dashboard/session-info").is(200, info(json!(null), false)),
        anna("POST /dashboard/start-session")
            .is(200, json!({"data": {"qr": "<text>", "session_name": "<text>"}})),
    ];
    check(&gateway, &rows).await;
    let rest = gateway.login("anna", "anna:pass");
    let name = rest.post("/dashboard/start-session", json!({})).await.json["data"]["session_name"].clone();
    let started = rest.post("/session/start", json!({"session": name})).await;
    let qr = started.json["qr"].as_str().unwrap_or_default();
    world.whatsapp.scan(Some(OURS), qr).await.unwrap();
    gateway.connected(name.as_str().unwrap_or_default()).await;
    let rows = [
        anna("GET /dashboard/session-info").is(200, info(json!(null), true)),
        anna("POST /dashboard/start-session").is(200, json!({"data": {"message": "<text>", "...": 0}})),
        anna("POST /dashboard/disconnect-session").is(200, said("Session disconnected successfully")),
    ];
    check(&gateway, &rows).await;
}
