//! Section 7: what a monitor compares.

use e2e::{Storage, World, check, row};
use serde_json::{Value, json};

use super::{OURS, gateway};

fn status(name: &str, state: &str, connected: bool, linked: bool) -> Value {
    json!({
        "name": name,
        "monitored": linked,
        "state": state,
        "connected": connected,
        "credentials_present": linked,
        "hours_without_message": "<number>",
        "hours_disconnected": if connected { json!(0) } else { json!("<number>") },
        "disconnected_since": if connected { json!(null) } else { json!("<time>") },
        "last_message_at": null,
        "last_state_change_at": "<time>",
        "last_state_reason": "<text|null>",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_expected_and_what_is_connected() {
    const TOKEN: &str = "Bearer a-token-of-24-characters-or-more";
    let world = World::new(Storage::Sqlite).await;
    let settings = [("STATUS_TOKEN", "a-token-of-24-characters-or-more")];
    let gateway = gateway(&world, &settings).await;
    let fleet = |expected: u8, connected: u8, down: Value, sessions: Value| {
        json!({"sessions_expected": expected, "sessions_connected": connected, "sessions_down": down,
            "sessions": sessions, "ready": "ok"})
    };
    check(&gateway, &[row("GET /status").is(200, fleet(0, 0, json!([]), json!([])))]).await;
    gateway.offer("new").await;
    gateway.link("shop", OURS).await;
    let both = json!([status("new", "pairing", false, false), status("shop", "connected", true, true)]);
    let token = |request| row(request).nobody().header("authorization", TOKEN);
    let rows = [
        // One that was never linked is not expected.
        row("GET /status").is(200, fleet(1, 1, json!([]), both.clone())),
        token("GET /status").is(200, fleet(1, 1, json!([]), both)),
        row("GET /status/shop").is(200, status("shop", "connected", true, true)),
        token("GET /status/shop").is(200, status("shop", "connected", true, true)),
        row("GET /status/elsewhere").fails(404, "Session does not exist"),
        token("GET /session").fails(401, "Unauthorized"),
        row("GET /status")
            .nobody()
            .header("authorization", "Bearer another")
            .fails(401, "Invalid credentials"),
    ];
    check(&gateway, &rows).await;

    world.whatsapp.account(OURS).unwrap().refuse_logins(Some(e2e::Failure::Unavailable));
    world.whatsapp.account(OURS).unwrap().kick_all(e2e::Kick::Close);
    gateway.state("shop", "reconnecting").await;
    let both = json!([status("new", "pairing", false, false), status("shop", "reconnecting", false, true)]);
    let rows = [
        row("GET /status").is(200, fleet(1, 0, json!(["shop"]), both)),
        row("GET /health").is(200, json!({"status": "ok"})),
        row("GET /ready").is(200, json!({"ready": true, "...": 0})),
    ];
    check(&gateway, &rows).await;
}
