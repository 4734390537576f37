use std::time::Duration;

use domain::{
    EventId, Fence, MessageId, Timestamp, UserId,
    message::{Content, NewMessage},
    webhook::Next,
};
use storage::{Progress, Swept};

use crate::stand::{START, Stand, message, on_both};

const DAY: Duration = Duration::from_hours(24);

async fn quiet(stand: &Stand) -> Fence {
    let admin = stand.admin().await;
    let fence = stand.held(admin, "shop").await;
    stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
    fence
}

/// Receives a message and lets it end so.
async fn ended(stand: &Stand, fence: Fence, id: &str, next: Next) {
    stand.database.commit_inbound(fence, vec![message(id, id)]).await.unwrap();
    let claimed = stand.due().await;
    assert!(stand.settle(claimed.last().unwrap(), next).await);
}

async fn sweep_deliveries(stand: &Stand, delivered: Timestamp, dead: Timestamp, limit: u32) -> u64 {
    let (mut removed, mut next) = (0, Some(0));
    while let Some(after) = next {
        let swept = stand.database.sweep_deliveries(after, delivered, dead, limit).await.unwrap();
        removed += swept.removed;
        next = swept.next;
    }
    removed
}

async fn sweep_events(stand: &Stand, before: Timestamp, limit: u32) -> u64 {
    let (mut removed, mut next): (u64, Option<Option<EventId>>) = (0, Some(None));
    while let Some(after) = next {
        let swept = stand.database.sweep_events(after, before, limit).await.unwrap();
        removed += swept.removed;
        next = swept.next.map(Some);
    }
    removed
}

on_both! {
    async fn old_deliveries_go_with_their_attempts_and_events(stand) {
        let fence = quiet(&stand).await;
        for n in 0..5 {
            ended(&stand, fence, &format!("done {n}"), Next::Done).await;
        }
        ended(&stand, fence, "dead", Next::Dead).await;
        ended(&stand, fence, "waits", Next::RetryAfter(100 * DAY)).await;
        stand.clock.advance(10 * DAY);
        ended(&stand, fence, "young", Next::Done).await;
        let counted = async |table: &str| stand.number(&format!("SELECT COUNT(*) FROM {table}")).await;
        let events = counted("events").await;

        // Nothing is old enough.
        assert_eq!(sweep_deliveries(&stand, START, START, 2).await, 0);
        assert_eq!(sweep_deliveries(&stand, START + DAY, START, 2).await, 5);
        let left = stand.texts("SELECT state FROM deliveries ORDER BY position").await;
        assert_eq!(left, ["dead", "pending", "delivered"]);
        assert_eq!(counted("attempts").await, 3);
        assert_eq!(counted("events").await, events);
        // Those that a delivery is about stay; the session's own, which had none, go as well.
        assert_eq!(sweep_events(&stand, START + DAY, 2).await, u64::try_from(events - 3).unwrap());
        assert_eq!(sweep_deliveries(&stand, START + DAY, START + DAY, 2).await, 1);
        assert_eq!(sweep_events(&stand, START + DAY, 2).await, 1);
        assert_eq!(counted("events").await, 2);
    }

    async fn old_messages_go_unless_they_are_queued(stand) {
        let fence = quiet(&stand).await;
        for n in 0..5 {
            let id = MessageId::new();
            let message = NewMessage {
                id,
                session: fence.session,
                user: UserId::ADMIN,
                wa_id: format!("WA{n}"),
                chat: "1@s.whatsapp.net".into(),
                content: Content::plain("x"),
                idempotency: None,
                accepted_at: START + DAY * n,
                expires_at: START + 100 * DAY,
            };
            stand.database.accept_message(message).await.unwrap();
            if n != 1 {
                stand.database.advance_message(fence, id, Progress::Sent).await.unwrap();
            }
        }
        let sweep = async |after, days| stand.database.sweep_messages(after, START + DAY * days, 2).await.unwrap();
        assert_eq!(sweep(0, 0).await, Swept { removed: 0, next: None });
        let first = sweep(0, 3).await;
        assert_eq!(first.removed, 1);
        let second = sweep(first.next.unwrap(), 3).await;
        assert_eq!(second, Swept { removed: 1, next: None });
        let left = stand.texts("SELECT wa_id FROM outbound ORDER BY position").await;
        assert_eq!(left, ["WA1", "WA3", "WA4"]);
    }

    async fn what_was_left_behind_is_put_right(stand) {
        let anna = stand.user("anna").await;
        let fence = stand.held(anna, "anna_shop").await;
        stand.database.set_callback(anna, Some("http://anna")).await.unwrap();
        for n in 0..3 {
            stand.database.commit_inbound(fence, vec![message(&n.to_string(), &n.to_string())]).await.unwrap();
        }
        // As a commit leaves it that did not see the callback go, in a process of the version before.
        stand.execute("UPDATE endpoints SET enabled = FALSE").await;
        stand.execute("UPDATE deliveries SET user_id = NULL").await;
        assert_eq!(stand.database.tidy_deliveries(2).await.unwrap(), 2);
        assert_eq!(stand.database.tidy_deliveries(2).await.unwrap(), 1);
        assert_eq!(stand.database.tidy_deliveries(2).await.unwrap(), 0);
        assert_eq!(stand.database.delivery_counts().await.unwrap().dead, 3);
        assert_eq!(stand.number("SELECT COUNT(*) FROM deliveries WHERE user_id IS NULL").await, 0);
        assert_eq!(stand.number(&format!("SELECT COUNT(*) FROM deliveries WHERE user_id = {anna}")).await, 3);
    }
}
