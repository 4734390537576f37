use std::time::Duration;

use domain::{
    DeliveryId, Fence, UserId,
    webhook::{Delivery, DeliveryState, MAX_ATTEMPTS, Next},
};
use storage::{DeliveryFilter, EndpointChange, EndpointChanged, ReplayBatch, Replayed};

use crate::stand::{MINUTE, START, Stand, message, on_both};

const RETRY: Next = Next::RetryAfter(Duration::from_secs(10));

/// A user with a callback and a session with nothing due, of which nothing is listed.
async fn quiet(stand: &Stand, name: &str) -> (UserId, Fence) {
    let user = stand.user(name).await;
    let fence = stand.held(user, &format!("{name}_shop")).await;
    stand.database.set_callback(user, Some(&format!("http://{name}"))).await.unwrap();
    (user, fence)
}

async fn receive(stand: &Stand, fence: Fence, ids: &[&str]) {
    let messages = ids.iter().map(|id| message(id, id)).collect();
    stand.database.commit_inbound(fence, messages).await.unwrap();
}

async fn list(stand: &Stand, filter: &DeliveryFilter) -> Vec<Delivery> {
    stand.database.deliveries(filter, None, 100).await.unwrap()
}

fn of(user: UserId) -> DeliveryFilter {
    DeliveryFilter { user: Some(user), ..DeliveryFilter::default() }
}

async fn replay(stand: &Stand, id: DeliveryId) -> Replayed {
    stand.database.replay_delivery(id).await.unwrap()
}

