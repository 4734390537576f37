//! A claim that was lost writes nothing, in any lane, alone or in company.

use domain::{
    Fence, MessageId, UserId,
    message::{Content, Failure, FailureCode, NewMessage},
    session::SessionState,
};
use storage::{Change, Error, Progress};

use crate::stand::{MINUTE, START, Stand, message, on_both, to};

const TABLES: [&str; 6] = ["session_state", "session_events", "events", "deliveries", "outbound", "sessions"];

/// All that a lost claim could change.
async fn everything(stand: &Stand) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(stand.number(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    counts.push(stand.number("SELECT CAST(SUM(event_sequence) AS BIGINT) FROM sessions").await);
    counts.push(stand.number("SELECT COUNT(*) FROM outbound WHERE state = 'queued'").await);
    counts
}

async fn queued(stand: &Stand, fence: Fence) -> MessageId {
    let message = NewMessage {
        id: MessageId::new(),
        session: fence.session,
        user: UserId::ADMIN,
        wa_id: MessageId::new().to_string(),
        chat: "1@s.whatsapp.net".into(),
        content: Content::plain("hi"),
        idempotency: None,
        accepted_at: START,
        expires_at: START + MINUTE,
    };
    let id = message.id;
    stand.database.accept_message(message).await.unwrap();
    id
}

fn lost<T: std::fmt::Debug>(result: &Result<T, Error>) {
    assert!(matches!(result, Err(Error::LeaseLost)), "{result:?}");
}

on_both! {
    async fn nothing_is_written_under_a_lost_claim(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://h")).await.unwrap();
        let old = stand.held(admin, "shop").await;
        let id = queued(&stand, old).await;
        let now = stand.take_over(old).await;
        let (database, mine) = (&stand.database, stand.database.session_store(now));
        mine.write(vec![Change::put("k", "kept", b"v".as_slice())]).await.unwrap();
        let before = everything(&stand).await;

        let store = database.session_store(old);
        lost(&store.write(vec![Change::put("k", "new", b"v".as_slice())]).await);
        lost(&store.write(vec![Change::Delete { kind: "k", key: "kept".into() }]).await);
        lost(&store.take("k", "kept").await);
        lost(&store.set_number("k", &["kept".to_owned()], 9).await);
        lost(&store.delete_prefix("k", "").await);
        lost(&store.delete_expired("k", i64::MAX).await);
        lost(&database.transition(to(old, SessionState::Connected)).await);
        lost(&database.commit_inbound(old, vec![message("c", "M1")]).await);
        lost(&database.advance_message(old, id, Progress::Sent).await);
        let failure = Failure { code: FailureCode::Refused, reason: "no".into() };
        lost(&database.advance_message(old, id, Progress::Failed(failure)).await);

        assert_eq!(everything(&stand).await, before);
        assert_eq!(stand.session(now).await.state, SessionState::Connecting);
        assert_eq!(mine.get("k", "kept").await.unwrap().unwrap().number, 0);
    }

    async fn in_one_batch_the_lost_fail_and_the_others_do_not(stand) {
        let admin = stand.admin().await;
        let old = stand.held(admin, "shop").await;
        let message_of_old = queued(&stand, old).await;
        let now = stand.take_over(old).await;
        let other = stand.held(admin, "second").await;
        let message_of_other = queued(&stand, other).await;
        let database = &stand.database;
        let (lost_store, mine, theirs) =
            (database.session_store(old), database.session_store(now), database.session_store(other));
        let put = |value: &str| vec![Change::put("k", "a", value.as_bytes())];
        // All are queued before the first is committed.
        let results = tokio::join!(
            mine.write(put("mine")),
            lost_store.write(put("lost")),
            theirs.write(put("theirs")),
            database.commit_inbound(old, vec![message("c", "lost")]),
            database.commit_inbound(now, vec![message("c", "mine")]),
            database.commit_inbound(other, vec![message("c", "theirs")]),
            database.transition(to(old, SessionState::Banned)),
            database.transition(to(other, SessionState::Connected)),
            database.advance_message(old, message_of_old, Progress::Sent),
            database.advance_message(other, message_of_other, Progress::Sent),
        );
        results.0.unwrap();
        lost(&results.1);
        results.2.unwrap();
        lost(&results.3);
        assert_eq!(results.4.unwrap().new, 1);
        assert_eq!(results.5.unwrap().new, 1);
        lost(&results.6);
        results.7.unwrap();
        lost(&results.8);
        results.9.unwrap();
        assert_eq!(mine.get("k", "a").await.unwrap().unwrap().value, b"mine");
        assert_eq!(theirs.get("k", "a").await.unwrap().unwrap().value, b"theirs");
        assert_eq!(stand.session(now).await.state, SessionState::Connecting);
        assert_eq!(stand.session(other).await.state, SessionState::Connected);
        let mut messages = stand.texts("SELECT message_id FROM events WHERE message_id IS NOT NULL").await;
        messages.sort();
        assert_eq!(messages, ["mine", "theirs"]);
        assert_eq!(stand.number("SELECT COUNT(*) FROM outbound WHERE state = 'sent'").await, 1);
    }

    async fn a_token_of_the_future_is_worth_nothing_either(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let store = stand.database.session_store(Fence { token: fence.token + 1, ..fence });
        lost(&store.write(vec![Change::put("k", "a", b"v".as_slice())]).await);
        assert_eq!(stand.number("SELECT COUNT(*) FROM session_state").await, 0);
    }
}
