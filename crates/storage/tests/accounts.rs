use domain::UserId;
use storage::{Edited, SessionConfig};

use crate::stand::{START, on_both};

on_both! {
    async fn accounts_come_by_number_with_what_is_set(stand) {
        let database = &stand.database;
        stand.admin().await;
        let (anna, bob) = (stand.user("anna").await, stand.user("bob").await);
        database.set_callback(anna, Some("https://hooks.example/a")).await.unwrap();
        database.set_base_endpoint(Some("https://base.example/")).await.unwrap();
        let accounts = database.accounts().await.unwrap();
        let names: Vec<_> = accounts.iter().map(|account| &*account.user.username).collect();
        assert_eq!(names, ["admin", "anna", "bob"]);
        let of_anna = database.account(anna).await.unwrap().unwrap();
        assert_eq!(accounts[1], of_anna);
        assert_eq!((of_anna.session_name.as_str(), of_anna.webhook_auth_type.as_str()), ("anna", "none"));
        assert_eq!(of_anna.callback_url.as_deref(), Some("https://hooks.example/a"));
        assert_eq!((of_anna.user.created_at, of_anna.user.is_admin), (START, false));
        assert_eq!(database.account(bob).await.unwrap().unwrap().callback_url, None, "the base is nobody's");
        assert_eq!(database.account(UserId(77)).await.unwrap(), None);

        // Disabled by its receiver, it is still hers; taken away, it is not.
        stand.execute("UPDATE endpoints SET enabled = FALSE, disabled_reason = '410' WHERE user_id IS NOT NULL").await;
        assert_eq!(database.account(anna).await.unwrap().unwrap(), of_anna);
        database.set_callback(anna, None).await.unwrap();
        assert_eq!(database.account(anna).await.unwrap().unwrap().callback_url, None);
    }

    async fn a_password_and_its_version_change_together(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = stand.user("anna").await;
        assert_eq!(database.set_password(anna, "new").await.unwrap(), Edited::Done);
        let stored = database.user_by_name("anna").await.unwrap().unwrap();
        assert_eq!((stored.password_hash.as_str(), stored.user.password_version), ("new", 2));
        assert_eq!(database.password_version(anna).await.unwrap(), Some(2));
        assert_eq!(database.set_password(UserId::ADMIN, "new").await.unwrap(), Edited::IsAdmin);
        assert_eq!(database.password_version(UserId::ADMIN).await.unwrap(), Some(1));
        assert_eq!(database.set_password(UserId(77), "new").await.unwrap(), Edited::NotFound);
    }

    async fn what_is_left_out_of_a_configuration_stays(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = stand.user("anna").await;
        let hook = Some("https://hooks.example/a".to_owned());
        let table = [
            (Some("shop"), None, "shop", None),
            (None, Some(hook.clone()), "shop", hook.clone()),
            (None, None, "shop", hook.clone()),
            (Some("other"), None, "other", hook),
            (None, Some(None), "other", None),
        ];
        for (name, callback_url, expected_name, expected_callback) in table {
            let config = SessionConfig { session_name: name.map(str::to_owned), callback_url };
            assert_eq!(database.configure_session(anna, &config).await.unwrap(), Edited::Done);
            let account = database.account(anna).await.unwrap().unwrap();
            assert_eq!((account.session_name.as_str(), account.callback_url), (expected_name, expected_callback));
        }
        let config = SessionConfig { session_name: None, callback_url: Some(Some("https://x.example/".into())) };
        assert_eq!(database.configure_session(UserId::ADMIN, &config).await.unwrap(), Edited::IsAdmin);
        assert_eq!(database.configure_session(UserId(77), &config).await.unwrap(), Edited::NotFound);
        assert_eq!(stand.number("SELECT COUNT(*) FROM endpoints").await, 1);
    }
}
