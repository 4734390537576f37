//! Slow and dead endpoints beside living ones, and long backlogs.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::UserId;
use tokio::time::{Instant, timeout};

use crate::{
    receiver::{Answer, Receiver, Webhook},
    rig::{Rig, limited, message, settings},
};

#[tokio::test]
async fn a_dead_endpoint_does_not_slow_a_living_one() {
    let dead = Receiver::with(|_, _| Answer::Never).await;
    let living = Receiver::content().await;
    let rig = Rig::new().await;
    let anna = rig.user("anna", &dead.url).await;
    let berta = rig.user("berta", &living.url).await;
    let (annas, bertas) = (rig.session(anna, "anna_a").await, rig.session(berta, "berta_b").await);
    let running = rig.dispatch(limited(32, 16));
    // Far more than everything that the dispatcher can hold, and older than what the living one gets.
    rig.receive(annas, (0..300).map(|n| message(&format!("c{n}"), &format!("a{n}"))).collect()).await;
    dead.wait(2).await;
    let began = Instant::now();
    for n in 0..50 {
        rig.receive(bertas, vec![message(&format!("c{n}"), &format!("b{n}"))]).await;
    }
    living.wait(50).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_falls_silent_gives_its_capacity_up() {
    let falling = Receiver::content().await;
    let living = Receiver::content().await;
    let rig = Rig::new().await;
    let anna = rig.user("anna", &falling.url).await;
    let berta = rig.user("berta", &living.url).await;
    let (annas, bertas) = (rig.session(anna, "anna_a").await, rig.session(berta, "berta_b").await);
    let running = rig.dispatch(limited(32, 16));
    rig.receive(annas, (0..100).map(|n| message(&format!("c{n}"), &format!("a{n}"))).collect()).await;
    falling.wait(100).await;
    falling.behave(|_, _| Answer::Never);
    rig.receive(annas, (0..100).map(|n| message(&format!("c{n}"), &format!("x{n}"))).collect()).await;
    falling.wait(110).await;
    rig.receive(bertas, vec![message("c", "b")]).await;
    living.wait(1).await;
    assert!(falling.webhooks().len() <= 116, "the living one waited for the silent one's deadline");
    running.stop().await;
}

#[tokio::test]
async fn an_endpoint_gets_no_more_at_once_than_it_should() {
    let now = Arc::new(AtomicUsize::new(0));
    let receiver = {
        let now = Arc::clone(&now);
        Receiver::with(move |_, _| {
            now.fetch_add(1, Ordering::SeqCst);
            Answer::After(Duration::from_millis(50), 200)
        })
        .await
    };
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let began = Instant::now();
    let running = rig.dispatch(limited(64, 4));
    rig.receive(fence, (0..40).map(|n| message(&format!("c{n}"), &format!("m{n}"))).collect()).await;
    let webhooks = receiver.wait(40).await;
    // 40 at four at a time take ten rounds of 50 ms.
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
    let burst = |first: usize| webhooks[first + 4].at.duration_since(webhooks[first].at);
    assert!((0..36).all(|first| burst(first) >= Duration::from_millis(40)), "five within one answer's time");
    running.stop().await;
}

#[tokio::test]
async fn two_thousand_deliveries_all_arrive_once() {
    let receiver = Receiver::content().await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    for batch in 0..20 {
        let messages = (0..100).map(|n| message(&format!("c{}", n % 50), &format!("m{batch}-{n}")));
        rig.receive(fence, messages.collect()).await;
    }
    assert_eq!(rig.counts().await.pending, 2000);
    let began = Instant::now();
    let running = rig.dispatch(settings());
    receiver.wait(2000).await;
    let took = began.elapsed();
    rig.until(0, 0, 0).await;
    running.stop().await;
    println!("2,000 deliveries took {took:?}");
    let webhooks = receiver.webhooks();
    let ids: HashSet<_> = webhooks.iter().map(Webhook::id).collect();
    assert_eq!((webhooks.len(), ids.len()), (2000, 2000));
}

#[tokio::test]
async fn two_dispatchers_share_the_work() {
    let receiver = Receiver::content().await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(settings());
    // On one file a second process is not possible; a second dispatcher is the same to the claims.
    rig.receive(fence, vec![message("a", "first")]).await;
    receiver.wait(1).await;
    rig.until(0, 0, 0).await;
    let second = rig.dispatch(settings());
    rig.receive(fence, (0..200).map(|n| message(&format!("c{}", n % 20), &format!("m{n}"))).collect()).await;
    receiver.wait(201).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
    second.stop().await;
    assert_eq!(receiver.webhooks().len(), 201);
}

#[tokio::test]
async fn stopping_ends_what_is_in_flight_and_gives_the_rest_back() {
    let receiver = Receiver::with(|_, _| Answer::After(Duration::from_millis(200), 200)).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    rig.receive(fence, (0..10).map(|n| message("one chat", &format!("m{n}"))).collect()).await;
    let running = rig.dispatch(settings());
    receiver.wait(2).await;
    timeout(Duration::from_secs(2), running.stop()).await.expect("it waited for the whole chat");
    let arrived = receiver.webhooks().len();
    let counts = rig.counts().await;
    assert_eq!(counts.claimed, 0);
    assert_eq!(counts.pending, 10 - i64::try_from(arrived).unwrap());
    assert_eq!(UserId::ADMIN, UserId(1));
}
