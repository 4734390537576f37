use std::time::Duration;

use domain::{
    UserId,
    webhook_auth::{AuthType, Incomplete, Tokens, WebhookAuthChange},
};
use secrecy::{ExposeSecret as _, SecretString};
use storage::{AuthChanged, Authorization, RenewalClaim};

use crate::stand::{MINUTE, START, Stand, on_both};

const SECOND: Duration = Duration::from_secs(1);

fn oauth2() -> WebhookAuthChange {
    WebhookAuthChange {
        kind: Some(AuthType::Oauth2),
        client_id: Some("id".into()),
        client_secret: Some("very secret".into()),
        token_url: Some("https://a.example/token".into()),
        ..WebhookAuthChange::default()
    }
}

fn tokens(access: &str) -> Tokens {
    Tokens {
        access: access.into(),
        refresh: Some("refresh me".into()),
        expires_at: START + 60 * MINUTE,
        renew_at: START + 59 * MINUTE,
    }
}

async fn access(stand: &Stand, user: UserId) -> Option<String> {
    let stored = stand.database.webhook_auth(user).await.unwrap();
    stored.tokens.as_ref().map(|tokens| tokens.access.expose_secret().to_owned())
}

async fn claim(stand: &Stand, user: UserId) -> RenewalClaim {
    let version = stand.database.webhook_auth(user).await.unwrap().version;
    stand.database.claim_renewal(user, version, MINUTE).await.unwrap()
}

async fn claimed(stand: &Stand, user: UserId) -> i64 {
    match claim(stand, user).await {
        RenewalClaim::Yours(claim) => claim,
        other => panic!("{other:?}"),
    }
}

