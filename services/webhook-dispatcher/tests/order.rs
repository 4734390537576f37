//! The order within a chat.

use std::time::Duration;

use crate::{
    receiver::{Answer, Receiver},
    rig::{Rig, message, settings},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_chat_waits_for_a_failed_message_and_others_do_not() {
    let receiver = Receiver::with(|webhook, nth| {
        Answer::Status(if webhook.text() == "a1" && nth < 2 { 503 } else { 200 })
    })
    .await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("a", "a1"), message("a", "a2"), message("b", "b1")]).await;
    receiver.wait(2).await;
    rig.until(2, 0, 0).await;
    rig.receive(fence, vec![message("a", "a3")]).await;
    rig.until(3, 0, 0).await;
    rig.advance(7 * SECOND);
    receiver.wait(5).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
    let of_a: Vec<_> = receiver.texts().into_iter().filter(|text| text.starts_with('a')).collect();
    assert_eq!(of_a, ["a1", "a1", "a2", "a3"]);
}

#[tokio::test]
async fn a_message_that_is_never_taken_stops_its_chat_for_a_while_only() {
    let receiver =
        Receiver::with(|webhook, _| Answer::Status(if webhook.text() == "bad" { 500 } else { 200 })).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    rig.receive(fence, vec![message("a", "bad"), message("a", "good")]).await;
    let running = rig.dispatch(settings());
    receiver.wait(1).await;
    for (pause, tries) in [(7, 2), (40, 3)] {
        rig.until(2, 0, 0).await;
        rig.advance(pause * SECOND);
        receiver.wait(tries).await;
    }
    receiver.wait(4).await;
    rig.until(1, 0, 0).await;
    running.stop().await;
    assert_eq!(receiver.texts(), ["bad", "bad", "bad", "good"]);
}

#[tokio::test]
async fn many_chats_at_once_each_keep_their_order() {
    let receiver = Receiver::content().await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    for round in 0..20 {
        let messages = (0..10).map(|chat| message(&format!("c{chat}"), &format!("c{chat} {round:02}")));
        rig.receive(fence, messages.collect()).await;
    }
    receiver.wait(200).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
    let mut texts = receiver.texts();
    assert_eq!(texts.len(), 200);
    // A stable sort by chat leaves each chat's order as it arrived.
    texts.sort_by_key(|text| text.split(' ').next().unwrap().to_owned());
    let mut sorted = texts.clone();
    sorted.sort();
    assert_eq!(texts, sorted);
}
