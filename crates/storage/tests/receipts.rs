use domain::{
    Fence, MessageId, Timestamp, UserId,
    message::{Content, Failure, FailureCode, Message, MessageState as S, NewMessage},
};
use storage::{Error, Progress, Receipt};

use crate::stand::{MINUTE, START, Stand, on_both};

async fn sent(stand: &Stand, fence: Fence, wa_id: &str) -> MessageId {
    let id = accepted(stand, fence, wa_id).await;
    stand.database.advance_message(fence, id, Progress::Sent).await.unwrap();
    id
}

async fn accepted(stand: &Stand, fence: Fence, wa_id: &str) -> MessageId {
    let message = NewMessage {
        id: MessageId::new(),
        session: fence.session,
        user: UserId::ADMIN,
        wa_id: wa_id.into(),
        chat: "1@s.whatsapp.net".into(),
        content: Content::plain("hi"),
        idempotency: None,
        accepted_at: START,
        expires_at: START + MINUTE,
    };
    stand.database.accept_message(message.clone()).await.unwrap();
    message.id
}

fn told(wa_id: &str, read: bool, minutes: u32) -> Receipt {
    Receipt { message_id: wa_id.into(), read, at: at(minutes) }
}

fn at(minutes: u32) -> Timestamp {
    START + MINUTE * minutes
}

async fn message(stand: &Stand, id: MessageId) -> Message {
    stand.database.message(id).await.unwrap().unwrap()
}

async fn times(stand: &Stand, id: MessageId) -> (S, Option<Timestamp>, Option<Timestamp>) {
    let message = message(stand, id).await;
    (message.state, message.delivered_at, message.read_at)
}

on_both! {
    async fn a_message_goes_forward_and_its_times_stay(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let id = sent(&stand, fence, "A").await;
        let note = async |receipts| stand.database.note_receipts(fence, receipts).await.unwrap();
        note(vec![told("A", false, 1), told("unknown", true, 1)]).await;
        assert_eq!(times(&stand, id).await, (S::Delivered, Some(at(1)), None));
        note(vec![told("A", false, 2)]).await;
        assert_eq!(times(&stand, id).await, (S::Delivered, Some(at(1)), None), "another device has it too");
        note(vec![told("A", true, 3)]).await;
        assert_eq!(times(&stand, id).await, (S::Read, Some(at(1)), Some(at(3))));
        note(vec![told("A", false, 4), told("A", true, 5)]).await;
        assert_eq!(times(&stand, id).await, (S::Read, Some(at(1)), Some(at(3))), "never backwards");
    }

    async fn what_was_read_was_delivered_and_what_was_delivered_was_sent(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let (read, both, early) = (
            sent(&stand, fence, "A").await, sent(&stand, fence, "B").await, accepted(&stand, fence, "C").await);
        let receipts = vec![told("A", true, 2), told("B", true, 3), told("B", false, 2), told("C", false, 1)];
        stand.database.note_receipts(fence, receipts).await.unwrap();
        assert_eq!(times(&stand, read).await, (S::Read, Some(at(2)), Some(at(2))));
        assert_eq!(times(&stand, both).await, (S::Read, Some(at(2)), Some(at(3))));
        // The receipt was faster than the note that it was sent, which comes late.
        stand.database.advance_message(fence, early, Progress::Sent).await.unwrap();
        let early = message(&stand, early).await;
        assert_eq!((early.state, early.sent_at, early.delivered_at), (S::Delivered, Some(at(1)), Some(at(1))));
        assert_eq!(stand.database.count_queued(fence.session, 10).await.unwrap(), 0);
    }

    async fn failed_and_foreign_messages_stay_as_they_are(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        let failed = accepted(&stand, fence, "A").await;
        let failure = Failure { code: FailureCode::Expired, reason: "too late".into() };
        stand.database.advance_message(fence, failed, Progress::Failed(failure)).await.unwrap();
        let foreign = sent(&stand, other, "B").await;
        stand.database.note_receipts(fence, vec![told("A", true, 1), told("B", true, 1)]).await.unwrap();
        assert_eq!(times(&stand, failed).await, (S::Failed, None, None));
        assert_eq!(times(&stand, foreign).await, (S::Sent, None, None));
        let now = stand.take_over(other).await;
        let late = stand.database.note_receipts(other, vec![told("B", true, 1)]).await;
        assert!(matches!(late, Err(Error::LeaseLost)));
        assert_eq!(times(&stand, foreign).await, (S::Sent, None, None));
        stand.database.note_receipts(now, vec![told("B", true, 1)]).await.unwrap();
        assert_eq!(times(&stand, foreign).await.0, S::Read);
    }

    async fn only_those_who_asked_hear_of_it(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        let fence = stand.held(admin, "shop").await;
        stand.deliver_all().await;
        let events = "SELECT COUNT(*) FROM events WHERE kind = 'receipt'";
        sent(&stand, fence, "A").await;
        assert_eq!(stand.database.note_receipts(fence, vec![told("A", false, 1)]).await.unwrap(), 0);
        assert_eq!(stand.number(events).await, 0, "nobody asked, nothing is stored");

        stand.execute("UPDATE endpoints SET kinds = ',receipt,'").await;
        let before = stand.number("SELECT event_sequence FROM sessions").await;
        let second = sent(&stand, fence, "B").await;
        let (first, _) = tokio::join!(
            stand.database.note_receipts(fence, vec![told("A", true, 2), told("B", false, 1)]),
            stand.database.note_receipts(fence, vec![told("B", false, 3)]));
        assert_eq!(first.unwrap(), 2);
        assert_eq!(stand.number(events).await, 2);
        assert_eq!(stand.number("SELECT event_sequence FROM sessions").await, before + 2);
        let mut told_of: Vec<serde_json::Value> = stand.due().await.iter()
            .map(|due| serde_json::from_str(&due.payload).unwrap()).collect();
        told_of.sort_by_key(|payload| payload["messageId"].to_string());
        assert_eq!((&told_of[0]["messageId"], &told_of[0]["status"]), (&"A".into(), &"read".into()));
        assert_eq!(told_of[1], serde_json::json!({
            "session": "shop", "event": "receipt", "id": second.to_string(), "messageId": "B",
            "to": "1@s.whatsapp.net", "status": "delivered", "sequence": before + 1,
            "timestamp": at(1).seconds(),
        }));
    }
}