on_both! {
    async fn they_are_listed_from_the_newest_and_to_their_owners(stand) {
        let ((anna, annas), (bob, bobs)) = (quiet(&stand, "anna").await, quiet(&stand, "bob").await);
        receive(&stand, annas, &["a1", "a2", "a3"]).await;
        stand.clock.advance(MINUTE);
        receive(&stand, bobs, &["b1"]).await;
        receive(&stand, annas, &["a4"]).await;
        let count = async |filter| list(&stand, &filter).await.len();
        assert_eq!((count(of(anna)).await, count(of(bob)).await), (4, 1));
        assert_eq!(count(DeliveryFilter::default()).await, 5);
        assert_eq!(count(DeliveryFilter { since: Some(START + MINUTE), ..of(anna) }).await, 1);
        assert_eq!(count(DeliveryFilter { until: Some(START + MINUTE), ..of(anna) }).await, 3);
        assert_eq!(count(DeliveryFilter { session: Some(bobs.session), ..of(anna) }).await, 0);
        assert_eq!(count(DeliveryFilter { session: Some(annas.session), ..DeliveryFilter::default() }).await, 4);

        let first = stand.database.deliveries(&of(anna), None, 3).await.unwrap();
        assert!(first.is_sorted_by(|newer, older| newer.position > older.position));
        let rest = stand.database.deliveries(&of(anna), Some(first[2].position), 3).await.unwrap();
        assert_eq!(rest.len(), 1);
        let one = &rest[0];
        assert_eq!((one.user, one.session, one.session_name.as_deref()), (anna, annas.session, Some("anna_shop")));
        assert_eq!((&*one.kind, &*one.url, one.state), ("message", "http://anna", DeliveryState::Pending));
        assert_eq!((one.attempts, one.next_attempt_at, one.created_at), (0, Some(START), START));
        assert_eq!(stand.database.delivery(one.id).await.unwrap().as_ref(), Some(one));
        assert_eq!(stand.database.delivery(DeliveryId::new()).await.unwrap(), None);
        let endpoint = DeliveryFilter { endpoint: Some(one.endpoint), ..DeliveryFilter::default() };
        assert_eq!(count(endpoint).await, 4);

        stand.database.delete_session(annas.session, "gone").await.unwrap();
        assert_eq!(stand.database.delivery(one.id).await.unwrap().unwrap().session_name, None);
    }

    async fn states_and_attempts_are_seen(stand) {
        let (anna, fence) = quiet(&stand, "anna").await;
        receive(&stand, fence, &["a", "b", "c"]).await;
        let claimed = stand.due().await;
        assert!(stand.settle(&claimed[0], Next::Done).await);
        assert!(stand.settle(&claimed[1], RETRY).await);
        stand.clock.advance(MINUTE);
        let again = stand.due().await;
        assert!(stand.settle(&again[0], Next::Dead).await);
        for (state, expected) in [
            (DeliveryState::Delivered, claimed[0].id),
            (DeliveryState::Dead, claimed[1].id),
            (DeliveryState::Claimed, claimed[2].id),
        ] {
            let found = list(&stand, &DeliveryFilter { state: Some(state), ..of(anna) }).await;
            assert_eq!(found.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [expected], "{state}");
        }
        let dead = stand.database.delivery(claimed[1].id).await.unwrap().unwrap();
        assert_eq!((dead.attempts, dead.last_status, dead.next_attempt_at), (2, Some(500), None));
        assert_eq!((dead.last_error.as_deref(), dead.finished_at), (Some("the answer"), Some(START + MINUTE)));
        let (payload, attempts) = stand.database.delivery_details(dead.id).await.unwrap();
        assert!(payload.unwrap().contains(r#""messageId":"b""#));
        let shown: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.at, attempt.status)).collect();
        assert_eq!(shown, [(1, START, Some(500)), (2, START + MINUTE, Some(500))]);
        assert_eq!(attempts[0].answer.as_deref(), Some("the answer"));
        let nothing = stand.database.delivery_details(DeliveryId::new()).await.unwrap();
        assert_eq!(nothing, (None, Vec::new()));
    }

    async fn one_is_replayed_with_all_its_attempts_before_it(stand) {
        let (_, fence) = quiet(&stand, "anna").await;
        receive(&stand, fence, &["a"]).await;
        for _ in 0..MAX_ATTEMPTS {
            let claimed = stand.due().await;
            assert!(stand.settle(&claimed[0], RETRY).await);
            stand.clock.advance(MINUTE);
        }
        let claimed = stand.due().await;
        let id = claimed[0].id;
        assert_eq!(replay(&stand, id).await, Replayed::UnderWay);
        assert!(stand.settle(&claimed[0], Next::Dead).await);
        let made = claimed[0].attempts + 1;
        assert_eq!(replay(&stand, id).await, Replayed::Due);
        let again = stand.due().await;
        assert_eq!((again[0].id, again[0].attempts, again[0].earlier_attempts), (id, made, made));
        assert!(stand.settle(&again[0], RETRY).await);
        // One that waits becomes due, and its schedule goes on.
        assert_eq!((stand.due().await.len(), replay(&stand, id).await), (0, Replayed::Due));
        let again = stand.due().await;
        assert_eq!((again[0].attempts, again[0].earlier_attempts), (made + 1, made));
        assert!(stand.settle(&again[0], Next::Done).await);
        assert_eq!(replay(&stand, id).await, Replayed::Due, "also what was delivered");
        assert_eq!(replay(&stand, DeliveryId::new()).await, Replayed::Unknown);
        let endpoint = again[0].endpoint;
        let disable = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
        assert_eq!(stand.database.change_endpoint(endpoint, &disable, None).await.unwrap(), EndpointChanged::Done);
        assert_eq!(replay(&stand, id).await, Replayed::EndpointDisabled);
    }

    async fn a_replay_does_not_hold_up_what_came_later(stand) {
        let (_, fence) = quiet(&stand, "anna").await;
        stand.database.commit_inbound(fence, vec![message("chat", "a")]).await.unwrap();
        for _ in 0..4 {
            let claimed = stand.due().await;
            assert!(stand.settle(&claimed[0], RETRY).await);
            stand.clock.advance(MINUTE);
        }
        let claimed = stand.due().await;
        assert!(stand.settle(&claimed[0], Next::Dead).await);
        assert_eq!(replay(&stand, claimed[0].id).await, Replayed::Due);
        let claimed = stand.due().await;
        assert!(stand.settle(&claimed[0], RETRY).await);
        stand.database.commit_inbound(fence, vec![message("chat", "b")]).await.unwrap();
        let due = stand.due().await;
        assert_eq!(due.len(), 1, "it waits for the replay's second attempt");
        assert_ne!(due[0].id, claimed[0].id);
    }

    async fn many_are_replayed_in_batches(stand) {
        let ((anna, annas), (bob, bobs)) = (quiet(&stand, "anna").await, quiet(&stand, "bob").await);
        let ids: Vec<_> = (0..7).map(|n| format!("a{n}")).collect();
        receive(&stand, annas, &ids.iter().map(|id| &**id).collect::<Vec<_>>()).await;
        receive(&stand, bobs, &["b"]).await;
        for (nth, delivery) in stand.due().await.iter().enumerate() {
            assert!(stand.settle(delivery, if nth == 0 { Next::Done } else { Next::Dead }).await);
        }
        let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..of(anna) };
        let first = stand.database.replay_deliveries(&dead, 0, 4).await.unwrap();
        assert_eq!(first.replayed, 4);
        let second = stand.database.replay_deliveries(&dead, first.next.unwrap(), 4).await.unwrap();
        assert_eq!(second, ReplayBatch { replayed: 2, next: None });
        assert_eq!(stand.database.delivery_counts().await.unwrap().dead, 1, "another user's");
        assert_eq!(stand.due().await.len(), 6);

        stand.database.set_callback(bob, None).await.unwrap();
        let all = DeliveryFilter::default();
        assert_eq!(stand.database.replay_deliveries(&all, 0, 100).await.unwrap().replayed, 1, "of those that are enabled, the one that was delivered");
    }
}
