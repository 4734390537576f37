use std::time::Duration;

use domain::{
    EventId, MessageId, Timestamp, UserId,
    message::{Content, Failure, FailureCode, MessageState, NewMessage, wa_message_id},
    session::SessionState as S,
    traffic::Counted,
};
use sqlx::AssertSqlSafe;
use storage::{MessageFilter, Place, Progress, SessionFilter};

use crate::stand::{MINUTE, Raw, START, Stand, message, on_both, to};

const CHAT: &str = "62811@s.whatsapp.net";

async fn accept(stand: &Stand, session: domain::SessionId, chat: &str, nth: u8) -> MessageId {
    let id = MessageId::new();
    let now = domain::Clock::now(&*stand.clock);
    let message = NewMessage {
        id,
        session,
        user: UserId::ADMIN,
        wa_id: wa_message_id([nth; 9]),
        chat: chat.into(),
        content: Content::plain(format!("text {nth}")),
        idempotency: None,
        accepted_at: now,
        expires_at: now + MINUTE * 60,
    };
    stand.database.accept_message(message).await.unwrap();
    id
}

/// What the database says it does for a statement, each step on a line.
async fn plan(stand: &Stand, sql: &str) -> String {
    let steps: Vec<String> = match &stand.raw {
        Raw::Sqlite(pool) => {
            let rows: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                    .fetch_all(pool)
                    .await
                    .unwrap();
            rows.into_iter().map(|(_, _, _, step)| step).collect()
        }
        Raw::Postgres(pool) => {
            // Tables this small would be read as a whole.
            let mut connection = pool.acquire().await.unwrap();
            for other in ["SET enable_seqscan = off", "SET enable_bitmapscan = off"] {
                sqlx::query(other).execute(&mut *connection).await.unwrap();
            }
            sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {sql}")))
                .fetch_all(&mut *connection)
                .await
                .unwrap()
        }
    };
    steps.join("\n")
}

