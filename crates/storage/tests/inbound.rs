use domain::{event::InboundMessage, webhook::UrlLayout};
use opentelemetry::trace::FutureExt as _;
use storage::Committed;

use crate::{
    outbound::{TRACEPARENT, context},
    stand::{MINUTE, START, message, on_both},
};

const SEQUENCES: &str =
    "SELECT CAST(sequence AS TEXT) FROM events WHERE message_id IS NOT NULL ORDER BY sequence";

on_both! {
    async fn a_delivery_keeps_the_trace_that_its_message_came_in(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://receiver.example")).await.unwrap();
        let fence = stand.held(admin, "shop").await;
        stand.deliver_all().await;
        let commit = |id: &str| stand.database.commit_inbound(fence, vec![message("1@s.whatsapp.net", id)]);
        commit("with").with_context(context()).await.unwrap();
        commit("without").await.unwrap();
        let due = stand.due().await;
        let traces: Vec<_> = due.iter().map(|delivery| delivery.traceparent.as_deref()).collect();
        assert_eq!(traces, [Some(TRACEPARENT), None]);
    }

    async fn a_message_is_one_event_however_often_it_comes(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://h")).await.unwrap();
        let fence = stand.held(admin, "shop").await;
        stand.deliver_all().await;
        stand.clock.advance(MINUTE);
        let commit = |messages: Vec<InboundMessage>| stand.database.commit_inbound(fence, messages);
        let committed = |new, deliveries| Committed { new, deliveries, media: 0 };
        let first = commit(vec![message("c", "1"), message("c", "1"), message("c", "2")]).await.unwrap();
        assert_eq!(first, committed(2, 2));
        assert_eq!(commit(vec![message("c", "2"), message("c", "3")]).await.unwrap(), committed(1, 1));
        assert_eq!(commit(vec![message("c", "1")]).await.unwrap(), committed(0, 0));
        assert_eq!(commit(Vec::new()).await.unwrap(), committed(0, 0));
        // The same id from another sender, or in another chat, is another message.
        let others = vec![message("d", "1"), InboundMessage { sender: "x".into(), ..message("c", "1") }];
        assert_eq!(commit(others).await.unwrap(), committed(2, 2));
        assert_eq!(stand.texts(SEQUENCES).await, ["2", "3", "4", "5", "6"]);
        assert_eq!(stand.session(fence).await.last_message_at, Some(START + MINUTE));
        let due = stand.due().await;
        assert_eq!(due.len(), 5);
        assert!(due[0].payload.contains(r#""messageId":"1""#) && due[0].payload.contains(r#""sequence":2"#));
        assert!(due[4].payload.contains(r#""sequence":6"#));
    }

    async fn calls_in_one_batch_are_counted_each_for_itself(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://h")).await.unwrap();
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        stand.deliver_all().await;
        let commit = |fence, ids: &[&str]| {
            stand.database.commit_inbound(fence, ids.iter().map(|id| message("c", id)).collect())
        };
        let (a, b, c, d) = tokio::join!(
            commit(fence, &["1", "2"]),
            commit(fence, &["2", "3"]),
            commit(other, &["1"]),
            commit(fence, &["1", "2", "3"]),
        );
        let counts = [a, b, c, d].map(|committed| committed.unwrap()).map(|all| (all.new, all.deliveries));
        assert_eq!(counts, [(2, 2), (1, 1), (1, 1), (0, 0)]);
        assert_eq!(stand.number("SELECT COUNT(*) FROM events WHERE message_id IS NOT NULL").await, 4);
        let twice = stand.number("SELECT COUNT(*) FROM (SELECT session_id, sequence FROM events
            GROUP BY session_id, sequence HAVING COUNT(*) > 1) AS twice").await;
        assert_eq!(twice, 0);
    }

    async fn each_endpoint_that_wants_it_gets_it(stand) {
        let admin = stand.admin().await;
        let anna = stand.user("anna").await;
        let (admins, annas) = (stand.held(admin, "shop").await, stand.held(anna, "anna_shop").await);
        assert_eq!(stand.database.commit_inbound(admins, vec![message("c", "0")]).await.unwrap().deliveries, 0);
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        stand.database.set_callback(anna, Some("http://anna")).await.unwrap();
        stand.execute("UPDATE endpoints SET kinds = ',session,' WHERE user_id IS NULL").await;
        assert_eq!(stand.database.commit_inbound(admins, vec![message("c", "1")]).await.unwrap().deliveries, 0);
        stand.execute("UPDATE endpoints SET kinds = ',message,session,' WHERE user_id IS NULL").await;
        let (of_admin, of_anna) = tokio::join!(
            stand.database.commit_inbound(admins, vec![message("c", "2")]),
            stand.database.commit_inbound(annas, vec![message("c", "2")]),
        );
        assert_eq!((of_admin.unwrap().deliveries, of_anna.unwrap().deliveries), (1, 1));
        let mut due: Vec<_> = stand.due().await.into_iter().map(|due| (due.url, due.layout, due.trusted)).collect();
        due.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(due, [
            ("http://anna".to_owned(), UrlLayout::Callback, false),
            ("http://base".to_owned(), UrlLayout::Base, true),
        ]);
    }

    async fn long_lists_come_in_without_gaps(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://h")).await.unwrap();
        let fence = stand.held(admin, "shop").await;
        let batch = |from: usize| (from..from + 300).map(|n| message("c", &format!("{n:04}"))).collect();
        let (a, b) = tokio::join!(
            stand.database.commit_inbound(fence, batch(0)), stand.database.commit_inbound(fence, batch(200)));
        assert_eq!((a.unwrap().new, b.unwrap().new), (300, 200));
        let range = stand.texts("SELECT MIN(sequence) || '-' || MAX(sequence) || '-' || COUNT(DISTINCT sequence)
            FROM events").await;
        assert_eq!(range, ["1-501-501"]);
        // Of one chat they are claimed in the order in which they came.
        let payloads: Vec<_> = stand.due().await.into_iter().map(|due| due.payload).collect();
        let ids = payloads.iter().filter_map(|payload| payload.split(r#""messageId":""#).nth(1));
        assert!(ids.map(|rest| rest[..4].to_owned()).is_sorted());
    }
}
