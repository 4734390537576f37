//! OAuth2 against an authorization server that checks what a real one checks.

use std::{sync::Arc, time::Duration};

use authorization_server::{AuthorizationServer, CLIENT_ID, CLIENT_SECRET, SCOPE};
use domain::{
    Fence, UserId,
    webhook_auth::{AuthType, WebhookAuthChange},
};
use storage::AuthChanged;
use webhooks::{Sender, TokenRequest};

use crate::{
    receiver::{Answer, Receiver},
    rig::{Rig, limited, message, settings},
};

const HOUR: Duration = Duration::from_hours(1);

/// A receiver that takes what carries a token of the server that is still good.
async fn guarded(server: &Arc<AuthorizationServer>) -> Receiver {
    let server = Arc::clone(server);
    Receiver::with(move |webhook, _| {
        Answer::Status(if server.accepts(webhook.authorization()) { 200 } else { 401 })
    })
    .await
}

async fn configure(rig: &Rig, user: UserId, token_url: &str) {
    let change = WebhookAuthChange {
        kind: Some(AuthType::Oauth2),
        client_id: Some(CLIENT_ID.into()),
        client_secret: Some(CLIENT_SECRET.into()),
        token_url: Some(token_url.into()),
        scope: Some(SCOPE.into()),
        ..WebhookAuthChange::default()
    };
    let changed = rig.parts.database.change_webhook_auth(user, change).await.unwrap();
    assert_eq!(changed, AuthChanged::Done);
}

struct Stage {
    server: Arc<AuthorizationServer>,
    receiver: Receiver,
    rig: Rig,
    anna: UserId,
    fence: Fence,
}

impl Stage {
    async fn set() -> Self {
        let server = Arc::new(AuthorizationServer::start().await);
        let receiver = guarded(&server).await;
        let rig = Rig::new().await;
        let anna = rig.user("anna", &receiver.url).await;
        let fence = rig.session(anna, "anna_shop").await;
        configure(&rig, anna, &server.token_url).await;
        Self { server, receiver, rig, anna, fence }
    }

    /// What the API does for a person.
    fn sender(&self) -> Sender {
        let parts = webhooks::Parts {
            database: self.rig.parts.database.clone(),
            egress: self.rig.parts.egress.clone(),
            keys: self.rig.parts.keys.clone(),
            clock: self.rig.parts.clock.clone(),
        };
        Sender::new(parts, &webhooks::Settings::default()).unwrap()
    }

    /// Somebody has said yes in a browser, so that there is a refresh token.
    async fn authorize(&self) {
        self.server.behave(|server| server.refresh_tokens = true);
        let code = self.server.code("https://back.example", None);
        let request = TokenRequest::Code { code, redirect_uri: None, verifier: None };
        self.sender().authenticator().obtain(self.anna, request).await.unwrap();
    }

    async fn receive(&self, text: &str) {
        self.rig.receive(self.fence, vec![message(text, text)]).await;
    }
}

#[tokio::test]
async fn a_token_is_obtained_when_it_is_first_needed() {
    let stage = Stage::set().await;
    let running = stage.rig.dispatch(settings());
    stage.receive("a").await;
    stage.receiver.wait(1).await;
    stage.rig.until(0, 0, 0).await;
    stage.receive("b").await;
    let webhooks = stage.receiver.wait(2).await;
    stage.rig.until(0, 0, 0).await;
    running.stop().await;
    let requests = stage.server.requests();
    assert_eq!(requests.len(), 1, "the second has the first one's");
    let field = |name: &str| requests[0].get(name).map_or("", |value| value.as_str());
    assert_eq!((field("grant_type"), field("scope")), ("client_credentials", SCOPE));
    assert_eq!((field("client_id"), field("client_secret")), (CLIENT_ID, CLIENT_SECRET));
    assert_eq!(webhooks[0].authorization(), webhooks[1].authorization());
}

#[tokio::test]
async fn a_minute_before_its_end_it_is_refreshed() {
    let stage = Stage::set().await;
    stage.authorize().await;
    let running = stage.rig.dispatch(settings());
    stage.receive("a").await;
    stage.receiver.wait(1).await;
    stage.rig.clock.advance(Duration::from_secs(3539));
    stage.receive("b").await;
    stage.receiver.wait(2).await;
    assert_eq!(stage.server.asked("refresh_token"), 0);
    stage.rig.clock.advance(Duration::from_secs(1));
    stage.receive("c").await;
    let webhooks = stage.receiver.wait(3).await;
    assert_eq!(stage.server.asked("refresh_token"), 1);
    assert_eq!(webhooks[0].authorization(), webhooks[1].authorization());
    assert_ne!(webhooks[1].authorization(), webhooks[2].authorization());

    // The refresh token was replaced as well.
    stage.rig.clock.advance(HOUR);
    stage.receive("d").await;
    stage.receiver.wait(4).await;
    assert_eq!(stage.server.asked("refresh_token"), 2);

    // From now on none comes back, so the old one is kept.
    stage.server.behave(|server| server.rotates = false);
    for (nth, text) in ["e", "f"].into_iter().enumerate() {
        stage.rig.clock.advance(HOUR);
        stage.receive(text).await;
        stage.receiver.wait(5 + nth).await;
    }
    stage.rig.until(0, 0, 0).await;
    running.stop().await;
    let requests = stage.server.requests();
    let token = |nth: usize| &requests[requests.len() - nth]["refresh_token"];
    assert_eq!((token(1), stage.server.asked("refresh_token")), (token(2), 4));
    assert_eq!(stage.server.asked("client_credentials"), 0);
    assert_eq!(stage.receiver.webhooks().len(), 6, "each was taken at once");
}

