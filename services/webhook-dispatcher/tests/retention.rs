//! What is old goes, sooner or later.

use std::time::Duration;

use domain::webhook::DeliveryState;
use storage::DeliveryFilter;
use webhook_dispatcher::Settings;

use crate::{
    receiver::{Answer, Receiver},
    rig::{Rig, message, settings},
};

const DAY: Duration = Duration::from_hours(24);

async fn states(rig: &Rig) -> Vec<DeliveryState> {
    let all = rig.parts.database.deliveries(&DeliveryFilter::default(), None, 100).await.unwrap();
    all.iter().map(|delivery| delivery.state).collect()
}

async fn until(rig: &Rig, expected: &[DeliveryState]) {
    let reached = async {
        while states(rig).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
    assert!(waited.is_ok(), "{:?} instead of {expected:?}", states(rig).await);
}

#[tokio::test]
async fn what_was_delivered_goes_and_what_was_given_up_stays_three_times_as_long() {
    let receiver =
        Receiver::with(|webhook, _| Answer::Status(if webhook.text() == "bad" { 410 } else { 200 })).await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let patient = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "good")]).await;
    receiver.wait(1).await;
    rig.until(0, 0, 0).await;
    rig.receive(fence, vec![message("1", "bad")]).await;
    rig.until(0, 0, 1).await;
    patient.stop().await;
    let before = states(&rig).await;
    assert_eq!((before.len(), before[0], before[1]), (3, DeliveryState::Dead, DeliveryState::Delivered));

    let running = rig.dispatch(Settings {
        events_retention: Some(30 * DAY),
        housekeeping_every: Duration::from_millis(50),
        ..settings()
    });
    rig.clock.advance(29 * DAY);
    rig.receive(fence, vec![message("1", "nobody hears of it")]).await;
    assert_eq!(states(&rig).await, before, "nothing is old enough");
    rig.clock.advance(2 * DAY);
    until(&rig, &[DeliveryState::Dead]).await;
    rig.clock.advance(58 * DAY);
    rig.receive(fence, vec![message("2", "nor of this")]).await;
    assert_eq!(states(&rig).await, [DeliveryState::Dead]);
    rig.clock.advance(2 * DAY);
    until(&rig, &[]).await;
    running.stop().await;
}
