//! Section 4: users, by the admin; and what a user sees of sessions.

use e2e::{Storage, World, check, row};
use serde_json::{Value, json};

use super::gateway;

const ANNA: (&str, &str) = ("anna", "anna:pass");
const BOB: (&str, &str) = ("bob", "bobs");

fn user(id: u8, name: &str) -> Value {
    json!({"id": id, "username": name, "is_admin": 0, "session_name": "<text|null>", "callback_url": null,
        "webhook_auth_type": "none", "created_at": "<text>"})
}

fn said(message: &str) -> Value {
    json!({"data": {"message": message}})
}

#[tokio::test(flavor = "multi_thread")]
async fn made_changed_and_deleted() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    let make = |name: &str, password: &str| {
        row("POST /admin/users").json(json!({"username": name, "password": password}))
    };
    let admin = json!({"id": 1, "username": "admin", "is_admin": 1, "session_name": "<text|null>", "callback_url": null,
        "webhook_auth_type": "none", "created_at": "<text>"});
    let rows = [
        row("GET /admin/users").is(200, json!({"data": [admin.clone()]})),
        make("anna", "anna:pass").is(200, json!({"data": user(2, "anna")})),
        make("bob", "bobs").is(200, json!({"data": user(3, "bob")})),
        row("GET /admin/users").is(200, json!({"data": [admin, user(2, "anna"), user(3, "bob")]})),
        make("anna", "other").fails(400, "Username already exists"),
        make("admin", "other").fails(400, "Username already exists"),
        make("ab", "long enough")
            .fails(400, "String must contain at least 3 character(s) field 'username' on json"),
        make("abc", "abc").fails(400, "String must contain at least 4 character(s) field 'password' on json"),
        row("POST /admin/users").json(json!({})).fails(400, "Required field 'username' on json"),
        row("POST /admin/users")
            .json(json!({"username": "abc"}))
            .fails(400, "Required field 'password' on json"),
        row("POST /admin/users")
            .json(json!({"username": 1, "password": "long"}))
            .fails(400, "Expected string, received number field 'username' on json"),
        // Passwords.
        row("GET /session").login(ANNA.0, ANNA.1).is(200, json!({"data": []})),
        row("PUT /admin/users/2/password")
            .json(json!({"password": "neu:1"}))
            .is(200, said("Password updated successfully")),
        row("GET /session").login(ANNA.0, ANNA.1).fails(401, "Invalid credentials"),
        row("GET /session").login(ANNA.0, "neu:1").is(200, json!({"data": []})),
        row("PUT /admin/users/2/password")
            .json(json!({"password": "abc"}))
            .fails(400, "String must contain at least 4 character(s) field 'password' on json"),
        row("PUT /admin/users/2/password").json(json!({})).fails(400, "Required field 'password' on json"),
        row("PUT /admin/users/99/password").json(json!({"password": "long"})).fails(404, "User not found"),
        row("PUT /admin/users/1/password")
            .json(json!({"password": "long"}))
            .fails(400, "Cannot change admin password through this endpoint"),
        // Deleted.
        row("DELETE /admin/users/1").fails(400, "Cannot delete admin user"),
        row("DELETE /admin/users/99").fails(404, "User not found"),
        row("DELETE /admin/users/3").is(200, said("User deleted successfully")),
        row("DELETE /admin/users/3").fails(404, "User not found"),
        row("GET /session").login(BOB.0, BOB.1).fails(401, "Invalid credentials"),
    ];
    check(&gateway, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_by_the_admin() {
    const SESSION: &str = "PUT /admin/users/2/session-config";
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    gateway.post("/admin/users", json!({"username": ANNA.0, "password": ANNA.1})).await;
    let config = |id: &'static str, body: Value| row(id).json(body);
    let updated = said("Session configuration updated successfully");
    let rows = [
        config(SESSION, json!({"session_name": "anna_shop", "callback_url": "https://anna.example/hook"}))
            .is(200, updated.clone()),
        config(SESSION, json!({"callback_url": null})).is(200, updated.clone()),
        config(SESSION, json!({})).is(200, updated),
        config(SESSION, json!({"callback_url": "not a url"}))
            .fails(400, "Invalid url field 'callback_url' on json"),
        config(SESSION, json!({"session_name": 1}))
            .fails(400, "Expected string, received number field 'session_name' on json"),
        config("PUT /admin/users/99/session-config", json!({})).fails(404, "User not found"),
        config("PUT /admin/users/1/session-config", json!({}))
            .fails(400, "Cannot update admin session configuration"),
    ];
    check(&gateway, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_not_an_admin_and_sees_their_own_sessions() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    for (name, password) in [ANNA, BOB] {
        gateway.post("/admin/users", json!({"username": name, "password": password})).await;
    }
    for request in [
        "GET /admin/users",
        "POST /admin/users",
        "PUT /admin/users/2/password",
        "DELETE /admin/users/2",
        "PUT /admin/users/2/session-config",
    ] {
        let rows = [
            row(request).login(ANNA.0, ANNA.1).json(json!({})).fails(403, "Admin access required"),
            row(request).nobody().fails(401, "Unauthorized"),
        ];
        check(&gateway, &rows).await;
    }
    let anna = |request| row(request).login(ANNA.0, ANNA.1);
    let bob = |request| row(request).login(BOB.0, BOB.1);
    let session = |name: &str| json!({"session": name});
    let to_scan = |name: &str| json!({"qr": "<text>", "session": name});
    let text = |name: &str| json!({"session": name, "to": "628110000002", "text": "x"});
    let rows = [
        anna("POST /session/start").json(session("shop")).is(200, to_scan("anna_shop")),
        anna("POST /session/start").json(session("anna_shop")).is(200, to_scan("anna_shop")),
        anna("POST /session/start").json(session("anna")).is(200, to_scan("anna")),
        row("POST /session/start").json(session("plain")).is(200, to_scan("plain")),
        anna("GET /session").is(200, json!({"data": ["anna", "anna_shop"]})),
        bob("GET /session").is(200, json!({"data": []})),
        row("GET /session").is(200, json!({"data": ["anna", "anna_shop", "plain"]})),
        bob("POST /message/send-text")
            .json(text("anna_shop"))
            .fails(403, "You can only use your own sessions"),
        bob("POST /message/send-text").json(text("plain")).fails(403, "You can only use your own sessions"),
        bob("POST /session/logout")
            .json(session("anna_shop"))
            .fails(403, "You can only delete your own sessions"),
        bob("DELETE /session/logout?session=plain").fails(403, "You can only delete your own sessions"),
        bob("GET /status/anna_shop").fails(404, "Session does not exist"),
        anna("POST /session/logout").json(session("shop")).is(200, json!({"data": "success"})),
        anna("GET /session").is(200, json!({"data": ["anna"]})),
    ];
    check(&gateway, &rows).await;
    // A user's data goes with the user.
    let rows = [
        row("DELETE /admin/users/2").is(200, said("User deleted successfully")),
        row("GET /session").is(200, json!({"data": ["plain"]})),
    ];
    check(&gateway, &rows).await;
}
