use domain::UserId;
use storage::NewUser;

use crate::stand::{START, on_both};

on_both! {
    async fn the_admin_is_number_one_and_others_come_after(stand) {
        let database = &stand.database;
        stand.admin().await;
        assert_eq!(stand.user("anna").await, UserId(2));
        stand.admin().await;
        assert_eq!(stand.user("berta").await, UserId(3));

        let admin = database.user_by_name("admin").await.unwrap().unwrap();
        assert_eq!((admin.user.id, admin.user.is_admin), (UserId::ADMIN, true));
        assert_eq!((admin.user.created_at, admin.password_hash.as_str()), (START, "hash"));
        assert!(!format!("{admin:?}").contains("hash"), "{admin:?}");
        assert!(!database.user_by_name("anna").await.unwrap().unwrap().user.is_admin);
        assert!(database.user_by_name("nobody").await.unwrap().is_none());
    }

    async fn the_admins_version_grows_with_a_new_hash_only(stand) {
        let database = &stand.database;
        for (name, hash, version) in
            [("admin", "a", 1), ("admin", "a", 1), ("root", "a", 1), ("root", "b", 2), ("root", "b", 2), ("x", "c", 3)]
        {
            database.put_admin(name, hash).await.unwrap();
            let admin = database.user_by_name(name).await.unwrap().unwrap();
            assert_eq!((admin.user.password_version, admin.password_hash.as_str()), (version, hash));
            assert_eq!(database.password_version(UserId::ADMIN).await.unwrap(), Some(version));
        }
        assert!(database.user_by_name("admin").await.unwrap().is_none(), "the old name is gone");
        assert_eq!(database.password_version(UserId(77)).await.unwrap(), None);
    }

    async fn a_name_is_given_once(stand) {
        stand.admin().await;
        for name in ["admin", "anna"] {
            let user = NewUser { username: name.into(), password_hash: "hash".into() };
            let made = stand.database.create_user(&user).await.unwrap();
            assert_eq!(made.is_some(), name == "anna");
        }
        let again = NewUser { username: "anna".into(), password_hash: "other".into() };
        assert!(stand.database.create_user(&again).await.unwrap().is_none());
    }
}