on_both! {
    async fn sessions_are_looked_for_by_name_number_state_and_user(stand) {
        let database = &stand.database;
        let admin = stand.admin().await;
        let (anna, bob) = (stand.user("anna").await, stand.user("bob").await);
        for (user, name) in [(anna, "anna_Shop"), (anna, "anna_50%"), (bob, "bob_shop"), (admin, "office")] {
            let fence = stand.held(user, name).await;
            let state = if name == "office" { S::LoggedOut } else { S::Connected };
            let phone = Some(format!("6281{}", name.len()));
            database.transition(storage::Transition { phone, ..to(fence, state) }).await.unwrap();
        }
        let found = async |filter: SessionFilter, after: Option<&str>, limit: u32| {
            let page = database.session_page(&filter, after, limit).await.unwrap();
            let names: Vec<_> = page.iter().map(|listed| listed.session.name.clone()).collect();
            (names.join(" "), database.count_sessions(&filter).await.unwrap())
        };
        let all = SessionFilter::default;
        // Names of sessions and users are ASCII here, so that every collation agrees about their order.
        let (names, many) = found(all(), None, 10).await;
        assert_eq!((names.split(' ').count(), many), (4, 4));
        let first = database.session_page(&all(), None, 1).await.unwrap().remove(0);
        assert!(first.username == "anna" && first.session.name.starts_with("anna_"));
        let rest = database.session_page(&all(), Some(&first.session.name), 10).await.unwrap();
        assert_eq!(rest.len(), 3);
        let search = |text: &str| SessionFilter { search: Some(text.into()), ..all() };
        assert_eq!(found(search("SHOP"), None, 9).await, ("anna_Shop bob_shop".into(), 2));
        assert_eq!(found(search("%"), None, 9).await, ("anna_50%".into(), 1));
        assert_eq!(found(search("62816"), None, 9).await, ("office".into(), 1));
        assert_eq!(found(search("a_s"), None, 9).await, ("anna_Shop".into(), 1));
        assert_eq!(found(search("'"), None, 9).await, (String::new(), 0));
        let hers = SessionFilter { user: Some(anna), ..search("shop") };
        assert_eq!(found(hers, None, 9).await, ("anna_Shop".into(), 1));
        let bobs = SessionFilter { username: Some("bob".into()), ..all() };
        assert_eq!(found(bobs, None, 9).await, ("bob_shop".into(), 1));
        let down = SessionFilter { states: vec![S::LoggedOut, S::Banned], ..all() };
        assert_eq!(found(down, None, 9).await, ("office".into(), 1));
        let runner = stand.runner().await;
        let held = || SessionFilter { runner: Some(runner), ..all() };
        assert_eq!(found(held(), None, 9).await, (String::new(), 0));
        let session = stand.start(bob, "bob_new").await.id;
        stand.claim(runner, session).await;
        assert_eq!(found(held(), None, 9).await, ("bob_new".into(), 1));
    }

    async fn messages_come_from_the_newest_both_ways(stand) {
        let database = &stand.database;
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let session = fence.session;
        let other = stand.held(admin, "other").await;
        accept(&stand, other.session, CHAT, 99).await;
        for nth in 0..5 {
            stand.clock.advance(MINUTE);
            accept(&stand, session, if nth % 2 == 0 { CHAT } else { "62812@s.whatsapp.net" }, nth).await;
            let mut received = message("100200@lid", &format!("M{nth}"));
            received.chat_alt = (nth % 2 == 0).then(|| CHAT.to_owned());
            database.commit_inbound(fence, vec![received]).await.unwrap();
        }
        let all = MessageFilter::default();
        let first = database.sent_messages(session, &all, Place::NEWEST_SENT, 3).await.unwrap();
        let texts = |items: &[domain::message::Message]| {
            items.iter().map(|item| item.content.words().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&first.items), ["text 4", "text 3", "text 2"]);
        let rest = database.sent_messages(session, &all, first.next.unwrap(), 3).await.unwrap();
        assert_eq!((texts(&rest.items), rest.next), (vec!["text 1".to_owned(), "text 0".to_owned()], None));
        let chat = MessageFilter { chat: Some(CHAT.into()), state: Some(MessageState::Queued) };
        let some = database.sent_messages(session, &chat, Place::NEWEST_SENT, 9).await.unwrap();
        assert_eq!((texts(&some.items).len(), some.next), (3, None));
        let read = MessageFilter { state: Some(MessageState::Read), ..MessageFilter::default() };
        assert_eq!(database.sent_messages(session, &read, Place::NEWEST_SENT, 9).await.unwrap().items, []);

        let first = database.received_messages(session, &all, Place::newest_received(), 3).await.unwrap();
        let ids = |items: &[storage::ReceivedMessage]| {
            items.iter().map(|item| item.message_id.clone()).collect::<Vec<_>>()
        };
        assert_eq!((ids(&first.items), first.items[0].at), (vec!["M4".into(), "M3".into(), "M2".into()], START + MINUTE * 5));
        let rest = database.received_messages(session, &all, first.next.unwrap(), 3).await.unwrap();
        assert_eq!((ids(&rest.items), rest.next), (vec!["M1".to_owned(), "M0".to_owned()], None));
        let by_phone = MessageFilter { chat: Some(CHAT.into()), state: None };
        let some = database.received_messages(session, &by_phone, Place::newest_received(), 9).await.unwrap();
        assert_eq!(ids(&some.items), ["M4", "M2", "M0"]);
        let by_lid = MessageFilter { chat: Some("100200@lid".into()), state: None };
        let some = database.received_messages(session, &by_lid, Place::newest_received(), 9).await.unwrap();
        assert_eq!(some.items.len(), 5);
        let nobody = MessageFilter { chat: Some("%_\"!@lid".into()), state: None };
        let none = database.received_messages(session, &nobody, Place::newest_received(), 9).await.unwrap();
        assert_eq!((none.items, none.next), (vec![], None));
    }

    async fn what_went_through_is_counted(stand) {
        let database = &stand.database;
        let admin = stand.admin().await;
        let (fence, quiet) = (stand.held(admin, "shop").await, stand.held(admin, "quiet").await);
        let session = fence.session;
        for nth in 0..4 {
            let id = accept(&stand, session, CHAT, nth).await;
            stand.clock.advance(Duration::from_millis(60));
            let failure = Failure { code: FailureCode::Refused, reason: "no".into() };
            match nth {
                0 | 1 => database.advance_message(fence, id, Progress::Sent).await.unwrap(),
                2 => database.advance_message(fence, id, Progress::Failed(failure)).await.unwrap(),
                _ => {}
            }
            database.commit_inbound(fence, vec![message(CHAT, &format!("M{nth}"))]).await.unwrap();
            stand.clock.advance(MINUTE);
        }
        let counted = database.traffic_since(&[session, quiet.session], START + MINUTE).await.unwrap();
        assert_eq!(counted[&session], Counted { sent: 3, received: 3 });
        assert_eq!(counted[&quiet.session], Counted::default());
        let stretches = database.traffic(session, START, MINUTE, 3).await.unwrap();
        let line = |t: &domain::traffic::Traffic| (t.at, t.sent, t.received, t.failed, t.latencies.percentile(50));
        assert_eq!(
            stretches.iter().map(line).collect::<Vec<_>>(),
            [
                (START, 1, 1, 0, Some(75)),
                (START + MINUTE, 1, 1, 0, Some(75)),
                (START + MINUTE * 2, 0, 2, 1, None),
            ]
        );
        assert_eq!(database.traffic(quiet.session, START, MINUTE, 2).await.unwrap().len(), 2);
    }

    async fn counts_and_lists_read_their_indexes(stand) {
        let some_id = match &stand.raw {
            Raw::Sqlite(_) => "X'0193b3f0a1b27c3d8e4f5a6b7c8d9e0f'",
            Raw::Postgres(_) => "'0193b3f0a1b27c3d8e4f5a6b7c8d9e0f'::uuid",
        };
        let table = [
            ("SELECT COUNT(*) FROM outbound o WHERE o.session_id = {id} AND o.accepted_at >= 5", "outbound_by_session"),
            (
                "SELECT COUNT(*) FROM events e WHERE e.session_id = {id} AND e.kind = 'message' AND e.created_at >= 5",
                "events_messages",
            ),
            (
                "SELECT * FROM outbound WHERE session_id = {id} AND (accepted_at, position) < (5, 5)
                 ORDER BY accepted_at DESC, position DESC LIMIT 9",
                "outbound_by_session",
            ),
            (
                "SELECT payload FROM events WHERE kind = 'message' AND session_id = {id}
                   AND (created_at, id) < (5, {id}) ORDER BY created_at DESC, id DESC LIMIT 9",
                "events_messages",
            ),
        ];
        for (sql, index) in table {
            let plan = plan(&stand, &sql.replace("{id}", some_id)).await;
            assert!(plan.contains(index), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "it comes in order: {plan}");
            let index_only = plan.contains("COVERING") || plan.contains("Only");
            assert!(index_only || !sql.contains("COUNT"), "no row is looked at: {plan}");
        }
    }

    async fn links_are_good_for_one_version(stand) {
        let database = &stand.database;
        let admin = stand.admin().await;
        let session = stand.start(admin, "shop").await.id;
        assert_eq!(database.share_version(session).await.unwrap(), Some(0));
        database.revoke_shares(session).await.unwrap();
        assert_eq!(database.share_version(session).await.unwrap(), Some(1));
        assert_eq!(database.share_version(domain::SessionId::new()).await.unwrap(), None);
        let none: Place<EventId> = Place::newest_received();
        assert_eq!(none.at, Timestamp(i64::MAX));
    }
}
