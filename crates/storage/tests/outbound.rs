use domain::{
    Fence, MessageId, UserId,
    message::{Content, Failure, FailureCode, Idempotency, Message, MessageState, NewMessage},
};
use opentelemetry::{
    Context,
    trace::{FutureExt as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use storage::{Accepted, Error, Progress};

use crate::stand::{MINUTE, START, on_both};

fn text(fence: Fence, text: &str) -> NewMessage {
    NewMessage {
        id: MessageId::new(),
        session: fence.session,
        user: UserId::ADMIN,
        wa_id: format!("WA-{text}"),
        chat: "1@s.whatsapp.net".into(),
        content: Content::plain(text),
        idempotency: None,
        accepted_at: START,
        expires_at: START + MINUTE,
    }
}

fn keyed(fence: Fence, key: &str, body: &str, attempt: &str) -> NewMessage {
    let idempotency = Idempotency { key: key.into(), request_hash: body.as_bytes().to_vec() };
    NewMessage { idempotency: Some(idempotency), ..text(fence, attempt) }
}

fn same(accepted: Accepted) -> Message {
    match accepted {
        Accepted::Same(message) => *message,
        other => panic!("{other:?}"),
    }
}

/// Somebody's trace.
pub fn context() -> Context {
    let (trace, span) = (TraceId::from(0x4bf9_u128), SpanId::from(0x00f0_u64));
    let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
    Context::new().with_remote_span_context(span)
}

/// The same, as it is stored.
pub const TRACEPARENT: &str = "00-00000000000000000000000000004bf9-00000000000000f0-01";

on_both! {
    async fn a_message_keeps_the_trace_that_it_was_accepted_in(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let (with, without) = (text(fence, "with"), text(fence, "without"));
        stand.database.accept_message(with.clone()).with_context(context()).await.unwrap();
        stand.database.accept_message(without.clone()).await.unwrap();
        let queued = stand.database.queued_messages(fence.session, 0, 10).await.unwrap();
        let traces: Vec<_> = queued.iter().map(|message| message.traceparent.as_deref()).collect();
        assert_eq!(traces, [Some(TRACEPARENT), None]);
    }

    async fn a_message_is_stored_as_it_is(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let new = text(fence, "halo \u{1f600}");
        assert!(matches!(stand.database.accept_message(new.clone()).await.unwrap(), Accepted::New { .. }));
        let message = stand.database.message(new.id).await.unwrap().unwrap();
        assert_eq!((message.session, message.user, message.state), (fence.session, admin, MessageState::Queued));
        assert_eq!((message.wa_id, message.chat, message.content), (new.wa_id.clone(), new.chat, new.content));
        assert_eq!((message.accepted_at, message.expires_at), (START, START + MINUTE));
        assert_eq!((message.failure, message.sent_at), (None, None));
        assert!(stand.database.message(MessageId::new()).await.unwrap().is_none());
        let by_wa_id = stand.database.message_by_wa_id(fence.session, &new.wa_id).await.unwrap();
        assert_eq!(by_wa_id.unwrap().id, new.id);
    }

    async fn the_same_key_gives_the_same_answer(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let first = keyed(fence, "key", "body", "1");
        assert!(matches!(stand.database.accept_message(first.clone()).await.unwrap(), Accepted::New { .. }));
        let again = stand.database.accept_message(keyed(fence, "key", "body", "2")).await.unwrap();
        assert_eq!(same(again).id, first.id);
        let other = stand.database.accept_message(keyed(fence, "key", "other", "3")).await.unwrap();
        assert_eq!(other, Accepted::KeyReused);
        let before = |body: &str| Idempotency { key: "key".into(), request_hash: body.as_bytes().to_vec() };
        let known = stand.database.accepted_before(admin, &before("body")).await.unwrap();
        assert_eq!(same(known.unwrap()).id, first.id);
        assert_eq!(stand.database.accepted_before(admin, &before("x")).await.unwrap(), Some(Accepted::KeyReused));
        // A key is a user's own.
        let anna = stand.user("anna").await;
        assert_eq!(stand.database.accepted_before(anna, &before("body")).await.unwrap(), None);
        let of_anna = NewMessage { user: anna, ..keyed(fence, "key", "body", "4") };
        assert!(matches!(stand.database.accept_message(of_anna).await.unwrap(), Accepted::New { .. }));
        assert_eq!(stand.number("SELECT COUNT(*) FROM outbound").await, 2);
    }

    async fn two_with_one_key_in_one_batch_are_one(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let (one, two, three) = (keyed(fence, "k", "b", "1"), keyed(fence, "k", "b", "2"), keyed(fence, "k", "x", "3"));
        let accept = |message: &NewMessage| stand.database.accept_message(message.clone());
        let (first, second, third) = tokio::join!(accept(&one), accept(&two), accept(&three));
        assert!(matches!(first.unwrap(), Accepted::New { .. }));
        assert_eq!(same(second.unwrap()).id, one.id);
        assert_eq!(third.unwrap(), Accepted::KeyReused);
        assert_eq!(stand.database.count_queued(fence.session, 10).await.unwrap(), 1);
    }

    async fn a_message_id_is_taken_once_and_only_its_caller_hears(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        stand.database.accept_message(text(fence, "a")).await.unwrap();
        let (good, bad, fine) = tokio::join!(
            stand.database.accept_message(text(fence, "b")),
            stand.database.accept_message(text(fence, "a")),
            stand.database.accept_message(text(fence, "c")),
        );
        assert!(matches!((good.unwrap(), fine.unwrap()), (Accepted::New { .. }, Accepted::New { .. })));
        assert!(matches!(bad, Err(Error::Refused(_))));
        assert_eq!(stand.number("SELECT COUNT(*) FROM outbound").await, 3);
    }

    async fn the_first_of_a_chat_is_told_from_those_that_wait_behind_it(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        let to = |chat: &str, id: &str| NewMessage { chat: chat.into(), ..text(fence, id) };
        let accept = |message: NewMessage| stand.database.accept_message(message);
        let first = |accepted: storage::Result<Accepted>| match accepted.unwrap() {
            Accepted::New { position, first } => (position, first),
            other => panic!("{other:?}"),
        };
        let one = to("a", "1");
        let id = one.id;
        let (alone, behind, elsewhere) = tokio::join!(accept(one), accept(to("a", "2")), accept(to("b", "3")));
        assert!(first(alone).1 && !first(behind).1 && first(elsewhere).1, "of one batch");
        let (later, of_other) = (accept(to("b", "4")).await, accept(NewMessage { chat: "a".into(), ..text(other, "5") }).await);
        assert!(!first(later).1, "one waits since an earlier batch");
        let (position, alone) = first(of_other);
        assert!(alone, "another session's chat is another chat");
        assert_eq!(stand.database.queued_messages(other.session, 0, 10).await.unwrap()[0].position, position);

        let queued = stand.database.queued_messages(fence.session, 0, 10).await.unwrap();
        assert_eq!(queued[0].id, id);
        for message in &queued {
            stand.database.advance_message(fence, message.id, Progress::Sent).await.unwrap();
        }
        assert!(first(accept(to("a", "6")).await).1, "what was sent does not wait");
    }

    async fn the_queue_is_in_order_and_is_worked_off(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let other = stand.held(admin, "second").await;
        let mut ids = Vec::new();
        for n in 0..6 {
            let message = text(if n == 3 { other } else { fence }, &n.to_string());
            ids.push(message.id);
            stand.database.accept_message(message).await.unwrap();
        }
        let queue = async |after, limit| {
            stand.database.queued_messages(fence.session, after, limit).await.unwrap()
        };
        let all = queue(0, 10).await;
        assert_eq!(all.iter().map(|message| message.id).collect::<Vec<_>>(), [ids[0], ids[1], ids[2], ids[4], ids[5]]);
        assert_eq!(queue(all[1].position, 2).await, all[2..4]);
        assert_eq!(stand.database.count_queued(fence.session, 3).await.unwrap(), 3);

        stand.clock.advance(MINUTE);
        stand.database.advance_message(fence, ids[0], Progress::Sent).await.unwrap();
        let failure = Failure { code: FailureCode::Expired, reason: "too late".into() };
        stand.database.advance_message(fence, ids[1], Progress::Failed(failure.clone())).await.unwrap();
        // What is decided stays: neither a second word nor another session's owner changes it.
        stand.database.advance_message(fence, ids[1], Progress::Sent).await.unwrap();
        stand.database.advance_message(fence, ids[0], Progress::Failed(failure.clone())).await.unwrap();
        let sent = stand.database.message(ids[0]).await.unwrap().unwrap();
        assert_eq!((sent.state, sent.sent_at, sent.failure), (MessageState::Sent, Some(START + MINUTE), None));
        let failed = stand.database.message(ids[1]).await.unwrap().unwrap();
        assert_eq!((failed.state, failed.sent_at, failed.failure), (MessageState::Failed, None, Some(failure)));
        assert_eq!(stand.database.count_queued(fence.session, 10).await.unwrap(), 3);
        assert_eq!(stand.session(fence).await.last_message_at, Some(START + MINUTE));
        assert_eq!(stand.session(other).await.last_message_at, None);
    }

    async fn a_claim_is_for_its_own_sessions_messages(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        let message = text(fence, "a");
        stand.database.accept_message(message.clone()).await.unwrap();
        stand.database.advance_message(other, message.id, Progress::Sent).await.unwrap();
        let failure = Failure { code: FailureCode::Expired, reason: "too late".into() };
        stand.database.advance_message(other, message.id, Progress::Failed(failure)).await.unwrap();
        assert_eq!(stand.database.message(message.id).await.unwrap().unwrap().state, MessageState::Queued);
    }

    async fn messages_of_a_removed_session_fail(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let message = text(fence, "a");
        stand.database.accept_message(message.clone()).await.unwrap();
        stand.database.delete_session(fence.session, "removed").await.unwrap();
        let failed = stand.database.message(message.id).await.unwrap().unwrap();
        assert_eq!(failed.failure.unwrap().code, FailureCode::SessionGone);
    }

    async fn nothing_is_stored_for_a_session_that_is_gone(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        stand.database.delete_session(fence.session, "removed").await.unwrap();
        let (gone, there) = tokio::join!(
            stand.database.accept_message(keyed(fence, "k", "b", "a")),
            stand.database.accept_message(text(other, "b")));
        assert!(matches!((gone.unwrap(), there.unwrap()), (Accepted::NoSession, Accepted::New { .. })));
        assert_eq!(stand.number("SELECT COUNT(*) FROM outbound").await, 1);
    }

    async fn a_removal_leaves_nothing_queued_whenever_it_comes(stand) {
        let admin = stand.admin().await;
        for round in 0..10 {
            let fence = stand.held(admin, &format!("shop {round}")).await;
            let texts: Vec<_> = (0..20).map(|n| text(fence, &format!("{round}-{n}"))).collect();
            let sends = async {
                for message in texts {
                    let accepted = stand.database.accept_message(message).await.unwrap();
                    assert!(matches!(accepted, Accepted::New { .. } | Accepted::NoSession));
                    tokio::task::yield_now().await;
                }
            };
            let ((), removed) = tokio::join!(sends, stand.database.delete_session(fence.session, "removed"));
            assert!(removed.unwrap());
        }
        assert_eq!(stand.number("SELECT COUNT(*) FROM outbound WHERE state = 'queued'").await, 0);
    }

    async fn a_message_is_found_by_whatsapps_id_in_its_own_session(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        let (one, same_id) = (text(fence, "a"), text(other, "a"));
        for message in [&one, &same_id] {
            assert!(matches!(stand.database.accept_message(message.clone()).await.unwrap(), Accepted::New { .. }));
        }
        let found = async |session, id| {
            stand.database.message_by_wa_id(session, id).await.unwrap().map(|message: Message| message.id)
        };
        assert_eq!(found(fence.session, "WA-a").await, Some(one.id));
        assert_eq!(found(other.session, "WA-a").await, Some(same_id.id));
        assert_eq!(found(fence.session, "WA-b").await, None);
    }
}
