//! Sessions come back after a planned stop and after a death, without a scan.

use std::time::Instant;

use e2e::{Gateway, PATIENCE, Storage, World};
use futures::future::join_all;
use rstest::rstest;
use serde_json::json;

const SESSIONS: usize = 5;

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn sessions_come_back_without_a_scan(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let mut gateway = Gateway::start(&world).await;
    let names: Vec<_> = (0..SESSIONS).map(|number| format!("shop-{number}")).collect();
    let numbers: Vec<_> = (0..SESSIONS).map(|number| format!("62811000000{number}")).collect();
    let rest = &gateway;
    join_all(names.iter().zip(&numbers).map(|(name, number)| rest.link(name, number))).await;

    let (code, took) = gateway.terminate().await;
    assert_eq!(code, Some(0), "SIGTERM is not a failure");
    let began = Instant::now();
    gateway.up().await;
    all_connected(&world, &gateway, &names, &numbers).await;
    println!(
        "{storage:?}: {SESSIONS} sessions stopped in {took:.1?}, connected again in {:.1?}",
        began.elapsed()
    );

    gateway.kill();
    let began = Instant::now();
    gateway.up().await;
    all_connected(&world, &gateway, &names, &numbers).await;
    println!("{storage:?}: {SESSIONS} sessions killed, connected again in {:.1?}", began.elapsed());

    let phone = world.whatsapp.create_account("628220000000").await;
    for number in &numbers {
        phone.say(number, &format!("hello {number}")).unwrap();
        world.webhooks.text(&format!("hello {number}"), PATIENCE).await;
    }
}

async fn all_connected(world: &World, gateway: &Gateway, names: &[String], numbers: &[String]) {
    for (name, number) in names.iter().zip(numbers) {
        let phone = world.whatsapp.account(number).unwrap();
        phone.wait_connected(1, PATIENCE).await.unwrap();
        assert_eq!(phone.devices().len(), 2, "the phone has one companion, as before");
        let status = gateway.connected(name).await;
        assert_eq!(status["connected"], true, "{status}");
        assert_eq!(status["hours_disconnected"], 0, "{status}");
    }
    let all = gateway.get("/status").await.json;
    assert_eq!(
        (&all["sessions_expected"], &all["sessions_connected"]),
        (&json!(names.len()), &json!(names.len()))
    );
    assert_eq!(all["sessions_down"], json!([]), "{all}");
}