on_both! {
    async fn settings_are_kept_sealed_and_a_change_drops_the_tokens(stand) {
        let (database, anna) = (&stand.database, stand.user("anna").await);
        let none = database.webhook_auth(anna).await.unwrap();
        assert_eq!((none.settings.kind, none.version, none.tokens.is_some()), (AuthType::None, 0, false));
        let missing = WebhookAuthChange { kind: Some(AuthType::Basic), ..WebhookAuthChange::default() };
        let refused = database.change_webhook_auth(anna, missing).await.unwrap();
        assert_eq!(refused, AuthChanged::Incomplete(Incomplete::Basic));
        assert_eq!(stand.number("SELECT COUNT(*) FROM webhook_auth").await, 0);

        assert_eq!(database.change_webhook_auth(anna, oauth2()).await.unwrap(), AuthChanged::Done);
        let account = database.account(anna).await.unwrap().unwrap();
        assert_eq!(account.webhook_auth_type, "oauth2");
        let number = claimed(&stand, anna).await;
        assert!(database.finish_renewal(anna, number, &tokens("access")).await.unwrap());
        let stored = database.webhook_auth(anna).await.unwrap();
        let held = stored.tokens.clone().unwrap();
        assert_eq!((held.access.expose_secret(), held.expires_at), ("access", START + 60 * MINUTE));
        assert_eq!((held.refresh.unwrap().expose_secret(), held.renew_at), ("refresh me", START + 59 * MINUTE));
        assert_eq!(stored.settings.oauth2().unwrap().secret.expose_secret(), "very secret");
        for column in ["client_secret", "tokens"] {
            let bytes = stand.bytes(&format!("SELECT {column} FROM webhook_auth")).await;
            assert!(!bytes.windows(6).any(|part| part == b"secret" || part == b"access"), "{column}");
        }

        let scope = WebhookAuthChange { scope: Some("x".into()), ..WebhookAuthChange::default() };
        assert_eq!(database.change_webhook_auth(anna, scope).await.unwrap(), AuthChanged::Done);
        let changed = database.webhook_auth(anna).await.unwrap();
        assert!(changed.tokens.is_none() && changed.version > stored.version);
        assert_eq!(changed.settings.client_secret.as_ref().unwrap().expose_secret(), "very secret");
        assert_eq!(changed.settings.scope.as_deref(), Some("x"));

        let nobody = database.change_webhook_auth(UserId(77), oauth2()).await.unwrap();
        assert_eq!(nobody, AuthChanged::NoUser);
        assert_eq!(database.webhook_auth(stand.user("bob").await).await.unwrap().version, 0);
    }

    async fn what_is_sealed_for_one_user_opens_for_no_other(stand) {
        let (anna, bob) = (stand.user("anna").await, stand.user("bob").await);
        stand.database.change_webhook_auth(anna, oauth2()).await.unwrap();
        stand.execute(&format!("UPDATE webhook_auth SET user_id = {bob}")).await;
        let stolen = stand.database.webhook_auth(bob).await;
        assert!(matches!(stolen, Err(storage::Error::Unreadable { .. })), "{stolen:?}");
    }

    async fn one_renews_and_a_lost_claim_stores_nothing(stand) {
        let (database, anna) = (&stand.database, stand.user("anna").await);
        database.change_webhook_auth(anna, oauth2()).await.unwrap();
        let first = claimed(&stand, anna).await;
        assert_eq!(claim(&stand, anna).await, RenewalClaim::Taken);
        stand.clock.advance(MINUTE);
        let second = claimed(&stand, anna).await;
        assert!(!database.finish_renewal(anna, first, &tokens("late")).await.unwrap());
        assert_eq!(access(&stand, anna).await, None);
        let version = database.webhook_auth(anna).await.unwrap().version;
        assert!(database.finish_renewal(anna, second, &tokens("new")).await.unwrap());
        assert_eq!(access(&stand, anna).await.as_deref(), Some("new"));
        // Who still knows the old one need not renew it.
        let late = database.claim_renewal(anna, version, MINUTE).await.unwrap();
        assert_eq!(late, RenewalClaim::Changed);

        let third = claimed(&stand, anna).await;
        database.change_webhook_auth(anna, oauth2()).await.unwrap();
        assert!(!database.finish_renewal(anna, third, &tokens("of the old client")).await.unwrap());
        assert_eq!(access(&stand, anna).await, None);
        let nobody = database.claim_renewal(UserId(77), 0, MINUTE).await.unwrap();
        assert_eq!(nobody, RenewalClaim::Changed);
    }

    async fn many_claims_at_once_are_one(stand) {
        let anna = stand.user("anna").await;
        stand.database.change_webhook_auth(anna, oauth2()).await.unwrap();
        let version = stand.database.webhook_auth(anna).await.unwrap().version;
        let claims = (0..20).map(|_| stand.database.claim_renewal(anna, version, MINUTE));
        let claims = futures::future::join_all(claims).await;
        let yours = claims.iter().filter(|claim| matches!(claim, Ok(RenewalClaim::Yours(_)))).count();
        assert_eq!(yours, 1, "{claims:?}");
    }

    async fn failures_make_the_next_one_wait_longer(stand) {
        let (database, anna) = (&stand.database, stand.user("anna").await);
        database.change_webhook_auth(anna, oauth2()).await.unwrap();
        for pause in [3, 6, 12] {
            let number = claimed(&stand, anna).await;
            database.fail_renewal(anna, number).await.unwrap();
            stand.clock.advance((pause * SECOND).saturating_sub(SECOND / 1000));
            assert_eq!(claim(&stand, anna).await, RenewalClaim::TooEarly, "{pause}");
            stand.clock.advance(SECOND / 1000);
        }
        let number = claimed(&stand, anna).await;
        assert!(database.finish_renewal(anna, number, &tokens("new")).await.unwrap());
        let number = claimed(&stand, anna).await;
        database.fail_renewal(anna, number).await.unwrap();
        stand.clock.advance(3 * SECOND);
        assert!(matches!(claim(&stand, anna).await, RenewalClaim::Yours(_)), "success begins anew");
    }

    async fn a_persons_request_goes_first(stand) {
        let (database, anna) = (&stand.database, stand.user("anna").await);
        assert_eq!(database.take_renewal(anna, MINUTE).await.unwrap(), None);
        database.change_webhook_auth(anna, oauth2()).await.unwrap();
        let automatic = claimed(&stand, anna).await;
        let asked = database.take_renewal(anna, MINUTE).await.unwrap().unwrap();
        assert!(!database.finish_renewal(anna, automatic, &tokens("automatic")).await.unwrap());
        assert_eq!(claim(&stand, anna).await, RenewalClaim::Taken);
        database.abandon_renewal(anna, asked).await.unwrap();
        assert!(matches!(claim(&stand, anna).await, RenewalClaim::Yours(_)), "it is no failure of renewals");
    }

    async fn an_authorization_ends_once_in_time_and_for_its_user(stand) {
        let (database, anna, bob) = (&stand.database, stand.user("anna").await, stand.user("bob").await);
        let verifier: SecretString = "very secret".into();
        let begun = Authorization { redirect_uri: "https://b.example".into(), verifier };
        for state in ["one", "two"] {
            database.begin_authorization(anna, state, &begun, 10 * MINUTE).await.unwrap();
        }
        assert!(!stand.bytes("SELECT state FROM oauth2_authorizations").await.starts_with(b"one"));
        assert!(database.end_authorization(bob, "one").await.unwrap().is_none());
        assert!(database.end_authorization(anna, "three").await.unwrap().is_none());
        let ended = database.end_authorization(anna, "one").await.unwrap().unwrap();
        assert_eq!((&*ended.redirect_uri, ended.verifier.expose_secret()), ("https://b.example", "very secret"));
        assert!(database.end_authorization(anna, "one").await.unwrap().is_none());
        stand.clock.advance(10 * MINUTE);
        assert!(database.end_authorization(anna, "two").await.unwrap().is_none());

        for n in 0..30 {
            stand.clock.advance(SECOND);
            database.begin_authorization(anna, &n.to_string(), &begun, MINUTE).await.unwrap();
        }
        assert_eq!(stand.number("SELECT COUNT(*) FROM oauth2_authorizations").await, 20);
        assert!(database.end_authorization(anna, "0").await.unwrap().is_none());
        assert!(database.end_authorization(anna, "29").await.unwrap().is_some());
        stand.clock.advance(MINUTE);
        database.tidy_endpoints().await.unwrap();
        assert_eq!(stand.number("SELECT COUNT(*) FROM oauth2_authorizations").await, 0);
    }
}
