use std::{collections::HashSet, time::Duration};

use domain::{RunnerId, session::SessionState};
use storage::{Error, Placement, RunnerRegistration, Started, Transition};

use crate::stand::{MINUTE, START, on_both, to};

fn to_state(fence: domain::Fence) -> storage::Transition {
    to(fence, SessionState::Connected)
}

on_both! {
    async fn a_session_starts_once(stand) {
        let admin = stand.admin().await;
        let anna = stand.user("anna").await;
        let first = stand.start(admin, "shop").await;
        assert_eq!((first.state, first.wanted, first.since), (SessionState::Connecting, true, START));
        assert_eq!((first.disconnected_since, first.credentials_present), (Some(START), false));
        assert_eq!(stand.database.session(first.id).await.unwrap().unwrap(), first);
        assert_eq!(stand.start(admin, "shop").await, first);
        assert_eq!(stand.database.start_session(anna, "shop").await.unwrap(), Started::Taken);
        assert_eq!(stand.database.session_by_name("shop").await.unwrap().unwrap(), first);
        assert!(stand.database.session_by_name("Shop").await.unwrap().is_none());
        assert_eq!(stand.number("SELECT COUNT(*) FROM session_events").await, 1);

        let other = stand.start(anna, "anna_shop").await;
        assert_eq!(*stand.database.sessions(None).await.unwrap(), [other.clone(), first.clone()]);
        assert_eq!(*stand.database.sessions(Some(anna)).await.unwrap(), [other]);
        assert_eq!(*stand.database.session_names(None).await.unwrap(), ["anna_shop", "shop"]);
        assert_eq!(*stand.database.session_names(Some(admin)).await.unwrap(), ["shop"]);
    }

    async fn one_that_was_logged_out_starts_again(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        stand.database.transition(to(fence, SessionState::LoggedOut)).await.unwrap();
        stand.clock.advance(5 * MINUTE);
        let again = stand.start(admin, "shop").await;
        assert_eq!((again.state, again.since), (SessionState::Connecting, START + 5 * MINUTE));
        assert_eq!(again.disconnected_since, Some(START), "it was never connected");
        assert_eq!(stand.session(fence).await, again);
        assert_eq!(stand.texts("SELECT state FROM session_events ORDER BY position").await,
            ["connecting", "logged_out", "connecting"]);
    }

    async fn two_runners_never_get_the_same_session(stand) {
        let admin = stand.admin().await;
        for n in 0..20 {
            stand.start(admin, &format!("s{n}")).await;
        }
        let (a, b) = (stand.runner().await, stand.runner().await);
        let claim = |runner| stand.database.claim_sessions(runner, 3);
        let mut claimed = Vec::new();
        for _ in 0..5 {
            let (of_a, of_b) = tokio::join!(claim(a), claim(b));
            claimed.extend(of_a.unwrap().into_iter().chain(of_b.unwrap()));
        }
        let distinct: HashSet<_> = claimed.iter().map(|claimed| claimed.session.id).collect();
        assert_eq!((claimed.len(), distinct.len()), (20, 20));
        assert!(claimed.iter().all(|claimed| claimed.fence.token == 1));
        assert!(claim(a).await.unwrap().is_empty());
        assert_eq!(stand.database.session_counts().await.unwrap(), (20, 0));
        let held: i64 = stand.database.runners().await.unwrap().iter().map(|runner| runner.sessions).sum();
        assert_eq!(held, 20);
    }

    async fn a_token_grows_with_every_owner(stand) {
        let admin = stand.admin().await;
        let first = stand.held(admin, "shop").await;
        let second = stand.take_over(first).await;
        assert_eq!((first.token, second.token), (1, 2));
        // The owner of before can give nothing back any more.
        stand.database.release_session(first).await.unwrap();
        assert_eq!(stand.database.session_counts().await.unwrap(), (1, 0));
        stand.database.release_session(second).await.unwrap();
        assert_eq!(stand.database.session_counts().await.unwrap(), (1, 1));
    }

    async fn only_what_should_run_is_claimed(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        stand.database.transition(to(fence, SessionState::Banned)).await.unwrap();
        stand.database.release_session(fence).await.unwrap();
        let runner = stand.runner().await;
        assert!(stand.database.claim_sessions(runner, 10).await.unwrap().is_empty());
        stand.start(admin, "shop").await;
        stand.execute("UPDATE sessions SET wanted = FALSE").await;
        assert!(stand.database.claim_sessions(runner, 10).await.unwrap().is_empty());
        stand.execute("UPDATE sessions SET wanted = TRUE").await;
        let claimed = stand.database.claim_sessions(runner, 10).await.unwrap();
        assert_eq!(claimed.len(), 1);
        stand.execute("UPDATE sessions SET wanted = FALSE").await;
        assert_eq!(stand.database.unwanted_sessions(runner).await.unwrap(), [claimed[0].fence]);
    }

    async fn a_dead_runners_sessions_are_free(stand) {
        let admin = stand.admin().await;
        let session = stand.start(admin, "shop").await.id;
        let dying = RunnerId::new();
        let registration = RunnerRegistration { id: dying, name: "d".into(), version: "1".into(), capacity: 1, place: storage::Placement::default() };
        stand.database.register_runner(&registration, Duration::from_millis(1)).await.unwrap();
        let lost = stand.claim(dying, session).await;
        let living = stand.runner().await;
        // Leases are counted by the database's own clock.
        scratch::wait_for(10 * MINUTE / 60, async || stand.database.reap_runners(false).await.unwrap() == 1).await;
        assert!(!stand.database.renew_runner(dying, MINUTE).await.unwrap());
        assert!(stand.database.renew_runner(living, MINUTE).await.unwrap());
        assert!(stand.database.claim_sessions(dying, 1).await.is_err(), "it is not known any more");
        assert_eq!(stand.claim(living, session).await.token, lost.token + 1);
        assert_eq!(stand.database.reap_runners(true).await.unwrap(), 1);
        assert_eq!(stand.database.session_counts().await.unwrap(), (1, 1));
    }

    async fn a_session_is_handed_to_a_certain_runner(stand) {
        let admin = stand.admin().await;
        let database = &stand.database;
        let held = stand.held(admin, "shop").await;
        let from = database.holder(held.session).await.unwrap().unwrap();
        let to = stand.runner().await;
        database.hand_session_to(held, to).await.unwrap();
        assert_eq!(database.holder(held.session).await.unwrap(), Some(to));
        assert_eq!(database.session_counts().await.unwrap(), (1, 0), "nobody else can take it");
        assert!(database.claims_of(from).await.unwrap().is_empty());
        let [given] = database.claims_of(to).await.unwrap()[..] else { panic!("one claim") };
        assert_eq!(given.token, held.token + 1, "the giver can write nothing any more");
        assert!(matches!(database.transition(to_state(held)).await, Err(Error::LeaseLost)));

        let adopted = database.adopt_session(to, given).await.unwrap().unwrap();
        assert_eq!((adopted.session.name.as_str(), adopted.fence.token), ("shop", given.token + 1));
        assert_eq!(database.adopt_session(to, given).await.unwrap(), None, "once");
        assert_eq!(database.adopt_session(from, adopted.fence).await.unwrap(), None, "only by its runner");
        stand.execute("UPDATE sessions SET wanted = FALSE").await;
        assert_eq!(database.adopt_session(to, adopted.fence).await.unwrap(), None, "only if it is to run");
        stand.execute("UPDATE sessions SET wanted = TRUE").await;

        // Who gave it before can give it no more; who takes none gets none.
        database.hand_session_to(given, from).await.unwrap();
        assert_eq!(database.holder(held.session).await.unwrap(), Some(to));
        database.stop_accepting(from).await.unwrap();
        database.hand_session_to(adopted.fence, from).await.unwrap();
        assert_eq!(database.holder(held.session).await.unwrap(), None);
        assert_eq!(database.session_counts().await.unwrap(), (1, 1));
        assert_eq!(database.holder(domain::SessionId::new()).await.unwrap(), None);
    }

    async fn runners_are_seen(stand) {
        let runner = stand.runner().await;
        let seen = stand.database.runners().await.unwrap().remove(0);
        assert_eq!((seen.id, seen.accepting, seen.capacity, seen.sessions), (runner, true, 100, 0));
        assert_eq!(seen.expires_at.since(seen.started_at), 10 * MINUTE);
        assert!(seen.lease_left <= 10 * MINUTE && seen.lease_left > 9 * MINUTE, "{:?}", seen.lease_left);
        assert_eq!(seen.place, Placement::default());
        stand.database.stop_accepting(runner).await.unwrap();
        assert!(!stand.database.runners().await.unwrap()[0].accepting);
        stand.database.remove_runner(runner).await.unwrap();
        let place = Placement { pod: Some("runner-7d9f-x2x".into()), node: Some("node-3".into()) };
        let id = RunnerId::new();
        let registration =
            RunnerRegistration { id, name: "r".into(), version: "1".into(), capacity: 1, place: place.clone() };
        stand.database.register_runner(&registration, MINUTE).await.unwrap();
        assert_eq!(stand.database.runners().await.unwrap()[0].place, place);
        stand.database.remove_runner(id).await.unwrap();
        assert!(stand.database.runners().await.unwrap().is_empty());
    }

    async fn events_are_numbered_once_while_a_session_is_removed(stand) {
        let admin = stand.admin().await;
        for n in 0..20 {
            let fence = stand.held(admin, &format!("s{n}")).await;
            let messages = (0..3).map(|id| crate::stand::message("c", &id.to_string())).collect();
            let (deleted, committed) = tokio::join!(
                stand.database.delete_session(fence.session, "removed"),
                stand.database.commit_inbound(fence, messages),
            );
            assert!(deleted.unwrap());
            assert!(matches!(committed, Ok(_) | Err(Error::LeaseLost)), "{committed:?}");
        }
        let twice = "SELECT COUNT(*) FROM (SELECT session_id, sequence FROM events
            GROUP BY session_id, sequence HAVING COUNT(*) > 1) AS twice";
        assert_eq!(stand.number(twice).await, 0);
    }

    async fn a_deleted_session_is_told_and_forgotten(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://h")).await.unwrap();
        let fence = stand.held(admin, "shop").await;
        stand.deliver_all().await;
        let store = stand.database.session_store(fence);
        store.write(vec![storage::Change::put("identity", "a", b"x".as_slice())]).await.unwrap();
        assert!(stand.database.delete_session(fence.session, "removed").await.unwrap());
        assert!(!stand.database.delete_session(fence.session, "removed").await.unwrap());
        assert_eq!(stand.number("SELECT COUNT(*) FROM session_state").await, 0);
        assert_eq!(stand.due().await.len(), 1, "the webhook outlives the session");
        let late = store.write(vec![storage::Change::put("identity", "a", b"x".as_slice())]).await;
        assert!(matches!(late, Err(Error::LeaseLost)));
        assert_ne!(stand.start(admin, "shop").await.id, fence.session);
    }

    async fn a_stopped_session_keeps_its_keys_and_starts_again(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let connected = Transition { credentials_present: Some(true), ..to(fence, SessionState::Connected) };
        stand.database.transition(connected).await.unwrap();
        // Its holder has stopped it already, and is still putting its things away.
        stand.database.transition(to(fence, SessionState::Stopped)).await.unwrap();
        assert!(stand.database.stop_session(fence.session, "stopped", false).await.unwrap());
        let session = stand.session(fence).await;
        assert_eq!((session.state, session.wanted, session.credentials_present), (SessionState::Stopped, false, true));
        assert_eq!(session.reason.as_deref(), Some("stopped"));
        stand.database.transition(to(fence, SessionState::Stopped)).await.unwrap();
        stand.database.release_session(fence).await.unwrap();
        let runner = stand.runner().await;
        assert!(stand.database.claim_sessions(runner, 10).await.unwrap().is_empty(), "it is not wanted");

        let started = stand.start(admin, "shop").await;
        assert_eq!((started.state, started.wanted, started.id), (SessionState::Connecting, true, fence.session));
        let fence = stand.claim(runner, started.id).await;
        // A holder that does not answer loses it.
        assert!(stand.database.stop_session(fence.session, "stopped", true).await.unwrap());
        let late = stand.database.transition(to(fence, SessionState::Connected)).await;
        assert!(matches!(late, Err(Error::LeaseLost)));
        assert_eq!(stand.session(fence).await.state, SessionState::Stopped);
        stand.database.delete_session(fence.session, "gone").await.unwrap();
        assert!(!stand.database.stop_session(fence.session, "stopped", true).await.unwrap());
    }
}