#[tokio::test]
async fn without_a_refresh_token_the_clients_credentials_do() {
    let stage = Stage::set().await;
    let running = stage.rig.dispatch(settings());
    for nth in 0..3 {
        stage.receive(&nth.to_string()).await;
        stage.receiver.wait(nth + 1).await;
        stage.rig.clock.advance(HOUR);
    }
    stage.rig.until(0, 0, 0).await;
    running.stop().await;
    assert_eq!((stage.server.asked("client_credentials"), stage.server.requests().len()), (3, 3));
}

#[tokio::test]
async fn an_hour_is_taken_when_the_server_does_not_say() {
    let stage = Stage::set().await;
    stage.server.behave(|server| server.lifetime = None);
    stage.sender().authenticator().obtain(stage.anna, TokenRequest::ClientCredentials).await.unwrap();
    let stored = stage.rig.parts.database.webhook_auth(stage.anna).await.unwrap();
    let tokens = stored.tokens.as_ref().unwrap();
    assert_eq!(
        (tokens.expires_at, tokens.renew_at),
        (crate::rig::NOON + HOUR, crate::rig::NOON + HOUR * 59 / 60)
    );
}

#[tokio::test]
async fn when_a_refresh_is_refused_it_goes_out_with_the_token_held() {
    let stage = Stage::set().await;
    stage.authorize().await;
    stage.server.behave(|server| server.refuses_refresh = true);
    let running = stage.rig.dispatch(settings());
    stage.rig.clock.advance(HOUR);
    stage.receive("a").await;
    stage.receiver.wait(1).await;
    stage.rig.until(0, 0, 0).await;
    assert_eq!(stage.server.asked("refresh_token"), 1);
    // The server is left alone for a moment, not for ever.
    stage.receive("b").await;
    stage.receiver.wait(2).await;
    stage.rig.until(0, 0, 0).await;
    assert_eq!(stage.server.asked("refresh_token"), 1);
    stage.rig.clock.advance(Duration::from_secs(3));
    stage.server.behave(|server| server.refuses_refresh = false);
    stage.receive("c").await;
    let webhooks = stage.receiver.wait(3).await;
    stage.rig.until(0, 0, 0).await;
    running.stop().await;
    assert_eq!((stage.server.asked("refresh_token"), stage.server.asked("client_credentials")), (2, 0));
    assert_ne!(webhooks[1].authorization(), webhooks[2].authorization());
}

#[tokio::test]
async fn a_401_renews_once_and_tries_once_more() {
    let stage = Stage::set().await;
    stage.authorize().await;
    let running = stage.rig.dispatch(settings());
    stage.receive("a").await;
    stage.receiver.wait(1).await;
    stage.server.revoke_all();
    stage.receive("b").await;
    let webhooks = stage.receiver.wait(3).await;
    stage.rig.until(0, 0, 0).await;
    running.stop().await;
    assert_eq!(stage.server.asked("refresh_token"), 1);
    assert_eq!(webhooks[1].id(), webhooks[2].id(), "the same attempt");
    assert_ne!(webhooks[1].authorization(), webhooks[2].authorization());
    let all = storage::DeliveryFilter { user: Some(stage.anna), ..storage::DeliveryFilter::default() };
    let listed = stage.rig.parts.database.deliveries(&all, None, 2).await.unwrap();
    assert_eq!((listed[0].attempts, listed[0].last_status), (1, Some(200)));
}

#[tokio::test]
async fn a_receiver_that_never_says_yes_does_not_make_it_renew_for_ever() {
    let stage = Stage::set().await;
    stage.receiver.behave(|_, _| Answer::Status(401));
    let running = stage.rig.dispatch(settings());
    // The first goes out again with another token.
    for (nth, (text, webhooks)) in [("a", 2), ("b", 3), ("c", 4)].into_iter().enumerate() {
        stage.receive(text).await;
        stage.receiver.wait(webhooks).await;
        stage.rig.until(i64::try_from(nth).unwrap() + 1, 0, 0).await;
    }
    running.stop().await;
    // One because there was none, one because it was refused; then renewing is not what is missing.
    assert_eq!((stage.server.issued(), stage.receiver.webhooks().len()), (2, 4));
}

