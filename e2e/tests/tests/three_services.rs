//! The gateway as three services on one PostgreSQL and one NATS: what it does is the same, and what a process lacks is
//! said.

use std::time::Duration;

use e2e::{
    PATIENCE, Storage, Wire, World,
    cluster::{Member, Role, Shared, connected, link},
    eventually,
};
use scratch::{nats_url, postgres_url};
use serde_json::json;

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

fn shared(world: &World, prefix: &str) -> Shared {
    Shared {
        database: postgres_url().unwrap(),
        nats: nats_url().unwrap(),
        whatsapp: world.whatsapp.chat_url(),
        webhooks: world.webhooks.url(),
        settings: vec![("NATS_PREFIX".to_owned(), prefix.to_owned())],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_both_ways_through_separate_services() {
    let world = World::new(Storage::Postgres).await;
    let shared = shared(&world, "both-ways");
    let mut api = Member::prepare(&shared, Role::Api, "api-1").await;
    let mut runner = Member::prepare(&shared, Role::SessionRunner, "runner-1").await;
    let mut dispatcher = Member::prepare(&shared, Role::WebhookDispatcher, "dispatcher-1").await;
    // All at once: who comes first brings the schema up to date, the others wait for it.
    for member in [&mut api, &mut runner, &mut dispatcher] {
        member.launch();
    }
    for member in [&mut api, &mut runner, &mut dispatcher] {
        member.ready().await;
    }
    for (member, role) in [(&api, "api"), (&runner, "session-runner"), (&dispatcher, "webhook-dispatcher")] {
        let checked = member.run(&["healthcheck", role]).await;
        assert_eq!(checked.code, Some(0), "{}", checked.said);
    }
    let rest = api.rest();
    link(&rest, &world.whatsapp, "shop", OURS).await;
    let contact = world.contact(THEIRS).await;

    let body = json!({"session": "shop", "to": THEIRS, "text": "halo"});
    let answer = rest.post("/message/send-text", body).await;
    assert_eq!(answer.status, 200, "WhatsApp's own answer, over the bus: {}", answer.text);
    assert_eq!(contact.next_message(PATIENCE).await.unwrap().text.as_deref(), Some("halo"));
    contact.send_text(OURS, "terima kasih").await.unwrap();
    let webhook = world.webhooks.text("terima kasih", PATIENCE).await;
    assert_eq!(webhook.text("session"), "shop");

    // Another API answers for the same session, and another runner takes it over.
    let mut second_api = Member::prepare(&shared, Role::Api, "api-2").await;
    let mut second = Member::prepare(&shared, Role::SessionRunner, "runner-2").await;
    second_api.up().await;
    second.up().await;
    let (code, took) = runner.terminate().await;
    assert_eq!(code, Some(0), "handed over in {took:?}");
    let rest = second_api.rest();
    connected(&rest, "shop").await;
    rest.send("shop", THEIRS, "after the hand-over", "1").await;
    assert_eq!(contact.next_message(PATIENCE).await.unwrap().text.as_deref(), Some("after the hand-over"));
    contact.send_text(OURS, "also here").await.unwrap();
    world.webhooks.text("also here", PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_says_what_it_lacks() {
    let world = World::new(Storage::Postgres).await;
    let shared = shared(&world, "lacking");
    for role in [Role::Api, Role::SessionRunner, Role::WebhookDispatcher] {
        for (name, value) in [("DATABASE_URL", "sqlite:gateway.db"), ("NATS_URL", ""), ("SECRET_KEYS", "")] {
            let mut member = Member::prepare(&shared, role, "lacking").await;
            member.set(name, value);
            let exit = member.run_to_its_end().await;
            assert_eq!(exit.code, Some(2), "{role:?} {name}: {}", exit.said);
            assert!(exit.said.contains(&format!("set {name}")), "{role:?} {name}: {}", exit.said);
        }
        let mut member = Member::prepare(&shared, role, "wrong").await;
        member.set("DATABASE_URL", &shared.database.replace("/test_", "/nowhere_"));
        let exit = member.run_to_its_end().await;
        assert_eq!(exit.code, Some(1), "{}", exit.said);
        assert!(exit.said.contains("refused the connection"), "{}", exit.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_migrate_waits_for_the_job_that_does() {
    let world = World::new(Storage::Postgres).await;
    let mut shared = shared(&world, "migration");
    shared.settings.push(("MIGRATE_ON_START".to_owned(), "false".to_owned()));
    let mut dispatcher = Member::prepare(&shared, Role::WebhookDispatcher, "dispatcher").await;
    dispatcher.launch();
    eventually("a word about the schema", PATIENCE, async || {
        dispatcher.log().contains("Run `wa-gateway migrate`").then_some(())
    })
    .await;
    let probe = dispatcher.rest();
    assert_eq!(probe.get("/health").await.status, 200, "it is alive while it waits");
    assert_eq!(probe.get("/ready").await.status, 503);
    let job = dispatcher.run(&["migrate"]).await;
    assert_eq!(job.code, Some(0), "{}", job.said);
    dispatcher.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_does_not_need_nats_but_readiness_does() {
    let world = World::new(Storage::Postgres).await;
    let mut shared = shared(&world, "late");
    shared.settings.push(("NATS_CONNECT_SECONDS".to_owned(), "0.5".to_owned()));
    let mut runner = Member::prepare(&shared, Role::SessionRunner, "runner").await;
    runner.to_nats.set(Wire::Broken);
    runner.launch();
    eventually("a start without NATS", PATIENCE, async || {
        runner.log().contains("runner registered").then_some(())
    })
    .await;
    let probe = runner.rest();
    let ready = probe.get("/ready").await;
    assert_eq!((ready.status, &ready.json["code"]), (503, &json!("not_ready")), "{}", ready.text);
    runner.to_nats.set(Wire::Whole);
    runner.ready().await;
    runner.to_database.set(Wire::Broken);
    eventually("readiness to go", PATIENCE, async || (probe.get("/ready").await.status == 503).then_some(()))
        .await;
    assert_eq!(probe.get("/health").await.status, 200);
    runner.to_database.set(Wire::Whole);
    runner.ready().await;
    let (code, took) = runner.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(20), "{took:?}");
}
