//! Sections 4, 5 and 6: how webhooks authenticate, with a real authorization server, and what became of them.

use std::sync::Arc;

use authorization_server::{AuthorizationServer, CLIENT_ID, CLIENT_SECRET, SCOPE};
use e2e::{Behaviour, PATIENCE, Row, Storage, World, check, eventually, row};
use serde_json::{Value, json};

use super::{OURS, THEIRS, gateway};

const AUTH: &str = "PUT /dashboard/webhook-auth";
const CREDENTIALS: &str = "POST /dashboard/webhook-auth/oauth2-client-credentials";
const CODE: &str = "POST /dashboard/webhook-auth/oauth2-token";
const BACK: &str = "https://back.example/";

fn done(message: &str) -> Value {
    json!({"data": {"message": message}})
}

fn updated() -> Value {
    done("Webhook authentication configuration updated successfully")
}

fn oauth2(server: &AuthorizationServer) -> Value {
    json!({"auth_type": "oauth2", "oauth2_client_id": CLIENT_ID, "oauth2_client_secret": CLIENT_SECRET,
        "oauth2_token_url": server.token_url, "oauth2_scope": SCOPE})
}

fn by_anna(request: &'static str) -> Row {
    row(request).login("anna", "a:secret")
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_row_by_row() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    let server = AuthorizationServer::start().await;
    let none = json!({"data": {"auth_type": "none", "auth_username": null, "auth_bearer_token": null,
        "oauth2_client_id": null, "oauth2_token_url": null, "oauth2_scope": null, "oauth2_has_token": false,
        "oauth2_token_expiry": null}});
    let held = |has_token: bool| {
        let expiry = if has_token { json!("<number>") } else { json!(null) };
        json!({"data": {"auth_type": "oauth2", "auth_username": "a", "auth_bearer_token": "***6789",
            "oauth2_client_id": CLIENT_ID, "oauth2_token_url": server.token_url, "oauth2_scope": SCOPE,
            "oauth2_has_token": has_token, "oauth2_token_expiry": expiry}})
    };
    let set = |body: Value| by_anna(AUTH).json(body);
    let by_admin = |request| row(request).json(json!({"auth_type": "none"}));
    let exchange = |code: String| by_anna(CODE).json(json!({"code": code, "redirect_uri": BACK}));
    let weird = "Invalid enum value. Expected 'none' | 'basic' | 'bearer' | 'oauth2', received 'weird' field \
                 'auth_type' on json";
    let rows = [
        row("POST /admin/users").json(json!({"username": "anna", "password": "a:secret"})),
        by_anna("GET /dashboard/webhook-auth").is(200, none),
        set(json!({"auth_type": "weird"})).fails(400, weird),
        set(json!({"auth_type": "basic", "auth_username": "a"}))
            .fails(400, "Username and password are required for basic authentication"),
        set(json!({"auth_type": "bearer"})).fails(400, "Bearer token is required for bearer authentication"),
        set(json!({"auth_type": "oauth2"}))
            .fails(400, "Client ID, client secret, and token URL are required for OAuth2 authentication"),
        by_anna(CREDENTIALS).fails(400, "OAuth2 is not configured for this user"),
        exchange("any".to_owned()).fails(400, "OAuth2 is not configured for this user"),
        set(json!({"auth_type": "basic", "auth_username": "a", "auth_password": "p"})).is(200, updated()),
        set(json!({"auth_type": "bearer", "auth_bearer_token": "0123456789"})).is(200, updated()),
        set(oauth2(&server)).is(200, updated()),
        by_anna("GET /dashboard/webhook-auth").is(200, held(false)),
        by_anna(CREDENTIALS)
            .is(200, done("OAuth2 token obtained successfully using client credentials")),
        by_anna("GET /dashboard/webhook-auth").is(200, held(true)),
        // An empty secret never erases one; any PUT drops the tokens held.
        set(json!({"auth_type": "oauth2", "oauth2_client_secret": "", "auth_bearer_token": ""})).is(200, updated()),
        by_anna("GET /dashboard/webhook-auth").is(200, held(false)),
        exchange(server.code(BACK, None)).is(200, done("OAuth2 token obtained successfully")),
        by_anna("GET /dashboard/webhook-auth").is(200, held(true)),
        exchange("used up".to_owned())
            .fails(400, "Failed to obtain OAuth2 token: invalid_grant: the tests' server says no"),
        by_anna(CODE).json(json!({})).fails(400, "Required field 'code' on json"),
        by_anna("GET /dashboard/session-info").is(
            200,
            json!({"data": {"webhook_auth": {"auth_type": "oauth2", "has_credentials": true}, "session_name": "anna",
                "callback_url": null, "is_connected": false}}),
        ),
        by_anna("PUT /admin/users/2/webhook-auth").fails(403, "Admin access required"),
        by_admin("PUT /admin/users/2/webhook-auth").is(200, updated()),
        by_admin("PUT /admin/users/1/webhook-auth").fails(400, "Cannot update admin webhook authentication"),
        by_admin("PUT /admin/users/77/webhook-auth").fails(404, "User not found"),
        row("PUT /admin/users/2/webhook-auth").json(json!({"auth_type": "weird"})).fails(400, weird),
        row("GET /dashboard/webhook-auth").nobody().fails(401, "Unauthorized"),
    ];
    check(&gateway, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_carry_a_token_that_is_good() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    let server = Arc::new(AuthorizationServer::start().await);
    gateway.link("shop", OURS).await;
    check(&gateway, &[row(AUTH).json(oauth2(&server)).is(200, updated())]).await;
    let guard = Arc::clone(&server);
    world.webhooks.behave(move |webhook| {
        let header = webhook.headers.get("authorization").and_then(|value| value.to_str().ok());
        Behaviour::Answer(if header.is_some_and(|header| guard.accepts(header)) { 200 } else { 401 })
    });
    let phone = world.whatsapp.create_account(THEIRS).await;
    let delivered = async |text: &str, webhooks: usize| {
        phone.say(OURS, text).unwrap();
        eventually("a webhook and its delivery", PATIENCE, async || {
            let came =
                world.webhooks.messages().iter().filter(|webhook| webhook.text("message") == text).count();
            let waiting = gateway.get("/webhook/deliveries?state=pending").await.json;
            (came == webhooks && waiting["data"] == json!([])).then_some(())
        })
        .await;
    };
    delivered("satu", 1).await;
    assert_eq!((server.asked("client_credentials"), server.issued()), (1, 1));
    // A 401 renews once and tries once more, in one attempt.
    server.revoke_all();
    delivered("dua", 2).await;
    assert_eq!(server.issued(), 2);
    let newest = gateway.get("/webhook/deliveries?limit=1").await.json["data"][0].clone();
    assert_eq!((&newest["attempts"], &newest["state"]), (&json!(1), &json!("delivered")));
    let replay = format!("/webhook/deliveries/{}/replay", newest["id"].as_str().unwrap());
    assert_eq!(gateway.post(&replay, json!({})).await.status, 200);
    eventually("the replay", PATIENCE, async || (world.webhooks.messages().len() == 4).then_some(())).await;
}
