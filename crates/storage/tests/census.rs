use std::collections::HashMap;

use domain::{
    MessageId, ProcessId, UserId,
    message::{Content, NewMessage},
    session::SessionState,
    webhook::Next,
};
use storage::{Census, Queue, Transition};

use crate::stand::{MINUTE, START, message, on_both, to};

fn text(session: domain::SessionId, wa_id: &str) -> NewMessage {
    NewMessage {
        id: MessageId::new(),
        session,
        user: UserId::ADMIN,
        wa_id: wa_id.into(),
        chat: "1@s.whatsapp.net".into(),
        content: Content::plain("halo"),
        idempotency: None,
        accepted_at: START,
        expires_at: START + 60 * MINUTE,
    }
}

on_both! {
    async fn nothing_is_counted_where_nothing_is(stand) {
        assert_eq!(stand.database.census().await.unwrap(), Census::default());
    }

    async fn sessions_are_counted_by_what_is_expected_of_them(stand) {
        let admin = stand.admin().await;
        let online = stand.held(admin, "online").await;
        let gone = stand.held(admin, "gone").await;
        let fresh = stand.held(admin, "fresh").await;
        stand.start(admin, "free").await;
        let linked = |fence, state| Transition {
            credentials_present: Some(state == SessionState::Connected),
            phone: Some("62811".into()),
            ..to(fence, state)
        };
        stand.database.transition(linked(online, SessionState::Connected)).await.unwrap();
        stand.database.transition(linked(gone, SessionState::LoggedOut)).await.unwrap();
        stand.database.transition(to(fresh, SessionState::Pairing)).await.unwrap();
        let census = stand.database.census().await.unwrap();
        let expected = [
            (SessionState::Connected, 1),
            (SessionState::LoggedOut, 1),
            (SessionState::Pairing, 1),
            (SessionState::Connecting, 1),
        ];
        assert_eq!(census.sessions, HashMap::from(expected));
        assert_eq!((census.expected, census.connected, census.needing_person), (2, 1, 1));
        assert_eq!((census.unclaimed, census.runners_accepting, census.capacity), (1, 3, 300));
        let leaving = stand.database.holder(online.session).await.unwrap().unwrap();
        stand.database.stop_accepting(leaving).await.unwrap();
        let census = stand.database.census().await.unwrap();
        assert_eq!((census.runners_accepting, census.runners_leaving, census.capacity), (2, 1, 200));
    }

    async fn queues_are_counted_with_their_oldest(stand) {
        let admin = stand.admin().await;
        let (online, offline) = (stand.held(admin, "online").await, stand.held(admin, "offline").await);
        stand.database.transition(to(online, SessionState::Connected)).await.unwrap();
        for (fence, id) in [(online, "a"), (offline, "b"), (offline, "c")] {
            stand.database.accept_message(text(fence.session, id)).await.unwrap();
        }
        stand.clock.advance(MINUTE);
        let census = stand.database.census().await.unwrap();
        assert_eq!(census.outbound_online, Queue { waiting: 1, oldest_ms: 60_000 });
        assert_eq!(census.outbound_offline, Queue { waiting: 2, oldest_ms: 60_000 });
    }

    async fn deliveries_are_counted_by_where_they_are(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://receiver.example")).await.unwrap();
        let fence = stand.held(admin, "shop").await;
        stand.deliver_all().await;
        stand.database.commit_inbound(fence, vec![message("1@s.whatsapp.net", "a")]).await.unwrap();
        stand.database.commit_inbound(fence, vec![message("2@s.whatsapp.net", "b")]).await.unwrap();
        stand.clock.advance(MINUTE);
        let census = stand.database.census().await.unwrap();
        assert_eq!(census.deliveries_due, Queue { waiting: 2, oldest_ms: 60_000 });
        let taken = stand.due().await;
        assert_eq!(stand.database.census().await.unwrap().deliveries_claimed, 2);
        stand.settle(&taken[0], Next::Dead).await;
        stand.settle(&taken[1], Next::RetryAfter(MINUTE)).await;
        let census = stand.database.census().await.unwrap();
        assert_eq!(census.deliveries_due, Queue::default());
        assert_eq!((census.deliveries_dead, census.deliveries_scheduled, census.deliveries_claimed), (1, 1, 0));
        // What waits for an operator's address that is not set is not late.
        stand.clock.advance(2 * MINUTE);
        stand.database.set_base_endpoint(None).await.unwrap();
        assert_eq!(stand.database.census().await.unwrap().deliveries_due, Queue::default());
    }
}

#[tokio::test]
async fn one_process_has_the_census() {
    let stand = crate::stand::Stand::postgres().await;
    let (one, other) = (ProcessId::new(), ProcessId::new());
    assert!(stand.database.claim_census(one, MINUTE).await.unwrap());
    assert!(stand.database.claim_census(one, MINUTE).await.unwrap(), "it keeps it");
    assert!(!stand.database.claim_census(other, MINUTE).await.unwrap());
    stand.database.release_census(other).await.unwrap();
    assert!(!stand.database.claim_census(other, MINUTE).await.unwrap(), "only its holder gives it back");
    stand.database.release_census(one).await.unwrap();
    assert!(stand.database.claim_census(other, std::time::Duration::ZERO).await.unwrap());
    // What has run out is anybody's.
    scratch::wait_for(MINUTE, async || stand.database.claim_census(one, MINUTE).await.unwrap()).await;
}

#[tokio::test]
async fn an_embedded_database_has_one_process() {
    let stand = crate::stand::Stand::sqlite().await;
    assert!(stand.database.claim_census(ProcessId::new(), MINUTE).await.unwrap());
    assert!(stand.database.claim_census(ProcessId::new(), MINUTE).await.unwrap());
}