#[tokio::test]
async fn no_token_at_all_is_said_beside_the_refusal() {
    let stage = Stage::set().await;
    stage.server.behave(|server| server.refuses = true);
    let running = stage.rig.dispatch(settings());
    stage.receive("a").await;
    let webhooks = stage.receiver.wait(1).await;
    stage.rig.until(1, 0, 0).await;
    running.stop().await;
    assert_eq!(webhooks[0].authorization(), "");
    let listed =
        stage.rig.parts.database.deliveries(&storage::DeliveryFilter::default(), None, 1).await.unwrap();
    let reason =
        "(no new OAuth2 token: Failed to obtain OAuth2 token: access_denied: the tests' server says no)";
    assert_eq!((listed[0].last_status, listed[0].last_error.as_deref()), (Some(401), Some(reason)));
}

#[tokio::test]
async fn a_slow_server_holds_nothing_up_and_its_token_is_not_lost() {
    let stage = Stage::set().await;
    stage.authorize().await;
    stage.rig.clock.advance(HOUR);
    stage.server.behave(|server| server.delay = Duration::from_secs(2));
    let running =
        stage.rig.dispatch(webhook_dispatcher::Settings { timeout: Duration::from_secs(1), ..settings() });
    stage.receive("a").await;
    let first = stage.receiver.wait(1).await.remove(0);
    assert!(stage.server.accepts(first.authorization()), "the token held");
    stage.rig.until(0, 0, 0).await;
    // Stopping waits for it: the refresh token was used up when the request arrived.
    running.stop().await;
    let stored = stage.rig.parts.database.webhook_auth(stage.anna).await.unwrap();
    assert!(stored.tokens.as_ref().unwrap().expires_at > stage.rig.parts.clock.now());
    assert_eq!(stage.server.asked("refresh_token"), 1);
}

#[tokio::test]
async fn fifty_at_once_renew_once() {
    let stage = Stage::set().await;
    stage.authorize().await;
    stage.server.behave(|server| server.delay = Duration::from_millis(300));
    stage.server.revoke_all();
    stage.rig.clock.advance(2 * HOUR);
    let messages = (0..50).map(|n| message(&format!("c{n}"), &n.to_string())).collect();
    stage.rig.receive(stage.fence, messages).await;
    let running = stage.rig.dispatch(limited(64, 64));
    stage.receiver.wait(50).await;
    stage.rig.until(0, 0, 0).await;
    running.stop().await;
    assert_eq!(stage.server.asked("refresh_token"), 1);
    assert_eq!(stage.receiver.webhooks().len(), 50, "none went out with the old one");
}

#[tokio::test]
async fn fifty_refused_at_once_renew_once() {
    let stage = Stage::set().await;
    stage.authorize().await;
    stage.server.behave(|server| server.delay = Duration::from_millis(300));
    stage.server.revoke_all();
    let messages = (0..50).map(|n| message(&format!("c{n}"), &n.to_string())).collect();
    stage.rig.receive(stage.fence, messages).await;
    let running = stage.rig.dispatch(limited(64, 64));
    stage.rig.until(0, 0, 0).await;
    running.stop().await;
    assert_eq!(stage.server.asked("refresh_token"), 1);
}

#[tokio::test]
async fn two_processes_on_one_database_renew_once() {
    let server = Arc::new(AuthorizationServer::start().await);
    let receiver = guarded(&server).await;
    let (one, other) = Rig::pair().await;
    one.parts.database.put_admin("admin", "hash").await.unwrap();
    let anna = one.user("anna", &receiver.url).await;
    let fence = one.session(anna, "anna_shop").await;
    configure(&one, anna, &server.token_url).await;
    server.behave(|server| server.delay = Duration::from_millis(500));
    let messages = (0..50).map(|n| message(&format!("c{n}"), &n.to_string())).collect();
    one.receive(fence, messages).await;
    // Each can hold half of them.
    let (first, second) = (one.dispatch(limited(26, 26)), other.dispatch(limited(26, 26)));
    receiver.wait(50).await;
    one.until(0, 0, 0).await;
    first.stop().await;
    second.stop().await;
    assert_eq!((server.requests().len(), receiver.webhooks().len()), (1, 50));
}

#[tokio::test]
async fn a_token_url_cannot_reach_into_the_operators_network() {
    let server = AuthorizationServer::start().await;
    let receiver = Receiver::content().await;
    let rig = Rig::strict().await;
    rig.parts.database.set_base_endpoint(Some(&receiver.url)).await.unwrap();
    let fence = rig.session(UserId::ADMIN, "shop").await;
    // By name, which only the request resolves.
    configure(&rig, UserId::ADMIN, &server.token_url.replace("127.0.0.1", "localhost")).await;
    let running = rig.dispatch(settings());
    rig.receive(fence, vec![message("1", "a")]).await;
    let webhooks = receiver.wait(1).await;
    rig.until(0, 0, 0).await;
    running.stop().await;
    assert_eq!((webhooks[0].authorization(), server.requests().len()), ("", 0));
}
