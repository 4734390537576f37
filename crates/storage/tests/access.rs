use std::time::Duration;

use domain::{
    ApiKeyId, UserId,
    access::{LOGIN_TOTAL, MOST_API_KEYS, MOST_LOGINS, Scope},
    user::User,
};
use secrets::Token;
use storage::{CredentialVersions, Edited, KeyMade, NewApiKey};

use crate::stand::{MINUTE, START, Stand, on_both};

async fn user(stand: &Stand, name: &str) -> User {
    stand.user(name).await;
    stand.database.user_by_name(name).await.unwrap().unwrap().user
}

fn new_key(token: &Token) -> NewApiKey {
    NewApiKey {
        name: "shop".into(),
        prefix: "wag_abcd".into(),
        token: token.hash(),
        scopes: vec![Scope::MessagesSend, Scope::SessionsRead],
        expires_at: Some(START + MINUTE),
    }
}

async fn key(stand: &Stand, user: &User) -> (Token, ApiKeyId) {
    let token = Token::generate();
    match stand.database.create_api_key(user, &new_key(&token)).await.unwrap() {
        KeyMade::Done(key) => (token, key.id),
        other => panic!("{other:?}"),
    }
}

on_both! {
    async fn a_login_stands_for_its_user_until_it_ends(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = user(&stand, "anna").await;
        let (one, two) = (Token::generate(), Token::generate());
        for token in [&one, &two] {
            assert!(database.add_login(&anna, &token.hash()).await.unwrap());
        }
        let login = database.login(&one.hash()).await.unwrap().unwrap();
        assert_eq!((&login.user, login.created_at, login.seen_at), (&anna, START, START));
        assert_eq!(login.versions, CredentialVersions { password: 1, access: 0 });
        assert_eq!(database.credential_versions(anna.id).await.unwrap(), Some(login.versions));
        database.see_login(&one.hash(), START + MINUTE).await.unwrap();
        database.see_login(&one.hash(), START).await.unwrap();
        assert_eq!(database.login(&one.hash()).await.unwrap().unwrap().seen_at, START + MINUTE);

        assert_eq!(database.end_login(&one.hash()).await.unwrap(), Some(anna.id));
        assert_eq!(database.end_login(&one.hash()).await.unwrap(), None);
        assert_eq!(database.login(&one.hash()).await.unwrap(), None);
        let versions = database.login(&two.hash()).await.unwrap().unwrap().versions;
        assert_eq!(versions, CredentialVersions { password: 1, access: 1 });
        assert_eq!(database.login(&Token::generate().hash()).await.unwrap(), None);
        assert_eq!(database.credential_versions(UserId(77)).await.unwrap(), None);
    }

    async fn another_password_ends_what_came_before(stand) {
        let database = &stand.database;
        stand.admin().await;
        let (anna, bob) = (user(&stand, "anna").await, user(&stand, "bob").await);
        let login = Token::generate();
        database.add_login(&anna, &login.hash()).await.unwrap();
        let (token, _) = key(&stand, &anna).await;
        let (bobs, _) = key(&stand, &bob).await;
        assert_eq!(database.set_password(anna.id, "other").await.unwrap(), Edited::Done);
        assert_eq!(database.login(&login.hash()).await.unwrap(), None);
        assert_eq!(database.api_key(&token.hash()).await.unwrap(), None);
        assert_eq!(stand.number("SELECT (SELECT COUNT(*) FROM logins) + (SELECT COUNT(*) FROM api_keys)").await, 1);
        // Who was verified under the old one comes too late.
        assert!(!database.add_login(&anna, &login.hash()).await.unwrap());
        assert_eq!(database.create_api_key(&anna, &new_key(&token)).await.unwrap(), KeyMade::NoUser);
        // A process of the version before changes passwords and knows nothing of these tables.
        stand.execute("UPDATE users SET password_version = password_version + 1 WHERE username = 'bob'").await;
        assert_eq!(database.api_key(&bobs.hash()).await.unwrap(), None);
        assert_eq!(database.api_keys(bob.id, None, 10).await.unwrap(), []);
        assert_eq!(database.tidy_access().await.unwrap(), 1);
    }

    async fn a_user_who_goes_takes_them_along(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = user(&stand, "anna").await;
        let login = Token::generate();
        database.add_login(&anna, &login.hash()).await.unwrap();
        let (token, _) = key(&stand, &anna).await;
        database.begin_user_removal(anna.id).await.unwrap();
        assert_eq!(database.login(&login.hash()).await.unwrap(), None);
        assert_eq!(database.api_key(&token.hash()).await.unwrap(), None);
        assert_eq!(database.credential_versions(anna.id).await.unwrap(), None);
        assert!(database.purge_user(anna.id).await.unwrap());
    }

    async fn a_key_is_listed_used_and_ended_by_its_owner(stand) {
        let database = &stand.database;
        stand.admin().await;
        let (anna, bob) = (user(&stand, "anna").await, user(&stand, "bob").await);
        let (first, id) = key(&stand, &anna).await;
        let (_, second) = key(&stand, &anna).await;
        let stored = database.api_key(&first.hash()).await.unwrap().unwrap();
        assert_eq!((&stored.user, stored.key.id, stored.key.last_used_at), (&anna, id, None));
        assert_eq!(stored.key.scopes, [Scope::MessagesSend, Scope::SessionsRead]);
        assert_eq!((stored.key.created_at, stored.key.expires_at), (START, Some(START + MINUTE)));
        database.see_api_key(id, START + MINUTE).await.unwrap();

        let page = database.api_keys(anna.id, None, 1).await.unwrap();
        assert_eq!(page.iter().map(|key| key.id).collect::<Vec<_>>(), [second]);
        let page = database.api_keys(anna.id, Some(second), 5).await.unwrap();
        assert_eq!((page.len(), page[0].id, page[0].last_used_at), (1, id, Some(START + MINUTE)));
        assert_eq!(database.api_keys(bob.id, None, 5).await.unwrap(), []);

        assert_eq!(database.end_api_key(bob.id, id).await.unwrap(), None);
        assert_eq!(database.end_api_key(anna.id, id).await.unwrap().as_deref(), Some("shop"));
        assert_eq!(database.end_api_key(anna.id, id).await.unwrap(), None);
        assert_eq!(database.api_key(&first.hash()).await.unwrap(), None);
        assert_eq!(database.credential_versions(anna.id).await.unwrap().unwrap().access, 1);
    }

    async fn there_are_only_so_many(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = user(&stand, "anna").await;
        let first = Token::generate();
        database.add_login(&anna, &first.hash()).await.unwrap();
        for _ in 0..MOST_LOGINS {
            stand.clock.advance(Duration::from_secs(1));
            database.add_login(&anna, &Token::generate().hash()).await.unwrap();
        }
        assert_eq!(database.login(&first.hash()).await.unwrap(), None, "the oldest made room");
        assert_eq!(stand.number("SELECT COUNT(*) FROM logins").await, i64::try_from(MOST_LOGINS).unwrap());
        for _ in 0..MOST_API_KEYS {
            key(&stand, &anna).await;
        }
        let one_more = database.create_api_key(&anna, &new_key(&Token::generate())).await.unwrap();
        assert_eq!(one_more, KeyMade::TooMany);
        stand.clock.advance(LOGIN_TOTAL + MINUTE);
        assert_eq!(database.tidy_access().await.unwrap(), MOST_LOGINS as u64);
    }
}
