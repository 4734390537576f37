use domain::{
    MessageId, SessionId, UserId,
    message::{Content, FailureCode, MessageState, NewMessage, wa_message_id},
    session::SessionState,
};
use storage::{Edited, Started};

use crate::stand::{MINUTE, START, Stand, message, on_both, to};

async fn accept(stand: &Stand, session: SessionId, user: UserId, nth: u8) -> MessageId {
    let id = MessageId::new();
    let message = NewMessage {
        id,
        session,
        user,
        wa_id: wa_message_id([nth; 9]),
        chat: "62811@s.whatsapp.net".into(),
        content: Content::plain("hi"),
        idempotency: None,
        accepted_at: START,
        expires_at: START + MINUTE,
    };
    stand.database.accept_message(message).await.unwrap();
    id
}

on_both! {
    async fn a_user_is_nobody_at_once_and_gone_when_the_sessions_are(stand) {
        let database = &stand.database;
        let admin = stand.admin().await;
        let (anna, bob) = (stand.user("anna").await, stand.user("bob").await);
        database.set_base_endpoint(Some("https://base.example/")).await.unwrap();
        database.set_callback(anna, Some("https://hooks.example/a")).await.unwrap();
        let (hers, his) = (stand.held(anna, "anna_shop").await, stand.held(bob, "bob_shop").await);
        for fence in [hers, his] {
            database.transition(to(fence, SessionState::Connected)).await.unwrap();
            database.commit_inbound(fence, vec![message("62811@s.whatsapp.net", "M1")]).await.unwrap();
        }
        // A session that was removed before counts as hers, too.
        let earlier = stand.start(anna, "anna_earlier").await.id;
        database.delete_session(earlier, "done").await.unwrap();
        let mine = accept(&stand, hers.session, anna, 1).await;
        let admins = accept(&stand, hers.session, admin, 2).await;
        let bobs = accept(&stand, his.session, bob, 3).await;

        assert_eq!(database.begin_user_removal(anna).await.unwrap(), Edited::Done);
        assert!(database.user_by_name("anna").await.unwrap().is_none());
        assert_eq!(database.password_version(anna).await.unwrap(), None);
        assert_eq!(database.account(anna).await.unwrap(), None);
        assert_eq!(database.accounts().await.unwrap().len(), 2);
        assert_eq!(database.set_password(anna, "x").await.unwrap(), Edited::NotFound);
        assert_eq!(database.begin_user_removal(anna).await.unwrap(), Edited::NotFound);
        assert_eq!(database.start_session(anna, "anna_new").await.unwrap(), Started::NoUser);
        assert_eq!(database.start_session(anna, "anna_shop").await.unwrap(), Started::NoUser);
        let hash = stand.texts("SELECT password_hash FROM users WHERE username = 'anna'").await;
        assert!(hash[0] != "hash" && secrets::is_bcrypt(&hash[0]), "also for a version that knows less: {hash:?}");

        assert!(!database.purge_user(anna).await.unwrap(), "she has a session");
        assert_eq!(stand.number("SELECT COUNT(*) FROM outbound").await, 3);
        assert!(database.delete_session(hers.session, "her user was deleted").await.unwrap());
        assert!(database.purge_user(anna).await.unwrap());
        assert!(database.purge_user(anna).await.unwrap(), "gone is gone");

        for table in ["events", "session_events", "endpoints", "users", "sessions"] {
            let column = if table == "users" { "id" } else { "user_id" };
            let left = format!("SELECT COUNT(*) FROM {table} WHERE {column} = {}", anna.0);
            assert_eq!(stand.number(&left).await, 0, "{table}");
        }
        let orphans = "SELECT COUNT(*) FROM deliveries WHERE event_id NOT IN (SELECT id FROM events)";
        assert_eq!(stand.number(orphans).await, 0);
        assert!(stand.number("SELECT COUNT(*) FROM deliveries").await > 0, "his are still to be delivered");
        assert_eq!(database.message(mine).await.unwrap(), None);
        let failed = database.message(admins).await.unwrap().unwrap();
        assert_eq!(failed.failure.unwrap().code, FailureCode::SessionGone);
        assert_eq!(database.message(bobs).await.unwrap().unwrap().state, MessageState::Queued);
        assert_eq!(stand.session(his).await.state, SessionState::Connected);
    }

    async fn many_rows_go_in_batches(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = stand.user("anna").await;
        let fence = stand.held(anna, "anna").await;
        let messages = (0..1203).map(|nth| message("62811@s.whatsapp.net", &format!("M{nth}")));
        database.commit_inbound(fence, messages.collect()).await.unwrap();
        database.begin_user_removal(anna).await.unwrap();
        database.delete_session(fence.session, "done").await.unwrap();
        assert!(database.purge_user(anna).await.unwrap());
        assert_eq!(stand.number("SELECT COUNT(*) FROM events").await, 0);
    }

    async fn a_removal_that_was_left_is_found(stand) {
        let database = &stand.database;
        stand.admin().await;
        let (anna, bob) = (stand.user("anna").await, stand.user("bob").await);
        assert_eq!(database.begin_user_removal(anna).await.unwrap(), Edited::Done);
        stand.clock.advance(MINUTE);
        assert_eq!(database.begin_user_removal(bob).await.unwrap(), Edited::Done);
        assert_eq!(database.users_being_removed(START).await.unwrap(), []);
        assert_eq!(database.users_being_removed(START + MINUTE).await.unwrap(), [anna]);
        assert_eq!(database.users_being_removed(START + 2 * MINUTE).await.unwrap(), [anna, bob]);
    }

    async fn only_a_removal_that_began_ends(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = stand.user("anna").await;
        assert!(!database.purge_user(anna).await.unwrap());
        assert!(!database.purge_user(UserId::ADMIN).await.unwrap());
        assert_eq!(database.begin_user_removal(UserId::ADMIN).await.unwrap(), Edited::IsAdmin);
        assert_eq!(database.accounts().await.unwrap().len(), 2);
    }

    async fn a_number_is_given_once(stand) {
        let database = &stand.database;
        stand.admin().await;
        let anna = stand.user("anna").await;
        database.begin_user_removal(anna).await.unwrap();
        assert!(database.purge_user(anna).await.unwrap());
        // As at every start.
        stand.admin().await;
        assert!(stand.user("anna").await > anna);
    }

    async fn a_message_without_a_session_fails(stand) {
        let database = &stand.database;
        let admin = stand.admin().await;
        let (gone, there) = (stand.start(admin, "gone").await.id, stand.start(admin, "there").await.id);
        let waits = accept(&stand, there, admin, 1).await;
        database.delete_session(gone, "done").await.unwrap();
        // Accepted in the moment of the removal, by a process that did not look as this one does.
        let late = accept(&stand, there, admin, 2).await;
        stand.execute("UPDATE outbound SET session_id = id WHERE position = (SELECT MAX(position) FROM outbound)").await;
        assert_eq!(database.fail_messages_without_session().await.unwrap(), 1);
        assert_eq!(database.fail_messages_without_session().await.unwrap(), 0);
        let failed = database.message(late).await.unwrap().unwrap();
        assert_eq!(failed.failure.unwrap().code, FailureCode::SessionGone);
        assert_eq!(database.message(waits).await.unwrap().unwrap().state, MessageState::Queued);
    }
}
