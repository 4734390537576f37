//! Cookies and keys: whom they let in, and until when.

use std::time::Duration;

use serde_json::json;

use super::Peer;
use crate::testing::{Rig, received};

#[tokio::test]
async fn a_login_ends_when_it_is_idle_and_lives_while_it_is_used() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let (used, idle) = (rig.log_in(&anna).await, rig.log_in(&anna).await);
    let status = async |cookie: &str| rig.get("/session").cookie(cookie).send().await.status;
    for _ in 0..3 {
        rig.advance(Duration::from_hours(5));
        assert_eq!(status(&used).await, 200);
    }
    assert_eq!(status(&idle).await, 401);
    for _ in 0..50 {
        rig.advance(Duration::from_hours(3));
        status(&used).await;
    }
    assert_eq!(rig.another().get("/session").cookie(&used).send().await.status, 200);
    rig.advance(Duration::from_hours(4));
    assert_eq!(status(&used).await, 401, "a week is over");
    assert_eq!(rig.database.tidy_access().await.unwrap(), 2);
}

#[tokio::test]
async fn another_password_ends_logins_and_keys_at_once() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let (cookie, key) = (rig.log_in(&anna).await, rig.key(&anna, &["sessions:read"]).await);
    assert_eq!(rig.get("/session").cookie(&cookie).send().await.status, 200);
    assert_eq!(rig.get("/session").bearer(&key).send().await.status, 200);
    let url = format!("/admin/users/{}/password", anna.id);
    assert_eq!(rig.put(&url, &json!({"password": "new one"})).send().await.status, 200);
    assert_eq!(rig.get("/session").cookie(&cookie).send().await.status, 401);
    assert_eq!(rig.get("/session").bearer(&key).send().await.status, 401);
}

#[tokio::test]
async fn a_deleted_user_has_no_login_and_no_key() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let (cookie, key) = (rig.log_in(&anna).await, rig.key(&anna, &["sessions:read"]).await);
    assert_eq!(rig.get("/session").cookie(&cookie).send().await.status, 200);
    assert_eq!(rig.request("DELETE", &format!("/admin/users/{}", anna.id)).send().await.status, 200);
    assert_eq!(rig.get("/session").cookie(&cookie).send().await.status, 401);
    assert_eq!(rig.get("/session").bearer(&key).send().await.status, 401);
}

#[tokio::test]
async fn with_a_cookie_only_our_own_pages_change_anything() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let cookie = rig.log_in(&anna).await;
    let stop = |name: &'static str, value: &str| {
        let call = rig.post("/session/shop/stop", &json!({})).anonymous().header("cookie", &cookie);
        call.header(name, value)
    };
    rig.session_of(&anna, "anna_shop").await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("x-nothing", "1"),
        ("origin", "null"),
    ] {
        let answer = stop(name, value).send().await;
        answer.fails(403, "cross_site", "A browser sent this request from another site");
    }
    // Some of the contract's GETs change things, too.
    let logout = rig.get("/session/logout?session=shop").anonymous().header("cookie", &cookie).send().await;
    assert_eq!(logout.code(), "cross_site");
    assert_eq!(stop("sec-fetch-site", "same-origin").send().await.status, 200);
    let own = stop("origin", "http://wa.example").header("host", "wa.example").send().await;
    assert_eq!(own.status, 200);
    assert_eq!(rig.get("/session").anonymous().header("cookie", &cookie).send().await.status, 200);
}

