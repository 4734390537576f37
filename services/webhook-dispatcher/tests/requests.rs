//! What a receiver gets.

use domain::UserId;
use standardwebhooks::Webhook as Verifier;
use webhook_dispatcher::Settings;

use crate::{
    receiver::Receiver,
    rig::{Rig, message, settings},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn a_message_arrives_with_the_contracts_body_and_headers() {
    let receiver = Receiver::content().await;
    let (rig, fence) = Rig::with_base(&receiver.url).await;
    let running = rig.dispatch(Settings { key_header: Some("operators key".into()), ..settings() });
    rig.receive(fence, vec![message("62811", "halo")]).await;
    let webhook = receiver.wait(1).await.remove(0);
    rig.until(0, 0, 0).await;
    running.stop().await;

    assert_eq!(webhook.path, "/hook/message");
    assert_eq!(
        String::from_utf8(webhook.body.to_vec()).unwrap(),
        r#"{"session":"shop","from":"62811@s.whatsapp.net","message":"halo","media":{"image":null,"video":null,"document":null,"audio":null,"sticker":null},"messageId":"ID-halo","timestamp":1800000000,"event":"message","type":"text","sequence":2,"phone":"62811@s.whatsapp.net","lid":null,"participant":{"phone":"62811@s.whatsapp.net","lid":null,"pushName":null},"replayed":false,"media_url":null,"file":null}"#
    );
    let header = |name: &str| webhook.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").unwrap(), "application/json");
    assert_eq!(header("user-agent").unwrap(), concat!("wa-gateway/", env!("CARGO_PKG_VERSION")));
    assert_eq!(header("key").unwrap(), "operators key");
    assert!(header("webhook-id").unwrap().starts_with("evt_"));
    assert_eq!(header("webhook-timestamp").unwrap(), "1800000000");
    assert_eq!(header("webhook-signature"), None);
    assert_eq!(header("content-length").unwrap(), webhook.body.len().to_string());
}

#[tokio::test]
async fn a_callback_gets_messages_itself_and_session_events_below() {
    let receiver = Receiver::content().await;
    let rig = Rig::new().await;
    let user = rig.user("anna", &receiver.url).await;
    let fence = rig.session(user, "anna_shop").await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    receiver.wait(1).await;
    rig.parts.database.delete_session(fence.session, "the phone unlinked it").await.unwrap();
    rig.hint();
    let webhooks = receiver.wait(2).await;
    running.stop().await;
    assert_eq!([&*webhooks[0].path, &*webhooks[1].path], ["/hook", "/hook/session"]);
    assert_eq!(webhooks[1].json()["status"], "disconnected");
    assert!(!webhooks[0].headers.contains_key("key"), "there is no key unless one is set");
}

#[tokio::test]
async fn signatures_can_be_verified() {
    let receiver = Receiver::content().await;
    let rig = Rig::real_time().await;
    rig.parts.database.set_base_endpoint(Some(&receiver.url)).await.unwrap();
    let fence = rig.session(UserId::ADMIN, "shop").await;
    rig.receive(fence, vec![message("1", "a")]).await;
    let claimed =
        rig.parts.database.claim_deliveries(1, settings().hold, &[]).await.unwrap().deliveries.remove(0);
    assert!(rig.parts.database.set_endpoint_secrets(claimed.endpoint, Some(SECRET)).await.unwrap());
    rig.parts.database.return_deliveries(&[claimed.id]).await.unwrap();
    let running = rig.dispatch(settings());
    let webhook = receiver.wait(1).await.remove(0);
    running.stop().await;
    Verifier::new(SECRET).unwrap().verify(&webhook.body, &webhook.headers).unwrap();
    assert_eq!(webhook.id(), claimed.event.to_string());
}

#[tokio::test]
async fn a_users_webhook_cannot_reach_into_the_operators_network() {
    let receiver = Receiver::content().await;
    let rig = Rig::strict().await;
    let user = rig.user("anna", &receiver.url).await;
    let users = rig.session(user, "anna_shop").await;
    rig.parts.database.set_base_endpoint(Some(&receiver.url)).await.unwrap();
    let admins = rig.session(UserId::ADMIN, "shop").await;
    let running = rig.dispatch(settings());
    rig.receive(users, vec![message("1", "from a user")]).await;
    rig.receive(admins, vec![message("1", "from the operator")]).await;
    receiver.wait(1).await;
    rig.until(1, 0, 0).await;
    running.stop().await;
    assert_eq!(receiver.texts(), ["from the operator"]);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    use std::time::Duration;
    use webhook_dispatcher::{Dispatcher, InvalidSettings};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = runtime.block_on(Rig::new());
    let _context = runtime.enter();
    let refused = |settings| Dispatcher::new(rig.parts.clone(), settings).err();
    assert_eq!(refused(settings()), None);
    let key = Settings { key_header: Some("line\nbreak".into()), ..settings() };
    assert_eq!(refused(key), Some(InvalidSettings::Key(webhooks::InvalidKey)));
    assert_eq!(
        refused(Settings { hold: Duration::from_secs(10), ..settings() }),
        Some(InvalidSettings::Hold)
    );
}
