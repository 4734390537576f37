//! Receivers that fail, in every way they do.

use std::time::Duration;

use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    task::JoinSet,
    time::{Instant, timeout},
};
use webhook_dispatcher::Settings;

use crate::{
    receiver::{Answer, Receiver},
    rig::{NOON, Rig, message, settings},
};

const SECOND: Duration = Duration::from_secs(1);

/// When the next attempt is due, after the failure of the first.
async fn pause(rig: &Rig) -> Duration {
    timeout(10 * SECOND, async {
        loop {
            if let Some(due) = rig.parts.database.next_delivery_due().await.unwrap() {
                return due.since(NOON);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it failed")
}

#[tokio::test]
async fn a_refused_webhook_is_sent_again_with_the_same_id() {
    let receiver = Receiver::with(|_, nth| Answer::Status(if nth < 2 { 500 } else { 200 })).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    receiver.wait(1).await;
    let first = pause(&rig).await;
    assert!((4 * SECOND..8 * SECOND).contains(&first), "{first:?}");
    rig.hint();
    rig.advance(7 * SECOND);
    receiver.wait(2).await;
    rig.until(1, 0, 0).await;
    rig.advance(40 * SECOND);
    let webhooks = receiver.wait(3).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
    assert_eq!(webhooks.len(), 3);
    assert!(webhooks.iter().all(|webhook| webhook.id() == webhooks[0].id()));
    assert!(webhooks.iter().all(|webhook| webhook.body == webhooks[0].body));
    assert_eq!(webhooks[1].headers["webhook-timestamp"], "1800000007");
}

#[tokio::test]
async fn a_retry_comes_due_by_the_clock_alone() {
    let receiver = Receiver::with(|_, nth| Answer::Status(if nth < 1 { 500 } else { 200 })).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    receiver.wait(1).await;
    rig.until(1, 0, 0).await;
    rig.clock.advance(7 * SECOND);
    receiver.wait(2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_down_gets_it_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (rig, fence) = Rig::with_base(&format!("http://{address}/hook")).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    assert!(pause(&rig).await >= 4 * SECOND);
    // The operator starts another one and says where it is.
    let receiver = Receiver::content().await;
    rig.parts.database.set_base_endpoint(Some(&receiver.url)).await.unwrap();
    rig.advance(7 * SECOND);
    receiver.wait(1).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
}

#[tokio::test]
async fn one_deadline_ends_a_slow_attempt() {
    let receiver = Receiver::with(|_, _| Answer::Never).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(Settings { timeout: Duration::from_millis(300), ..settings() });
    let began = Instant::now();
    rig.receive(fence, vec![message("1", "a")]).await;
    pause(&rig).await;
    assert!((Duration::from_millis(300)..3 * SECOND).contains(&began.elapsed()), "{:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let receiver =
        Receiver::with(|_, nth| if nth == 0 { Answer::Truncated } else { Answer::Status(200) }).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    receiver.wait(1).await;
    rig.until(1, 0, 0).await;
    rig.advance(7 * SECOND);
    receiver.wait(2).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
}

#[tokio::test]
async fn a_connection_closed_early_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let _ = connection.read(&mut [0; 64]).await;
        }
    });
    let (rig, fence) = Rig::with_base(&url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    assert!(pause(&rig).await >= 4 * SECOND);
    running.stop().await;
}

#[tokio::test]
async fn an_endless_answer_is_read_to_the_limit_only() {
    let receiver = Receiver::with(|_, _| Answer::Endless).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    timeout(2 * SECOND, rig.until(0, 0, 0)).await.expect("the deadline was needed");
    running.stop().await;
}

#[tokio::test]
async fn gone_disables_the_endpoint() {
    let receiver = Receiver::with(|_, _| Answer::Status(410)).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    rig.receive(fence, vec![message("1", "a"), message("1", "b"), message("1", "c")]).await;
    let running = rig.dispatch(settings());
    receiver.wait(1).await;
    rig.until(0, 0, 3).await;
    let committed = rig.parts.database.commit_inbound(fence, vec![message("2", "d")]).await.unwrap();
    assert_eq!((committed.new, committed.deliveries), (1, 0));
    running.stop().await;
    assert_eq!(receiver.texts(), ["a"]);
}

#[tokio::test]
async fn the_receiver_says_when_to_come_back() {
    let receiver = Receiver::with(|_, _| Answer::With(429, "retry-after", "600")).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    receiver.wait(1).await;
    let pause = pause(&rig).await;
    assert!((600 * SECOND..603 * SECOND).contains(&pause), "{pause:?}");
    running.stop().await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let receiver = Receiver::with(|_, _| Answer::With(307, "location", "/elsewhere")).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    receiver.wait(1).await;
    rig.until(1, 0, 0).await;
    running.stop().await;
    assert_eq!(receiver.webhooks().len(), 1);
}
