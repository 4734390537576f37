//! How webhooks say who they come from: the settings of the moment.

use std::time::Duration;

use domain::{
    Clock as _, Fence, UserId,
    event::EventKind,
    webhook_auth::{AuthType, WebhookAuthChange},
};
use standardwebhooks::Webhook as Verifier;
use storage::{AuthChanged, NewEndpoint};

use crate::{
    receiver::{Answer, Receiver},
    rig::{Rig, message, settings},
};

const NOTHING: WebhookAuthChange = WebhookAuthChange {
    kind: None,
    username: None,
    password: None,
    bearer_token: None,
    client_id: None,
    client_secret: None,
    token_url: None,
    scope: None,
};

async fn set(rig: &Rig, user: UserId, change: WebhookAuthChange) {
    let changed = rig.parts.database.change_webhook_auth(user, change).await.unwrap();
    assert_eq!(changed, AuthChanged::Done);
}

async fn with_callback(receiver: &Receiver) -> (Rig, UserId, Fence) {
    let rig = Rig::new().await;
    let anna = rig.user("anna", &receiver.url).await;
    let fence = rig.session(anna, "anna_shop").await;
    (rig, anna, fence)
}

#[tokio::test]
async fn each_type_has_its_header() {
    let receiver = Receiver::content().await;
    let (rig, anna, fence) = with_callback(&receiver).await;
    let running = rig.dispatch(settings());
    let basic = WebhookAuthChange {
        kind: Some(AuthType::Basic),
        username: Some("anna".into()),
        password: Some("p:äß".into()),
        ..NOTHING
    };
    let bearer =
        WebhookAuthChange { kind: Some(AuthType::Bearer), bearer_token: Some("t0ken".into()), ..NOTHING };
    let none = WebhookAuthChange { kind: Some(AuthType::None), ..NOTHING };
    let table = [
        (None, ""),
        (Some(basic), "Basic YW5uYTpwOsOkw58="),
        (Some(bearer), "Bearer t0ken"),
        (Some(none), ""),
    ];
    for (nth, (change, expected)) in table.into_iter().enumerate() {
        if let Some(change) = change {
            set(&rig, anna, change).await;
        }
        rig.receive(fence, vec![message("1", &nth.to_string())]).await;
        let webhooks = receiver.wait(nth + 1).await;
        assert_eq!(webhooks[nth].authorization(), expected);
        rig.until(0, 0, 0).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn the_settings_of_the_moment_of_sending_count() {
    let receiver = Receiver::with(|_, nth| Answer::Status(if nth == 0 { 500 } else { 200 })).await;
    let (rig, anna, fence) = with_callback(&receiver).await;
    let running = rig.dispatch(settings());
    let bearer = |token: &str| WebhookAuthChange {
        kind: Some(AuthType::Bearer),
        bearer_token: Some(token.into()),
        ..NOTHING
    };
    set(&rig, anna, bearer("first")).await;
    rig.receive(fence, vec![message("1", "a")]).await;
    receiver.wait(1).await;
    rig.until(1, 0, 0).await;
    set(&rig, anna, bearer("second")).await;
    rig.advance(Duration::from_secs(7));
    let webhooks = receiver.wait(2).await;
    running.stop().await;
    let sent: Vec<_> = webhooks.iter().map(|webhook| webhook.authorization().to_owned()).collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);
}

#[tokio::test]
async fn the_owners_settings_count_wherever_it_goes() {
    let (base, own) = (Receiver::content().await, Receiver::content().await);
    let (rig, admins) = Rig::with_base(&base.url).await;
    let user = storage::NewUser { username: "anna".into(), password_hash: "hash".into() };
    let anna = rig.parts.database.create_user(&user).await.unwrap().unwrap().id;
    let annas = rig.session(anna, "anna_shop").await;
    let endpoint = NewEndpoint {
        user: anna,
        url: own.url.clone(),
        kinds: vec![EventKind::Message],
        description: None,
        secret: webhooks::new_secret(),
    };
    rig.parts.database.create_endpoint(&endpoint).await.unwrap().unwrap();
    let bearer =
        WebhookAuthChange { kind: Some(AuthType::Bearer), bearer_token: Some("annas".into()), ..NOTHING };
    set(&rig, anna, bearer).await;
    let running = rig.dispatch(settings());
    rig.receive(annas, vec![message("1", "a")]).await;
    assert_eq!(base.wait(1).await[0].authorization(), "Bearer annas");
    assert_eq!(own.wait(1).await[0].authorization(), "Bearer annas");
    rig.receive(admins, vec![message("1", "b")]).await;
    assert_eq!(base.wait(2).await[1].authorization(), "");
    running.stop().await;
    assert_eq!(own.webhooks().len(), 1);
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign() {
    let receiver = Receiver::content().await;
    let rig = Rig::real_time().await;
    let anna = rig.user("anna", &receiver.url).await;
    let fence = rig.session(anna, "anna_shop").await;
    let endpoint = rig.parts.database.endpoints(anna, false).await.unwrap()[0].id;
    let secrets = [webhooks::new_secret(), webhooks::new_secret()];
    for secret in &secrets {
        assert!(rig.parts.database.rotate_endpoint_secret(endpoint, secret).await.unwrap().is_some());
    }
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    let webhook = receiver.wait(1).await.remove(0);
    running.stop().await;
    for secret in &secrets {
        let verifier = Verifier::new(secrecy::ExposeSecret::expose_secret(secret)).unwrap();
        verifier.verify(&webhook.body, &webhook.headers).unwrap();
    }
    assert_eq!(webhook.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
}

#[tokio::test]
async fn a_replay_has_the_whole_schedule_before_it() {
    let receiver = Receiver::with(|_, nth| Answer::Status(if nth < 2 { 500 } else { 200 })).await;
    let (rig, _, fence) = with_callback(&receiver).await;
    rig.receive(fence, vec![message("1", "a")]).await;
    let claimed = rig.parts.database.claim_deliveries(1, Duration::from_mins(1), &[]).await.unwrap();
    let delivery = &claimed.deliveries[0];
    let given_up = storage::Settlement {
        delivery: delivery.id,
        endpoint: delivery.endpoint,
        attempts: 11,
        at: rig.clock.now(),
        duration: Duration::ZERO,
        status: Some(500),
        answer: None,
        next: domain::webhook::Next::Dead,
    };
    assert!(rig.parts.database.settle_delivery(given_up).await.unwrap());
    let running = rig.dispatch(settings());
    rig.until(0, 0, 1).await;
    rig.parts.database.replay_delivery(delivery.id).await.unwrap();
    rig.hint();
    receiver.wait(1).await;
    rig.until(1, 0, 0).await;
    rig.advance(Duration::from_secs(7));
    receiver.wait(2).await;
    rig.until(1, 0, 0).await;
    rig.advance(Duration::from_secs(40));
    receiver.wait(3).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
    let (_, history) = rig.parts.database.delivery_details(delivery.id).await.unwrap();
    assert_eq!(history.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [11, 12, 13, 14]);
}
