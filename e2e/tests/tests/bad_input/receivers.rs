//! Webhook receivers that are down, slow, rude or endless: each text is delivered in the end, and none waits for
//! another chat's.

use std::time::Duration;

use e2e::{Behaviour, Gateway, PATIENCE, Storage, World, eventually};

const OURS: &str = "628110000001";
/// The first pause is 5 s ±20 %; what is late above that is this machine.
const FIRST_PAUSE: std::ops::Range<Duration> = Duration::from_secs(4)..Duration::from_secs(9);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_did_not_take_comes_again() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start_with(&world, &[("WEBHOOK_TIMEOUT_SECONDS", "1")]).await;
    gateway.link("shop", OURS).await;
    let misbehaviours = [
        ("500", Behaviour::Answer(500), 2),
        ("404", Behaviour::Answer(404), 2),
        ("redirect", Behaviour::Answer(302), 2),
        ("slow", Behaviour::Late(Duration::from_secs(30)), 2),
        ("close", Behaviour::Close, 2),
        ("close in the middle", Behaviour::CloseInBody, 2),
        ("drip", Behaviour::Drip, 2),
        // Endless, but a yes all the same, of which only the beginning is read.
        ("endless", Behaviour::Endless, 1),
        ("well", Behaviour::Answer(200), 1),
    ];
    world.webhooks.behave(move |webhook| {
        let found = misbehaviours.iter().find(|(name, ..)| webhook.text("message") == *name);
        found.filter(|_| webhook.attempt == 1).map_or(Behaviour::Answer(200), |found| found.1)
    });
    let phones =
        misbehaviours.iter().enumerate().map(|(index, (name, ..))| (format!("62822000000{index}"), *name));
    for (number, name) in phones {
        world.whatsapp.create_account(&number).await.say(OURS, name).unwrap();
    }
    world.whatsapp.account(OURS).unwrap().wait_settled(PATIENCE).await.unwrap();

    let attempts = |text: &str| {
        let all = world.webhooks.messages();
        all.into_iter().filter(|webhook| webhook.text("message") == text).collect::<Vec<_>>()
    };
    for (name, _, expected) in misbehaviours {
        eventually(name, PATIENCE, async || (attempts(name).len() >= expected).then_some(())).await;
    }
    for (name, _, expected) in misbehaviours {
        let attempts = attempts(name);
        assert_eq!(attempts.len(), expected, "{name}");
        assert!(attempts.iter().all(|attempt| attempt.id == attempts[0].id), "{name}: one webhook, one id");
        if let [first, second] = &attempts[..] {
            let pause = second.at - first.at;
            let took = u64::from(matches!(name, "slow" | "drip"));
            let pause = pause.saturating_sub(Duration::from_secs(took));
            assert!(FIRST_PAUSE.contains(&pause), "{name}: the second attempt came after {pause:?}");
            println!("{name}: again after {pause:.1?}");
        }
    }
    let all = world.webhooks.messages();
    let well = all.iter().position(|webhook| webhook.text("message") == "well");
    let second = all.iter().position(|webhook| webhook.attempt == 2);
    assert!(well < second, "nobody waits for another chat's receiver");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_everything_in_order() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start_with(&world, &[("WEBHOOK_TIMEOUT_SECONDS", "1")]).await;
    gateway.link("shop", OURS).await;
    world.webhooks.down().await;
    let phone = world.whatsapp.create_account("628220000000").await;
    let texts: Vec<_> = (0..20).map(|number| format!("text {number}")).collect();
    for text in &texts {
        phone.say(OURS, text).unwrap();
    }
    world.whatsapp.account(OURS).unwrap().wait_settled(PATIENCE).await.unwrap();
    gateway.logged("webhook attempt failed").await;
    assert_eq!(gateway.status("shop").await["connected"], true, "a receiver's trouble is not the session's");
    world.webhooks.up().await;
    let came = || -> Vec<String> {
        world.webhooks.messages().iter().map(|webhook| webhook.text("message").to_owned()).collect()
    };
    eventually("all texts", PATIENCE, async || (came().len() >= texts.len()).then_some(())).await;
    assert_eq!(came(), texts);
}
