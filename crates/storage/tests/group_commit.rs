//! Many callers, one transaction.

use std::time::Duration;

use futures::future::join_all;
use storage::{Change, Error};

use crate::stand::{message, on_both, to};

on_both! {
    async fn a_bad_value_fails_its_own_caller_only(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        // A session that vanished after its claim was checked cannot be had here; a value that the database
        // refuses can: a check that this test adds.
        match &stand.raw {
            crate::stand::Raw::Sqlite(_) => stand.execute("CREATE TRIGGER refuse BEFORE INSERT ON events
                WHEN NEW.message_id = 'bad' BEGIN SELECT RAISE(ABORT, 'refused'); END").await,
            crate::stand::Raw::Postgres(_) => stand.execute(
                "ALTER TABLE events ADD CHECK (message_id <> 'bad')").await,
        }
        let store = stand.database.session_store(fence);
        let (good, mixed, bad, state, moved) = tokio::join!(
            stand.database.commit_inbound(fence, vec![message("c", "good")]),
            stand.database.commit_inbound(other, vec![message("c", "fine"), message("c", "bad")]),
            stand.database.commit_inbound(fence, vec![message("c", "bad")]),
            store.write(vec![Change::put("k", "a", b"v".as_slice())]),
            stand.database.transition(to(other, domain::session::SessionState::Connected)),
        );
        assert_eq!(good.unwrap().new, 1);
        assert!(matches!(mixed, Err(Error::Refused(_))), "{mixed:?}");
        assert!(matches!(bad, Err(Error::Refused(_))), "{bad:?}");
        state.unwrap();
        moved.unwrap();
        assert_eq!(stand.texts("SELECT message_id FROM events WHERE message_id IS NOT NULL").await, ["good"]);
        assert!(store.get("k", "a").await.unwrap().is_some());
        // The numbers of what failed are not lost.
        stand.database.commit_inbound(fence, vec![message("c", "next")]).await.unwrap();
        let sequences = stand.texts("SELECT CAST(sequence AS TEXT) FROM events WHERE message_id IS NOT NULL
            ORDER BY sequence").await;
        assert_eq!(sequences, ["2", "3"]);
    }

    async fn a_nul_in_a_text_is_the_callers_fault_alone(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let (bad, good) = tokio::join!(
            stand.database.commit_inbound(fence, vec![message("c", "nul\0")]),
            stand.database.commit_inbound(fence, vec![message("c", "good")]),
        );
        // PostgreSQL cannot store it, SQLite can.
        assert!(!matches!(bad, Err(Error::LeaseLost | Error::Unavailable(_))), "{bad:?}");
        assert_eq!(good.unwrap().new, 1);
    }

    async fn what_was_queued_is_committed_before_closing(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let store = stand.database.session_store(fence);
        let writes = join_all((0..200).map(|n| {
            let store = store.clone();
            async move { store.write(vec![Change::put("k", format!("{n}"), b"v".as_slice())]).await }
        }));
        let (written, ()) = tokio::join!(writes, stand.database.close());
        let (done, refused): (Vec<_>, Vec<_>) = written.into_iter().partition(Result::is_ok);
        assert!(refused.into_iter().all(|result| matches!(result, Err(Error::Unavailable(_)))));
        let stored = stand.number("SELECT COUNT(*) FROM session_state").await;
        assert_eq!(stored, i64::try_from(done.len()).unwrap(), "who heard yes is stored, who heard no is not");
        let late = tokio::time::timeout(Duration::from_secs(5), store.get("k", "0")).await.unwrap();
        assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    }
}
