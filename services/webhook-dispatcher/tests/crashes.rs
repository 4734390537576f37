//! A dispatcher that dies.

use std::{collections::HashSet, time::Duration};

use crate::{
    receiver::{Answer, Receiver, Webhook},
    rig::{Rig, message, settings},
};

#[tokio::test]
async fn what_a_dead_dispatcher_held_is_sent_again_with_the_same_id() {
    let receiver = Receiver::with(|_, nth| if nth == 0 { Answer::Never } else { Answer::Status(200) }).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    rig.receive(fence, vec![message("a", "a1"), message("a", "a2")]).await;
    let running = rig.dispatch(settings());
    receiver.wait(1).await;
    running.kill().await;
    assert!(rig.counts().await.claimed >= 1, "its claims stand");

    let next = rig.dispatch(settings());
    let webhooks = receiver.wait(3).await;
    rig.until(0, 0, 0).await;
    next.stop().await;
    assert_eq!(receiver.texts(), ["a1", "a1", "a2"]);
    assert_eq!(webhooks[0].id(), webhooks[1].id());
}

#[tokio::test]
async fn claims_that_run_out_are_taken_over() {
    let receiver = Receiver::content().await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("a", "first")]).await;
    receiver.wait(1).await;
    rig.until(0, 0, 0).await;
    // Somebody else claims, and dies. The dispatcher may look by its own clock in between, and be first.
    let database = &rig.parts.database;
    let mut tries = 0;
    let chat = loop {
        tries += 1;
        assert!(tries < 10, "the dispatcher is always first");
        let chat = format!("c{tries}");
        database.commit_inbound(fence, vec![message(&chat, &format!("{chat} 1"))]).await.unwrap();
        let claimed = database.claim_deliveries(9, Duration::from_mins(1), &[]).await.unwrap();
        if !claimed.deliveries.is_empty() {
            break chat;
        }
    };
    rig.receive(fence, vec![message(&chat, &format!("{chat} 2"))]).await;
    rig.advance(Duration::from_secs(61));
    receiver.wait(tries + 2).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
    let texts = receiver.texts();
    let of_chat: Vec<_> = texts.iter().filter(|text| text.starts_with(&format!("{chat} "))).collect();
    assert_eq!(of_chat, [&format!("{chat} 1"), &format!("{chat} 2")]);
}

#[tokio::test]
async fn killed_again_and_again_everything_arrives_and_in_order() {
    let receiver = Receiver::content().await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    for n in 0..30 {
        rig.receive(
            fence,
            (0..10).map(|chat| message(&format!("c{chat}"), &format!("c{chat} {n:02}"))).collect(),
        )
        .await;
    }
    for so_far in [1, 40, 90, 150] {
        let running = rig.dispatch(settings());
        receiver.wait(so_far).await;
        running.kill().await;
    }
    let running = rig.dispatch(settings());
    rig.until(0, 0, 0).await;
    running.stop().await;
    let webhooks = receiver.webhooks();
    let mut seen = HashSet::new();
    let first: Vec<_> =
        webhooks.iter().filter(|webhook| seen.insert(webhook.id())).map(Webhook::text).collect();
    assert_eq!(first.len(), 300);
    let mut by_chat = first.clone();
    by_chat.sort_by_key(|text| text.split(' ').next().unwrap().to_owned());
    let mut sorted = first;
    sorted.sort();
    assert_eq!(by_chat, sorted, "the first arrivals of a chat are in order");
}
