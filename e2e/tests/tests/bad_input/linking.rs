//! QR codes that are not, or no longer, this session's.

use e2e::{Gateway, PATIENCE, Storage, World, eventually};
use serde_json::json;

const ONE: &str = "628110000001";
const OTHER: &str = "628110000002";

#[tokio::test(flavor = "multi_thread")]
async fn a_code_links_the_session_that_shows_it_and_no_other() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    let one = gateway.offer("one").await;
    let other = gateway.offer("other").await;
    assert_ne!(one, other);
    assert_eq!(gateway.offer("one").await, one, "asking again gives the code that is on offer");

    world.whatsapp.scan(Some(OTHER), &other).await.unwrap();
    gateway.connected("other").await;
    let status = gateway.status("one").await;
    assert_eq!((&status["state"], &status["connected"]), (&json!("pairing"), &json!(false)), "{status}");
    assert_eq!(gateway.get("/session").await.json, json!({"data": ["one", "other"]}));

    let used = world.whatsapp.scan(Some(ONE), &other).await.unwrap_err();
    println!("a code that was used: {used}");
    world.whatsapp.scan(Some(ONE), &one).await.unwrap();
    gateway.connected("one").await;
    let again = gateway.post("/session/start", json!({"session": "one"})).await;
    assert_eq!((again.status, again.message()), (400, "Session already exist"), "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_code_is_refused_and_the_next_one_links() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    let one = gateway.offer("one").await;
    let other = gateway.offer("other").await;
    // The other session's secret under this session's reference: the gateway must see that it is not its own.
    let secret = |qr: &str| qr.split(',').nth(3).unwrap().to_owned();
    let forged = one.replace(&secret(&one), &secret(&other));
    assert_ne!(forged, one);
    let refused = world.whatsapp.scan(Some(ONE), &forged).await.unwrap_err();
    println!("a forged code: {refused}");
    let status = gateway.status("one").await;
    assert_eq!(
        (&status["connected"], &status["credentials_present"]),
        (&json!(false), &json!(false)),
        "{status}"
    );

    // A new code comes by itself.
    let fresh = eventually("a code that can be scanned", PATIENCE, async || {
        let qr =
            gateway.post("/session/start", json!({"session": "one"})).await.json["qr"].as_str()?.to_owned();
        (qr != one).then_some(qr)
    })
    .await;
    world.whatsapp.scan(Some(ONE), &one).await.unwrap_err();
    world.whatsapp.scan(Some(ONE), &fresh).await.unwrap();
    gateway.connected("one").await;
    world.whatsapp.scan(Some(OTHER), &other).await.unwrap();
    gateway.connected("other").await;
}
