//! Measures; run by hand with `--ignored --nocapture`.

use std::{sync::Arc, time::Duration};

use domain::UserId;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    receiver::Receiver,
    rig::{Rig, message, settings},
};

async fn at_rate(per_second: u32, seconds: u32) {
    let receiver = Receiver::content().await;
    let rig = Rig::real_time().await;
    rig.parts.database.set_base_endpoint(Some(&receiver.url)).await.unwrap();
    let fence = rig.session(UserId::ADMIN, "shop").await;
    let running = rig.dispatch(settings());
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let total = per_second * seconds;
    let rig = Arc::new(rig);
    let mut began = Vec::new();
    let mut commits = JoinSet::new();
    for n in 0..total {
        ticks.tick().await;
        began.push(Instant::now());
        let rig = Arc::clone(&rig);
        commits.spawn(async move {
            let began = Instant::now();
            rig.receive(fence, vec![message(&format!("c{}", n % 500), &n.to_string())]).await;
            began.elapsed()
        });
    }
    let mut committed = commits.join_all().await;
    let webhooks = receiver.wait(total as usize).await;
    running.stop().await;
    let mut took: Vec<_> = webhooks
        .iter()
        .map(|webhook| webhook.at.duration_since(began[webhook.text().parse::<usize>().unwrap()]))
        .collect();
    took.sort();
    committed.sort();
    let part = |of: &[Duration], percent: usize| of[(of.len() - 1) * percent / 100];
    println!(
        "{per_second}/s: inbound to webhook p50 {:?} p99 {:?} max {:?}; the commit alone p50 {:?}",
        part(&took, 50),
        part(&took, 99),
        part(&took, 100),
        part(&committed, 50)
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn latency() {
    at_rate(20, 5).await;
    at_rate(500, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn backlog() {
    let receiver = Receiver::content().await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    for batch in 0..100 {
        let messages = (0..200).map(|n| message(&format!("c{n}"), &format!("m{batch}-{n}")));
        rig.receive(fence, messages.collect()).await;
    }
    let began = Instant::now();
    let running = rig.dispatch(settings());
    receiver.wait(20_000).await;
    let took = began.elapsed();
    rig.until(0, 0, 0).await;
    running.stop().await;
    println!("20,000 of 200 chats took {took:?}, {:.0}/s", 20_000.0 / took.as_secs_f64());
}
