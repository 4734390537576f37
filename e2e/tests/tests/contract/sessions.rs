//! Section 2: numbers linked, listed, unlinked.

use e2e::{Storage, World, check, row};
use serde_json::json;

use super::{OURS, gateway};

#[tokio::test(flavor = "multi_thread")]
async fn linked_listed_and_unlinked() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    let shop = || json!({"session": "shop"});
    let to_scan = || json!({"qr": "<text>", "session": "shop"});
    let rows = [
        row("GET /session").is(200, json!({"data": []})),
        row("POST /session/start").json(shop()).is(200, to_scan()),
        // While it is pairing the current code is given again.
        row("POST /session/start").json(shop()).is(200, to_scan()),
        row("GET /session/start?session=shop")
            .contains(200, "data:image/png;base64,")
            .with("content-type", "text/html; charset=utf-8"),
        row("GET /session").is(200, json!({"data": ["shop"]})),
    ];
    check(&gateway, &rows).await;
    gateway.link("shop", OURS).await;
    let rows = [
        row("POST /session/start").json(shop()).fails(400, "Session already exist"),
        row("GET /session/start?session=shop").fails(400, "Session already exist"),
        row("GET /session").is(200, json!({"data": ["shop"]})),
    ];
    check(&gateway, &rows).await;

    let success = json!({"data": "success"});
    let rows = [
        row("POST /session/logout").json(json!({"session": "unknown"})).is(200, success.clone()),
        row("GET /session/logout?session=unknown").is(200, success.clone()),
        row("PUT /session/logout").json(json!({"session": "unknown"})).is(200, success.clone()),
        row("PATCH /session/logout?session=unknown").is(200, success.clone()),
        row("POST /session/logout").fails(400, "Required field 'session' on json"),
        row("GET /session").is(200, json!({"data": ["shop"]})),
        // The query string goes before the body.
        row("DELETE /session/logout?session=shop")
            .json(json!({"session": "unknown"}))
            .is(200, success.clone()),
        row("GET /session").is(200, json!({"data": []})),
        row("DELETE /session/logout?session=shop").is(200, success),
    ];
    check(&gateway, &rows).await;
    assert_eq!(world.whatsapp.account(OURS).unwrap().devices().len(), 1, "WhatsApp has unlinked it as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_linked_connects_without_a_scan() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = gateway(&world, &[]).await;
    gateway.link("shop", OURS).await;
    // Connected, though it was not when the process began.
    gateway.restart().await;
    gateway.connected("shop").await;
    let rows = [
        row("POST /session/start").json(json!({"session": "shop"})).fails(400, "Session already exist"),
        row("GET /status/shop").is(200, json!({"connected": true, "...": 0})),
    ];
    check(&gateway, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_one() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    let start = |name: &str| row("POST /session/start").json(json!({"session": name}));
    let bad = |name: &str| start(name).is(400, json!({"message": "<text>", "code": "invalid_session_name"}));
    let long = "x".repeat(129);
    let rows = [
        bad(""),
        bad(" "),
        bad("."),
        bad(".."),
        bad("../admin"),
        bad("a/b"),
        bad("a\\b"),
        bad("a\nb"),
        bad("a\u{0}b"),
        bad("a\u{202e}b"),
        bad(&long),
        // Anything else that people write is a name.
        start("Магазин 1 – 店").is(200, json!({"qr": "<text>", "session": "Магазин 1 – 店"})),
        row("GET /session").is(200, json!({"data": ["Магазин 1 – 店"]})),
    ];
    check(&gateway, &rows).await;
}
