//! WhatsApp hears that a message arrived only after its event is in the database: before that it comes again, after
//! that it is there.

use std::collections::BTreeSet;

use e2e::{Delivery, Gateway, Locked, PATIENCE, Storage, Webhook, World, eventually};
use rstest::rstest;

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

/// What became of a message at the gateway's companion device.
fn delivery(world: &World, id: &str) -> Delivery {
    let ledger = world.whatsapp.ledger();
    let device = ledger.deliveries.get(&format!("{OURS}:1"));
    device.and_then(|messages| messages.get(id)).copied().unwrap_or_default()
}

/// Waits for a text that was not settled before: its one webhook, and its settlement.
async fn comes_again(world: &World, id: &str, text: &str) {
    world.webhooks.text(text, PATIENCE).await;
    let phone = world.whatsapp.account(OURS).unwrap();
    phone.wait_settled(PATIENCE).await.unwrap();
    world.whatsapp.account(THEIRS).unwrap().say(OURS, "the end").unwrap();
    world.webhooks.text("the end", PATIENCE).await;
    let texts: Vec<_> =
        world.webhooks.messages().iter().map(|hook| hook.text("message").to_owned()).collect();
    assert_eq!(texts, [text, "the end"], "one webhook each");
    let delivery = delivery(world, id);
    assert!(delivery.delivered >= 2 && delivery.settled == 1, "{delivery:?}");
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_it_was_read(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.create_account(THEIRS).await;

    gateway.freeze();
    let id = phone.say(OURS, "while frozen").unwrap();
    let relayed = async || (delivery(&world, &id).delivered == 1).then_some(());
    eventually("the message on the wire", PATIENCE, relayed).await;
    gateway.kill();
    assert_eq!(delivery(&world, &id), Delivery { delivered: 1, settled: 0 });
    gateway.up().await;
    comes_again(&world, &id, "while frozen").await;
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_receipt_and_commit(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.create_account(THEIRS).await;

    let mut lock = Locked::take(&world, &gateway).await;
    let id = phone.say(OURS, "while locked").unwrap();
    let ours = world.whatsapp.account(OURS).unwrap();
    // On SQLite the lease cannot be renewed either: the gateway lets go of WhatsApp, without a word about the message.
    lock.contended(async || ours.connected() == 0).await;
    assert_eq!(delivery(&world, &id), Delivery { delivered: 1, settled: 0 });
    gateway.kill();
    lock.release().await;
    assert_eq!(delivery(&world, &id).settled, 0);
    gateway.up().await;
    comes_again(&world, &id, "while locked").await;
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_is_in_the_database(#[case] storage: Storage) {
    const TEXTS: usize = 60;
    let world = World::new(storage).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.create_account(THEIRS).await;
    let ours = world.whatsapp.account(OURS).unwrap();

    // Nothing can be delivered before the end, so what arrives later was stored.
    world.webhooks.down().await;
    let ids: Vec<_> = (0..TEXTS).map(|number| phone.say(OURS, &format!("text {number}")).unwrap()).collect();
    let settled =
        || ids.iter().filter(|id| delivery(&world, id).settled > 0).cloned().collect::<BTreeSet<_>>();
    eventually("the first settlements", PATIENCE, async || (!settled().is_empty()).then_some(())).await;
    gateway.kill();
    ours.wait_connected(0, PATIENCE).await.unwrap();
    // From here on WhatsApp sends nothing: whatever comes, comes from the database.
    ours.hold();
    let settled = settled();
    world.webhooks.up().await;
    gateway.up().await;
    let came = || -> BTreeSet<_> { world.webhooks.messages().iter().map(message_id).collect() };
    eventually("what was settled", 2 * PATIENCE, async || came().is_superset(&settled).then_some(())).await;
    println!(
        "{storage:?}: killed with {} of {TEXTS} messages settled; all of them came from the database",
        settled.len()
    );

    ours.release();
    eventually("the rest", PATIENCE, async || (came().len() == TEXTS).then_some(())).await;
    let mut seen = BTreeSet::new();
    let mut order = world.webhooks.messages();
    order.retain(|webhook| seen.insert(webhook.id.clone()));
    assert_eq!(order.iter().map(message_id).collect::<Vec<_>>(), ids, "each once, in order");
}

fn message_id(webhook: &Webhook) -> String {
    webhook.text("messageId").to_owned()
}
