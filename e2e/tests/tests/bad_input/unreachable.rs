//! WhatsApp cannot be reached: the gateway says so where somebody asks about a session, and is well otherwise.

use std::time::{Duration, Instant};

use e2e::{Gateway, PATIENCE, Storage, World, eventually};
use scratch::free_port;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_whatsapp_says_so_in_time() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::prepare(&world);
    gateway.set("WHATSAPP_URL", &format!("ws://127.0.0.1:{}/ws/chat", free_port()));
    gateway.up().await;
    let began = Instant::now();
    let answer = gateway.post("/session/start", json!({"session": "shop"})).await;
    let took = began.elapsed();
    println!("after {took:.1?}: {} {}", answer.status, answer.text);
    assert!((500..600).contains(&answer.status), "{} {}", answer.status, answer.text);
    assert!(answer.message().contains("WhatsApp"), "{}", answer.text);
    assert!(took < Duration::from_secs(30), "{took:?}");
    let status = eventually("a reason", PATIENCE, async || {
        let status = gateway.status("shop").await;
        status["last_state_reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("cannot be reached"))
            .then_some(status)
    })
    .await;
    assert_eq!((&status["connected"], &status["state"]), (&json!(false), &json!("connecting")), "{status}");
    assert_eq!((gateway.get("/health").await.status, gateway.get("/ready").await.status), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_loses_whatsapp_says_why_and_since_when() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", "628110000001").await;
    assert_eq!(gateway.status("shop").await["disconnected_since"], json!(null));
    world.whatsapp.shutdown().await;
    let status = eventually("a reason", PATIENCE, async || {
        let status = gateway.status("shop").await;
        status["last_state_reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("cannot be reached"))
            .then_some(status)
    })
    .await;
    assert_eq!(status["state"], "reconnecting", "{status}");
    assert_eq!(
        (&status["connected"], &status["credentials_present"]),
        (&json!(false), &json!(true)),
        "{status}"
    );
    assert!(!status["disconnected_since"].is_null(), "{status}");
    assert!(status["hours_disconnected"].is_number(), "{status}");
    assert_eq!((gateway.get("/health").await.status, gateway.get("/ready").await.status), (200, 200));
    let all = gateway.get("/status").await.json;
    assert_eq!((&all["sessions_expected"], &all["sessions_connected"]), (&json!(1), &json!(0)), "{all}");
    assert_eq!(all["sessions_down"], json!(["shop"]), "{all}");
}
