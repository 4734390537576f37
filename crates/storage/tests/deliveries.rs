use std::time::Duration;

use domain::{
    EndpointId, Fence, UserId,
    webhook::{ClaimedDelivery, Next, ORDERED_ATTEMPTS},
};
use storage::DeliveryCounts;

use crate::stand::{MINUTE, START, Stand, message, on_both};

const SECOND: Duration = Duration::from_secs(1);
const RETRY: Next = Next::RetryAfter(Duration::from_secs(10));

/// A session with a base endpoint and nothing due.
async fn quiet(stand: &Stand) -> Fence {
    let admin = stand.admin().await;
    stand.database.set_base_endpoint(Some("http://h")).await.unwrap();
    let fence = stand.held(admin, "shop").await;
    stand.deliver_all().await;
    fence
}

async fn receive(stand: &Stand, fence: Fence, messages: &[(&str, &str)]) {
    let messages = messages.iter().map(|(chat, id)| message(chat, id)).collect();
    stand.database.commit_inbound(fence, messages).await.unwrap();
}

/// The messages' own ids.
fn ids(deliveries: &[ClaimedDelivery]) -> Vec<String> {
    let id = |payload: &str| {
        payload.split(r#""messageId":""#).nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    deliveries.iter().map(|delivery| id(&delivery.payload)).collect()
}

async fn claim(stand: &Stand, limit: u32, busy: &[EndpointId]) -> (Vec<String>, bool) {
    let claimed = stand.database.claim_deliveries(limit, MINUTE, busy).await.unwrap();
    (ids(&claimed.deliveries), claimed.more)
}

on_both! {
    async fn they_are_claimed_in_order_and_once(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")]).await;
        assert_eq!(claim(&stand, 2, &[]).await, (vec!["a1".into(), "b1".into()], true));
        // Those of the first chat wait for the one in hand.
        assert_eq!(claim(&stand, 9, &[]).await, (vec![], true));
        let counts = stand.database.delivery_counts().await.unwrap();
        assert_eq!(counts, DeliveryCounts { pending: 2, claimed: 2, dead: 0 });
    }

    async fn two_claims_at_once_share(stand) {
        let fence = quiet(&stand).await;
        let messages: Vec<_> = (0..40).map(|n| message(&format!("c{}", n % 10), &format!("{n}"))).collect();
        stand.database.commit_inbound(fence, messages).await.unwrap();
        let (a, b) = tokio::join!(claim(&stand, 30, &[]), claim(&stand, 30, &[]));
        let mut all = [a.0, b.0].concat();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "one was claimed twice");
        assert!(count >= 30, "{count}");
    }

    async fn a_settled_one_is_over(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("a", "a2")]).await;
        let claimed = stand.due().await;
        assert_eq!(claimed[0].attempts, 0);
        assert!(stand.settle(&claimed[0], Next::Done).await);
        assert!(!stand.settle(&claimed[0], RETRY).await, "a second word changes nothing");
        assert!(stand.settle(&claimed[1], Next::Dead).await);
        assert_eq!(stand.database.delivery_counts().await.unwrap(), DeliveryCounts { dead: 1, ..Default::default() });
        let attempts = stand.texts("SELECT number || ' ' || status || ' ' || answer FROM attempts
            JOIN deliveries ON deliveries.id = attempts.delivery_id ORDER BY position DESC LIMIT 2").await;
        assert_eq!(attempts, ["1 500 the answer", "1 200 the answer"]);
        assert_eq!(stand.texts("SELECT last_error FROM deliveries WHERE state = 'dead'").await, ["the answer"]);
    }

    async fn a_chat_waits_while_one_backs_off(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("a", "a2"), ("b", "b1")]).await;
        let claimed = stand.database.claim_deliveries(1, MINUTE, &[]).await.unwrap().deliveries;
        assert!(stand.settle(&claimed[0], RETRY).await);
        assert_eq!(claim(&stand, 9, &[]).await, (vec!["b1".into()], false), "what waits for a retry is not due");
        assert_eq!(stand.database.next_delivery_due().await.unwrap(), Some(START + 10 * SECOND));
        receive(&stand, fence, &[("a", "a3")]).await;
        stand.clock.advance(9 * SECOND);
        assert_eq!(claim(&stand, 9, &[]).await, (vec![], false));
        stand.clock.advance(SECOND);
        assert_eq!(claim(&stand, 9, &[]).await.0, ["a1", "a2", "a3"]);
    }

    async fn after_some_attempts_the_others_overtake(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("a", "a2")]).await;
        for attempt in 1..=ORDERED_ATTEMPTS {
            let claimed = stand.database.claim_deliveries(1, MINUTE, &[]).await.unwrap().deliveries;
            assert_eq!((ids(&claimed), claimed[0].attempts), (vec!["a1".into()], attempt - 1));
            assert!(stand.settle(&claimed[0], RETRY).await);
            if attempt < ORDERED_ATTEMPTS {
                assert_eq!(claim(&stand, 9, &[]).await.0, Vec::<String>::new());
            }
            stand.clock.advance(if attempt < ORDERED_ATTEMPTS { 10 * SECOND } else { SECOND });
        }
        assert_eq!(claim(&stand, 9, &[]).await.0, ["a2"]);
    }

    async fn a_limit_never_lets_one_overtake(stand) {
        let fence = quiet(&stand).await;
        // The first comes due again after the second and the third became due.
        receive(&stand, fence, &[("a", "a1")]).await;
        let first = stand.due().await;
        stand.clock.advance(SECOND);
        receive(&stand, fence, &[("a", "a2")]).await;
        assert!(stand.settle(&first[0], RETRY).await);
        stand.clock.advance(20 * SECOND);
        receive(&stand, fence, &[("a", "a3")]).await;
        let mut arrived = Vec::new();
        while arrived.len() < 3 {
            let claimed = stand.database.claim_deliveries(1, MINUTE, &[]).await.unwrap();
            assert!(claimed.more || !claimed.deliveries.is_empty());
            arrived.extend(ids(&claimed.deliveries));
            for delivery in &claimed.deliveries {
                assert!(stand.settle(delivery, Next::Done).await);
            }
        }
        assert_eq!(arrived, ["a1", "a2", "a3"]);
    }

    async fn busy_and_disabled_endpoints_are_left_out(stand) {
        let fence = quiet(&stand).await;
        let anna = stand.user("anna").await;
        stand.database.set_callback(anna, Some("http://anna")).await.unwrap();
        let annas = stand.held(anna, "anna_shop").await;
        stand.deliver_all().await;
        receive(&stand, annas, &[("a", "anna1"), ("b", "anna2")]).await;
        receive(&stand, fence, &[("a", "a1")]).await;
        let first = stand.database.claim_deliveries(1, MINUTE, &[]).await.unwrap().deliveries;
        assert_eq!(ids(&first), ["anna1"]);
        assert_eq!(claim(&stand, 9, &[first[0].endpoint]).await, (vec!["a1".into()], true));

        // 410: what waits is given up, and nothing more is made for it.
        assert!(stand.settle(&first[0], Next::DisableEndpoint).await);
        assert_eq!(claim(&stand, 9, &[]).await, (vec![], false));
        assert_eq!(stand.database.delivery_counts().await.unwrap().dead, 2);
        let committed = stand.database.commit_inbound(annas, vec![message("a", "anna3")]).await.unwrap();
        assert_eq!((committed.new, committed.deliveries), (1, 0), "nor does it go to the base");
        stand.database.set_callback(anna, Some("http://anna")).await.unwrap();
        receive(&stand, annas, &[("a", "anna4")]).await;
        assert_eq!(claim(&stand, 9, &[]).await.0, ["anna4"]);
    }

    async fn what_is_left_behind_is_taken_over(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("b", "b1")]).await;
        let claimed = stand.due().await;
        assert_eq!(stand.database.free_abandoned_deliveries(false).await.unwrap(), 0);
        stand.clock.advance(MINUTE + SECOND);
        assert_eq!(stand.database.free_abandoned_deliveries(false).await.unwrap(), 2);
        assert_eq!(stand.due().await, claimed);
        assert_eq!(stand.database.free_abandoned_deliveries(true).await.unwrap(), 2);
        assert_eq!(stand.due().await.len(), 2);
    }

    async fn what_was_not_tried_goes_back(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("a", "a2")]).await;
        let claimed = stand.due().await;
        assert!(stand.settle(&claimed[0], Next::Done).await);
        // Giving back what was settled changes nothing.
        stand.database.return_deliveries(&[claimed[0].id, claimed[1].id]).await.unwrap();
        stand.database.return_deliveries(&[]).await.unwrap();
        let again = stand.due().await;
        assert_eq!((ids(&again), again[0].attempts), (vec!["a2".into()], 0));
        assert_eq!(again[0].event, claimed[1].event);
    }

    async fn one_that_this_version_cannot_read_stops_nobody(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("b", "b1")]).await;
        stand.execute("UPDATE events SET kind = 'of a later version' WHERE message_id = 'a1'").await;
        assert_eq!(claim(&stand, 9, &[]).await.0, ["b1"]);
        stand.execute("UPDATE events SET kind = 'message' WHERE message_id = 'a1'").await;
        stand.clock.advance(MINUTE);
        assert_eq!(claim(&stand, 9, &[]).await.0, ["a1"]);
    }

    async fn signing_secrets_are_sealed(stand) {
        let fence = quiet(&stand).await;
        receive(&stand, fence, &[("a", "a1"), ("b", "b1")]).await;
        let first = stand.database.claim_deliveries(1, MINUTE, &[]).await.unwrap().deliveries;
        assert_eq!(first[0].secret, None);
        assert!(stand.database.set_endpoint_secrets(first[0].endpoint, Some("whsec_AAAA")).await.unwrap());
        assert!(!stand.database.set_endpoint_secrets(EndpointId::new(), Some("whsec_AAAA")).await.unwrap());
        let sealed = stand.due().await[0].secret.clone().unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"AAAA"));
        assert_eq!(UserId::ADMIN, fence_user(&stand, fence).await);
    }

    async fn a_long_backlog_is_worked_off_in_order(stand) {
        let fence = quiet(&stand).await;
        let messages: Vec<_> = (0..300).map(|n| message(&format!("c{}", n % 7), &format!("{n:03}"))).collect();
        stand.database.commit_inbound(fence, messages).await.unwrap();
        let mut arrived = Vec::new();
        loop {
            let claimed = stand.database.claim_deliveries(50, MINUTE, &[]).await.unwrap();
            for delivery in &claimed.deliveries {
                assert!(stand.settle(delivery, Next::Done).await);
            }
            arrived.extend(ids(&claimed.deliveries));
            if !claimed.more {
                break;
            }
        }
        assert_eq!(arrived.len(), 300);
        assert!(arrived.is_sorted());
        assert_eq!(stand.database.next_delivery_due().await.unwrap(), None);
    }
}

async fn fence_user(stand: &Stand, fence: Fence) -> UserId {
    stand.session(fence).await.user
}
