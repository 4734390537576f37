//! Settings that are wrong: the start ends with the setting's name and what is allowed.

use e2e::{Gateway, Storage, World};
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::unknown("RUNNER_CAPACTY", "10", &["RUNNER_CAPACTY", "RUNNER_CAPACITY"])]
#[case::not_a_number("PORT", "abc", &["PORT=abc", "a whole number from 1 to 65535"])]
#[case::too_large("PORT", "70000", &["PORT=70000", "a whole number from 1 to 65535"])]
#[case::negative("WEBHOOK_TIMEOUT_SECONDS", "-1", &["WEBHOOK_TIMEOUT_SECONDS=-1", "from 0.5 to 300"])]
#[case::not_a_word("SQLITE_SYNCHRONOUS", "off", &["SQLITE_SYNCHRONOUS=off", "full", "normal"])]
#[case::not_a_network("EGRESS_ALLOW", "localhost", &["EGRESS_ALLOW=localhost"])]
#[case::not_a_url("WEBHOOK_BASE_URL", "example.org/hook", &["WEBHOOK_BASE_URL", "http"])]
#[case::scheme("WHATSAPP_URL", "https://web.whatsapp.com", &["WHATSAPP_URL", "wss"])]
#[case::database("DATABASE_URL", "mysql://db/x", &["DATABASE_URL", "postgres", "sqlite"])]
#[case::conflict("RUNNER_FENCE_SECONDS", "60", &["RUNNER_FENCE_SECONDS", "RUNNER_LEASE_SECONDS", "shorter"])]
#[case::open_to_all("HOST", "0.0.0.0", &["HOST=0.0.0.0", "ADMIN_PASSWORD"])]
#[case::open_to_all_v6("HOST", "::", &["HOST=::", "ADMIN_PASSWORD"])]
#[case::not_an_address("HOST", "localhost!", &["HOST=localhost!"])]
#[case::filter("RUST_LOG", "info,=,", &["RUST_LOG"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_is_refused_by_name(#[case] name: &str, #[case] value: &str, #[case] words: &[&str]) {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::prepare(&world);
    gateway.set(name, value);
    let exit = gateway.run_to_its_end().await;
    println!("{}", exit.said.trim());
    assert_eq!(exit.code, Some(2), "{}", exit.said);
    for word in words {
        assert!(exit.said.contains(word), "{word:?} is missing: {}", exit.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::prepare(&world);
    let taken = world.webhooks.url().rsplit(':').next().unwrap().to_owned();
    gateway.set("PORT", &taken);
    let exit = gateway.run_to_its_end().await;
    assert_eq!(exit.code, Some(1), "{}", exit.said);
    assert!(exit.said.contains(&format!("127.0.0.1:{taken}")), "{}", exit.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_who_is_somebody_else_is_refused() {
    let world = World::new(Storage::Sqlite).await;
    let mut gateway = Gateway::start(&world).await;
    let anna = json!({"username": "anna", "password": "a:secret"});
    assert_eq!(gateway.post("/admin/users", anna).await.status, 200);
    gateway.terminate().await;
    gateway.set("ADMIN_USER", "anna");
    let exit = gateway.run_to_its_end().await;
    assert_eq!(exit.code, Some(1), "{}", exit.said);
    assert!(exit.said.contains("ADMIN_USER: 'anna' is a user who is no admin"), "{}", exit.said);
}
