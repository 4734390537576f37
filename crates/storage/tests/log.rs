use std::time::Duration;

use domain::{EventId, event::EventKind, session::SessionState as S};

use crate::stand::{message, on_both, to};

fn beginning() -> EventId {
    EventId::new().earlier(Duration::MAX)
}

on_both! {
    async fn events_are_read_on_from_where_one_was(stand) {
        let admin = stand.admin().await;
        let anna = stand.user("anna").await;
        assert_eq!(stand.database.latest_event(None).await.unwrap(), None);
        let (admins, annas) = (stand.held(admin, "shop").await, stand.held(anna, "anna_shop").await);
        for n in 0..5 {
            stand.database.commit_inbound(admins, vec![message("c", &format!("A{n}"))]).await.unwrap();
            stand.database.commit_inbound(annas, vec![message("c", &format!("B{n}"))]).await.unwrap();
        }
        let (mut at, mut all) = (beginning(), Vec::new());
        loop {
            let page = stand.database.events_after(None, at, 4).await.unwrap();
            let Some(last) = page.last() else { break };
            at = last.id;
            all.extend(page);
        }
        // Each session's start is an event as well.
        assert_eq!(all.len(), 12);
        assert!(all.is_sorted_by_key(|event| event.id));
        assert_eq!(all[0].kind, EventKind::Session);
        assert!(all[11].payload.contains(r#""messageId":"B4""#), "{}", all[11].payload);
        assert_eq!(stand.database.latest_event(None).await.unwrap(), Some(all[11].id));

        let own = stand.database.events_after(Some(anna), beginning(), 100).await.unwrap();
        assert_eq!(own.len(), 6);
        assert!(own.iter().all(|event| event.payload.contains("anna_shop")));
        assert_eq!(stand.database.events_after(Some(anna), own[3].id, 100).await.unwrap(), own[4..]);
        let latest = stand.database.latest_event(Some(admin)).await.unwrap();
        assert_eq!(latest, Some(all[10].id));
        assert_eq!(stand.database.events_overlap().is_zero(), stand.database.is_embedded());
    }

    async fn a_sessions_past_comes_in_pages(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        for state in [S::Pairing, S::Connected, S::Reconnecting] {
            stand.database.transition(to(fence, state)).await.unwrap();
            stand.database.transition(to(other, state)).await.unwrap();
        }
        let page = async |before, limit| stand.database.past_states(fence.session, before, limit).await.unwrap();
        let all = page(None, 10).await;
        let states: Vec<_> = all.iter().map(|past| past.state).collect();
        assert_eq!(states, [S::Reconnecting, S::Connected, S::Pairing, S::Connecting]);
        assert_eq!(all[3].reason.as_deref(), Some("started"));
        assert_eq!(page(Some(all[1].position), 1).await, all[2..3]);
        assert!(page(Some(all[3].position), 10).await.is_empty());
    }
}
