//! `kill -9` in the middle of texts both ways: each arrives once at both ends, in the order of its chat.

use std::{env, time::Instant};

use contact::Contact;
use e2e::{Arrival, Gateway, Ledger, PATIENCE, Storage, World, distinct, eventually};
use futures::future::join_all;
use rstest::rstest;
use tokio::sync::watch;

const OURS: &str = "628110000001";
const CHATS: usize = 4;

/// How much is sent, and how often the gateway dies.
struct Plan {
    texts_each_way: usize,
    kills: usize,
}

impl Plan {
    fn in_one_chat(&self) -> usize {
        self.texts_each_way / CHATS
    }

    /// When the gateway dies: after this many have arrived at either end.
    fn kill_at(&self, kill: usize) -> usize {
        self.texts_each_way * (2 * kill + 2) / (2 * self.kills + 3)
    }

    /// How many of a chat's texts may be sent before that death: more than must arrive, less than all, so that it is
    /// always in the middle.
    fn before_kill(&self, kill: usize) -> usize {
        if kill == self.kills {
            return self.in_one_chat();
        }
        self.in_one_chat() * (2 * kill + 4) / (2 * self.kills + 3)
    }
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn every_text_arrives_once_and_in_order(#[case] storage: Storage) {
    kill_in_the_middle(storage, &Plan { texts_each_way: 200, kills: 1 }).await;
}

/// The long form: `E2E_LONG=1`.
#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn every_text_survives_many_kills(#[case] storage: Storage) {
    if env::var_os("E2E_LONG").is_none_or(|value| value.is_empty()) {
        println!("skipped: set E2E_LONG=1 to run it");
        return;
    }
    kill_in_the_middle(storage, &Plan { texts_each_way: 2000, kills: 8 }).await;
}

async fn kill_in_the_middle(storage: Storage, plan: &Plan) {
    let world = World::new(storage).await;
    let mut gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contacts = join_all((0..CHATS).map(async |chat| world.contact(&format!("62822000000{chat}")).await));
    let contacts = contacts.await;
    let (outgoing, incoming) = (Ledger::default(), Ledger::default());
    let (deaths, _) = watch::channel(0);
    let began = Instant::now();

    // The process dies and comes back under the senders, who know nothing of it but what a client would see.
    let rest = gateway.rest();
    let sending = join_all(contacts.iter().map(|contact| async {
        for number in 0..plan.in_one_chat() {
            allowed(plan, &deaths, number).await;
            let text = format!("out {number}");
            rest.send("shop", contact.number(), &text, &format!("{} {number}", contact.number())).await;
            outgoing.sent(contact.number(), &text);
        }
    }));
    let answering = join_all(contacts.iter().map(|contact| async {
        for number in 0..plan.in_one_chat() {
            allowed(plan, &deaths, number).await;
            let text = format!("in {number}");
            contact.send_text(OURS, &text).await.unwrap();
            incoming.sent(contact.number(), &text);
        }
    }));
    let killing = async {
        for kill in 0..plan.kills {
            let enough = plan.kill_at(kill);
            eventually("enough texts at both ends", PATIENCE, async || {
                let (out, webhooks) = counts(&world, &contacts);
                (out >= enough && webhooks >= enough).then_some(())
            })
            .await;
            gateway.kill();
            let (out, webhooks) = counts(&world, &contacts);
            assert!(out.max(webhooks) < plan.texts_each_way, "it died too late to prove anything");
            let took = gateway.up().await;
            println!("killed at {out} texts out and {webhooks} webhooks, ready again in {took:?}");
            deaths.send_replace(kill + 1);
        }
    };
    tokio::join!(sending, answering, killing);

    eventually("all texts at both ends", 2 * PATIENCE, async || {
        let (out, webhooks) = counts(&world, &contacts);
        (out >= plan.texts_each_way && webhooks >= plan.texts_each_way).then_some(())
    })
    .await;
    gateway.connected("shop").await;
    let took = began.elapsed();

    let out = outgoing.tally(&arrived(&contacts));
    let back = incoming.tally(&Arrival::as_webhooks(&world.webhooks.messages()));
    assert_eq!((outgoing.len(), incoming.len()), (plan.texts_each_way, plan.texts_each_way));
    let ledger = world.whatsapp.ledger();
    assert_eq!(
        ledger.distinct_from(OURS),
        plan.texts_each_way,
        "every retry was the same message to WhatsApp"
    );
    no_new_scan(&world);
    println!(
        "{storage:?}: {} texts each way, {} kills, {took:.1?}. At the contacts: {out}. At the webhook: {back}. \
         Sent to WhatsApp more than once: {}.",
        plan.texts_each_way,
        plan.kills,
        ledger.duplicates().len(),
    );
}

/// Waits until a chat's text with this number may be sent.
async fn allowed(plan: &Plan, deaths: &watch::Sender<usize>, number: usize) {
    deaths.subscribe().wait_for(|deaths| number < plan.before_kill(*deaths)).await.unwrap();
}

fn arrived(contacts: &[Contact]) -> Vec<Arrival> {
    contacts.iter().flat_map(Arrival::at_contact).collect()
}

/// Texts at the contacts, and texts at the webhook, each counted once.
fn counts(world: &World, contacts: &[Contact]) -> (usize, usize) {
    (distinct(&arrived(contacts)), distinct(&Arrival::as_webhooks(&world.webhooks.messages())))
}

/// The phone still has the one companion it began with, and nobody was asked to scan again.
fn no_new_scan(world: &World) {
    let devices = world.whatsapp.account(OURS).unwrap().devices();
    assert_eq!(devices.len(), 2, "{devices:?}");
    let sessions = world.webhooks.sessions();
    let states: Vec<_> = sessions.iter().map(|webhook| webhook.text("state")).collect();
    let linked = states.iter().position(|state| *state == "connected").unwrap();
    assert!(!states[linked..].contains(&"pairing"), "{states:?}");
}
