//! What WhatsApp takes away: each is a state with its reason, and says whether a person is needed.

use e2e::{Failure, Gateway, Kick, PATIENCE, Storage, World, stored_keys};
use serde_json::json;

const OURS: &str = "628110000001";

/// Waits until a session is in a state that needs a person, and checks that status, webhook and API agree.
async fn ends_in(world: &World, gateway: &Gateway, state: &str, needs_qr: bool) {
    let status = gateway.state("shop", state).await;
    let reason = status["last_state_reason"].as_str().unwrap_or_default();
    println!("{state}: {reason}");
    assert!(!reason.is_empty(), "{status}");
    assert_eq!(status["connected"], false, "{status}");
    assert!(!status["disconnected_since"].is_null(), "{status}");
    let webhook = world.webhooks.state("shop", state, PATIENCE).await;
    assert_eq!(webhook.text("status"), "disconnected");
    assert_eq!(webhook.text("reason"), reason);
    assert_eq!(
        (&webhook.body["needs_person"], &webhook.body["needs_qr"]),
        (&json!(true), &json!(needs_qr)),
        "{}",
        webhook.body
    );
    let (health, ready) = (gateway.get("/health").await, gateway.get("/ready").await);
    assert_eq!((health.status, ready.status), (200, 200), "neither is about one number");
    let body = json!({"session": "shop", "to": "628110000002", "text": "halo", "queue": false});
    let answer = gateway.post("/message/send-text", body).await;
    assert!((400..600).contains(&answer.status), "{} {}", answer.status, answer.text);
    assert!(!answer.message().is_empty(), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_unlinked_us_must_scan_again() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let keys = stored_keys(&gateway).await;
    let phone = world.whatsapp.account(OURS).unwrap();
    phone.kick_all(Kick::Removed);
    ends_in(&world, &gateway, "logged_out", true).await;
    assert!(keys > 0 && stored_keys(&gateway).await > 0, "credentials are not deleted by themselves");

    gateway.restart().await;
    assert_eq!(gateway.status("shop").await["state"], "logged_out", "a restart does not hide it");
    assert_eq!(gateway.get("/session").await.json, json!({"data": ["shop"]}));
    gateway.link("shop", OURS).await;
    let someone = world.whatsapp.create_account("628220000000").await;
    someone.say(OURS, "after the second scan").unwrap();
    world.webhooks.text("after the second scan", PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_whatsapp_no_longer_knows_must_scan_again() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    gateway.terminate().await;
    world.whatsapp.account(OURS).unwrap().fail_next_login(Failure::LoggedOut);
    gateway.up().await;
    ends_in(&world, &gateway, "logged_out", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_number_says_so() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.account(OURS).unwrap();
    phone.refuse_logins(Some(Failure::Locked));
    phone.kick_all(Kick::Close);
    ends_in(&world, &gateway, "banned", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_banned_for_a_time_says_so() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.account(OURS).unwrap();
    phone.refuse_logins(Some(Failure::TemporaryBan { code: 101, expire: 3600 }));
    phone.kick_all(Kick::Close);
    ends_in(&world, &gateway, "banned", false).await;
    let status = gateway.status("shop").await;
    assert!(status["last_state_reason"].as_str().unwrap().contains("until 20"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_too_old_says_so() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    world.whatsapp.account(OURS).unwrap().outdate();
    ends_in(&world, &gateway, "outdated", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_another_client_took_is_tried_once_more() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.account(OURS).unwrap();
    phone.kick_all(Kick::Replaced);
    gateway.state("shop", "reconnecting").await;
    gateway.connected("shop").await;
    phone.kick_all(Kick::Replaced);
    ends_in(&world, &gateway, "replaced", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_come_back_by_themselves() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.account(OURS).unwrap();
    let someone = world.whatsapp.create_account("628220000000").await;
    for kick in [Kick::Drop, Kick::Close, Kick::Restart, Kick::Unavailable] {
        let logins = phone.devices()[1].logins;
        phone.kick_all(kick);
        let text = format!("after {kick:?}");
        someone.say(OURS, &text).unwrap();
        world.webhooks.text(&text, PATIENCE).await;
        gateway.connected("shop").await;
        assert!(phone.devices()[1].logins > logins, "{kick:?}");
    }
    let status = gateway.status("shop").await;
    assert_eq!(status["hours_disconnected"], 0, "{status}");
}