#[tokio::test]
async fn a_key_opens_what_it_is_for() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    rig.session_of(&anna, "anna_shop").await;
    let key = rig.key(&anna, &["sessions:read"]).await;
    let get = async |path: &str| rig.get(path).bearer(&key).send().await;
    assert_eq!(get("/session/shop").await.status, 200);
    assert_eq!(get("/status").await.status, 200);
    assert_eq!(get("/status/shop").await.status, 200);
    let table = [
        ("GET", "/session/shop/qr", "sessions:write"),
        ("POST", "/session/shop/stop", "sessions:write"),
        ("GET", "/session/logout?session=shop", "sessions:write"),
        ("POST", "/message/send-text", "messages:send"),
        ("GET", "/message/x", "messages:read"),
        ("GET", "/media/x.jpg", "messages:read"),
        ("GET", "/events", "messages:read"),
        ("GET", "/webhook/endpoints", "webhooks:read"),
        ("PUT", "/dashboard/callback", "webhooks:write"),
        ("GET", "/admin/users", "admin"),
    ];
    for (method, path, scope) in table {
        let answer = rig.request(method, path).bearer(&key).send().await;
        answer.fails(403, "missing_scope", &format!("This API key lacks the scope {scope}"));
    }
    // Its user is no admin, whatever it is for: as with a name and a password.
    let admins = rig.admin_key(&["admin", "sessions:read"]).await;
    assert_eq!(rig.get("/admin/users").bearer(&admins).send().await.status, 200);
    assert_eq!(rig.get("/dashboard").bearer(&admins).send().await.code(), "login_required");
}

#[tokio::test]
async fn a_wrong_key_is_asked_for_and_counted_once() {
    let rig = Rig::new().await;
    let peer = Peer("192.0.2.7".parse().unwrap());
    let wrong = format!("wag_{}", "A".repeat(43));
    for _ in 0..100 {
        let answer = rig.get("/session").bearer(&wrong).extension(peer).send().await;
        answer.fails(401, "invalid_credentials", "Invalid credentials");
    }
    for n in 0..29 {
        let other = format!("wag_{n:043}");
        assert_eq!(rig.get("/session").bearer(&other).extension(peer).send().await.status, 401);
    }
    let guesser = rig.get("/session").bearer(&format!("wag_{}", "B".repeat(43))).extension(peer);
    assert_eq!(guesser.send().await.status, 401);
    let guesser = rig.get("/session").bearer(&format!("wag_{}", "C".repeat(43))).extension(peer);
    assert_eq!(guesser.send().await.code(), "too_many_failures");
    for short in ["wag_", "wag_x", &format!("wag_{}", "ä".repeat(43))] {
        assert_eq!(rig.get("/session").bearer(short).send().await.status, 401, "{short}");
    }
}

#[tokio::test]
async fn a_cookie_is_no_key_and_a_key_no_cookie() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let (cookie, key) = (rig.log_in(&anna).await, rig.key(&anna, &["sessions:read"]).await);
    let token = cookie.strip_prefix("wag_session=").unwrap();
    assert_eq!(rig.get("/session").bearer(token).send().await.status, 401);
    assert_eq!(rig.get("/session").cookie(&format!("wag_session={key}")).send().await.status, 401);
}

#[tokio::test]
async fn a_stream_ends_with_the_login_that_opened_it() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let cookie = rig.log_in(&anna).await;
    let mut stream = rig.get("/events").cookie(&cookie).open().await;
    let runner = rig.runner().connects().start().await;
    rig.post("/session/start", &json!({"session": "shop"})).by(&anna).send().await;
    rig.database.commit_inbound(runner.fence("anna_shop"), vec![received("AAA", "halo")]).await.unwrap();
    rig.hint_events_of(&anna);
    assert!(stream.next().await.is_some());
    assert_eq!(rig.request("POST", "/auth/logout").cookie(&cookie).send().await.status, 204);
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn on_our_own_pages_the_cookie_counts_and_not_what_the_browser_knows() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    let cookie = rig.log_in(&anna).await;
    let who = async |name: &'static str, value: &str| {
        // With the admin's name and password.
        let call = rig.get("/auth/me").header("cookie", &cookie).header("sec-fetch-site", "same-origin");
        call.header(name, value).send().await.json()["data"]["username"].clone()
    };
    assert_eq!(who("x-requested-with", "dashboard").await, "anna");
    assert_eq!(who("accept", "text/event-stream").await, "anna");
    assert_eq!(who("sec-fetch-dest", "image").await, "anna");
    assert_eq!(who("accept", "*/*").await, "admin");
}
