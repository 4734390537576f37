//! Section 1: who gets in, what is wrong with a request, and what every answer carries.

use std::fs;

use e2e::{Storage, World, check, row};
use serde_json::json;

use super::{gateway, with_shop};

const REALM: &str = "Basic realm=\"WA Gateway\"";

/// Every route that needs credentials; also one that is not there for the method.
const SECURED: [&str; 9] = [
    "GET /session",
    "POST /session/start",
    "GET /session/start?session=shop",
    "POST /session/logout",
    "DELETE /session/logout?session=shop",
    "POST /message/send-text",
    "GET /message/send-text?session=shop&to=1&text=x",
    "GET /status",
    "GET /status/shop",
];

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_in() {
    let world = World::new(Storage::Sqlite).await;
    let settings = [("ADMIN_USER", "boss"), ("ADMIN_PASSWORD", "pass:with:colons")];
    let gateway = gateway(&world, &settings).await;
    let basic = |header: &str| row("GET /session").nobody().header("authorization", header);
    for request in SECURED {
        let rows = [
            row(request).nobody().fails(401, "Unauthorized").with("www-authenticate", REALM),
            row(request)
                .login("boss", "wrong")
                .fails(401, "Invalid credentials")
                .with("www-authenticate", REALM),
            row(request)
                .login("admin", "admin")
                .fails(401, "Invalid credentials")
                .with("www-authenticate", REALM),
        ];
        check(&gateway, &rows).await;
    }
    let rows = [
        row("GET /session").login("boss", "pass:with:colons").is(200, json!({"data": []})),
        row("GET /session").login("boss", "pass").fails(401, "Invalid credentials"),
        row("GET /session").login("boss", "pass:with").fails(401, "Invalid credentials"),
        row("GET /session").login("boss", "").fails(401, "Invalid credentials"),
        basic("Bearer abc").fails(401, "Unauthorized").with("www-authenticate", REALM),
        basic("Digest username=\"boss\"").fails(401, "Unauthorized"),
        basic("Basic").fails(401, "Unauthorized"),
        basic("Basic !!!").fails(401, "Unauthorized"),
        // boss:pass:with:colons, the scheme in another case
        basic("basic Ym9zczpwYXNzOndpdGg6Y29sb25z").is(200, json!({"data": []})),
        row("GET /").nobody().contains(200, "<html"),
        row("GET /health").nobody().is(200, json!({"status": "ok", "...": 0})),
        row("GET /ready").nobody().is(200, json!({"ready": true, "...": 0})),
    ];
    check(&gateway, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_settings_the_login_is_admin_admin_and_an_env_file_is_read() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = e2e::Gateway::prepare(&world);
    gateway.up().await;
    check(&gateway, &[row("GET /session").login("admin", "admin").is(200, json!({"data": []}))]).await;
    gateway.terminate().await;
    fs::write(gateway.folder().join(".env"), "ADMIN_USER=chief\nADMIN_PASSWORD='from a file'\n").unwrap();
    gateway.up().await;
    let rows = [
        row("GET /session").login("chief", "from a file").is(200, json!({"data": []})),
        row("GET /session").login("admin", "admin").fails(401, "Invalid credentials"),
    ];
    check(&gateway, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request() {
    let (_world, gateway) = with_shop().await;
    let send = || row("POST /message/send-text");
    let start = || row("POST /session/start");
    let text = |to| json!({"session": "shop", "to": to, "text": "x", "nobody": {"asks": "for this"}});
    let rows = [
        // The first wrong field is named.
        send().json(json!({})).fails(400, "Required field 'session' on json"),
        send().json(json!({"session": "shop"})).fails(400, "Required field 'to' on json"),
        send().json(json!({"session": "shop", "to": "1"})).fails(400, "Required field 'text' on json"),
        send().json(text(json!(1))).fails(400, "Expected string, received number field 'to' on json"),
        send().json(text(json!(null))).fails(400, "Expected string, received null field 'to' on json"),
        send().json(text(json!(true))).fails(400, "Expected string, received boolean field 'to' on json"),
        send().json(text(json!([]))).fails(400, "Expected string, received array field 'to' on json"),
        send().json(text(json!({}))).fails(400, "Expected string, received object field 'to' on json"),
        send()
            .json(json!({"session": "shop", "to": "1", "text": "x", "is_group": "yes"}))
            .fails(400, "Expected boolean, received string field 'is_group' on json"),
        row("GET /message/send-text").fails(400, "Required field 'session' on query"),
        row("GET /message/send-text?session=shop&to=1").fails(400, "Required field 'text' on query"),
        row("GET /session/start").fails(400, "Required field 'session' on query"),
        start()
            .json(json!({"session": 7}))
            .fails(400, "Expected string, received number field 'session' on json"),
        // Bodies.
        send().body("application/json", "{\"session\":").fails(400, "Malformed JSON in request body"),
        send().body("application/json", "").fails(400, "Malformed JSON in request body"),
        start()
            .body("application/json; charset=utf-8", "nonsense")
            .fails(400, "Malformed JSON in request body"),
        // A body of another content type counts as an empty object.
        start().body("text/plain", "{\"session\":\"x\"}").fails(400, "Required field 'session' on json"),
        start()
            .body("application/x-www-form-urlencoded", "session=x")
            .fails(400, "Required field 'session' on json"),
        start().fails(400, "Required field 'session' on json"),
        // Unknown fields are ignored.
        send().json(text(json!("628110000002"))).is(200, json!({"data": "<any>"})),
        // Unknown routes.
        row("GET /nothing").fails(404, "Route not found"),
        row("GET /nothing").nobody().fails(404, "Route not found"),
        row("PUT /message/send-text").fails(404, "Route not found"),
        row("GET /session/").fails(404, "Route not found"),
    ];
    check(&gateway, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_origin_may_ask() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    let preflight = |request| {
        row(request)
            .nobody()
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .is_empty(204)
            .with("access-control-allow-origin", "*")
            .with("access-control-allow-methods", "*")
            .with("access-control-allow-headers", "authorization,content-type")
    };
    let rows = [
        preflight("OPTIONS /message/send-text"),
        preflight("OPTIONS /session/start"),
        preflight("OPTIONS /nothing"),
        row("GET /session").header("origin", "https://shop.example").with("access-control-allow-origin", "*"),
        row("GET /session").nobody().fails(401, "Unauthorized").with("access-control-allow-origin", "*"),
        row("GET /nothing").fails(404, "Route not found").with("access-control-allow-origin", "*"),
    ];
    check(&gateway, &rows).await;
}
