//! Receivers of webhooks.

use std::{sync::Arc, time::Duration};

use domain::{Fence, SystemClock, UserId, session::SessionState};
use e2e::{Behaviour, eventually};
use secrets::KeyRing;
use storage::{Database, NewUser, Options, Started, Transition};

use super::RECOVERY;
use crate::{
    report::{Report, quantile},
    stage::Stage,
};

const ENDPOINTS: usize = 100;

/// Events of each endpoint; those of a dead one come back again and again.
const EVENTS: usize = 20;

/// Of 100 users' endpoints one takes every request and never answers: the others do not notice. The events are changes
/// of the state of sessions that no runner holds, so that nothing but webhooks is measured.
pub(super) async fn dead_endpoint(stage: &mut Stage, report: &mut Report) {
    let alone = measure(stage, "alone", None).await;
    let beside = measure(stage, "beside", Some(0)).await;
    let (mut alone, mut beside) = (alone, beside);
    report.times("webhooks of 100 living endpoints", &mut alone);
    report.times("webhooks of 99 beside a dead one", &mut beside);
    let (before, after) = (quantile(&mut alone, 0.99), quantile(&mut beside, 0.99));
    report.count("webhooks of the 99", beside.len());
    report.zero("missing", (ENDPOINTS - 1) * EVENTS - beside.len());
    let limit = before * 3 + Duration::from_millis(500);
    report.promise(after <= limit, || format!("p99 went from {before:?} to {after:?}"));
    stage.webhooks.behave(|_| Behaviour::Answer(200));
}

/// Makes every endpoint's events, and returns how long each webhook of a living one took.
#[expect(clippy::expect_used, reason = "nothing can be shown without it")]
async fn measure(stage: &Stage, round: &str, dead: Option<usize>) -> Vec<Duration> {
    let keys = Arc::new(KeyRing::parse(&KeyRing::generate()).expect("keys"));
    let database = Database::open(&Options::new(stage.database()), keys, Arc::new(SystemClock)).await;
    let database = database.expect("the database");
    let path = format!("/dead-{round}");
    stage.webhooks.behave(move |webhook| {
        if webhook.path.starts_with(&path) {
            Behaviour::Late(Duration::from_mins(1))
        } else {
            Behaviour::Answer(200)
        }
    });
    let mut fences = Vec::new();
    for number in 0..ENDPOINTS {
        fences.push(user(&database, stage, round, number, dead == Some(number)).await);
    }
    let began = std::time::Instant::now();
    for event in 0..EVENTS {
        for fence in &fences {
            let to = if event % 2 == 0 { SessionState::Reconnecting } else { SessionState::Connecting };
            let transition = Transition {
                fence: *fence,
                to,
                reason: None,
                phone: None,
                credentials_present: None,
                qr: None,
                at: domain::Clock::now(&SystemClock),
            };
            database.transition(transition).await.expect("a transition");
        }
    }
    let living = ENDPOINTS - usize::from(dead.is_some());
    let prefix = format!("/live-{round}");
    let arrived = || {
        stage.webhooks.look(|all| {
            let living = all.iter().filter(|webhook| webhook.path.starts_with(&prefix));
            living.map(|webhook| webhook.at.saturating_duration_since(began)).collect::<Vec<_>>()
        })
    };
    // Each began its life with one event more: "started". It is among those that are waited for.
    eventually("the webhooks of the living", RECOVERY, async || {
        (arrived().len() >= living * EVENTS).then_some(())
    })
    .await;
    database.close().await;
    arrived().into_iter().take(living * EVENTS).collect()
}

/// A user with a callback of their own, and a session that is not to be claimed by any runner.
#[expect(clippy::expect_used, reason = "nothing can be shown without it")]
async fn user(database: &Database, stage: &Stage, round: &str, number: usize, dead: bool) -> Fence {
    let username = format!("{round}{number}");
    let user = NewUser { username: username.clone(), password_hash: "none".to_owned() };
    let user: UserId = database.create_user(&user).await.expect("a user").expect("a new user").id;
    let kind = if dead { "dead" } else { "live" };
    let url = format!("{}/{kind}-{round}/{number}", stage.webhooks.url());
    database.set_callback(user, Some(&url)).await.expect("a callback");
    let name = format!("{username}_x");
    match database.start_session(user, &name).await.expect("a session") {
        Started::Session(session) => Fence { session: session.id, token: stage.audit.take_away(&name).await },
        Started::Taken => unreachable!("nobody else has this name"),
    }
}
