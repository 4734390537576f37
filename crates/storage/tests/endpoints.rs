use std::time::Duration;

use domain::{
    EndpointId, Fence, UserId,
    event::EventKind,
    webhook::{Endpoint, MOST_ENDPOINTS, Next, UrlLayout},
};
use storage::{DeliveryCounts, EndpointChange, EndpointChanged, NewEndpoint, endpoint_revision};

use crate::stand::{MINUTE, START, Stand, message, on_both};

const DAY: Duration = Duration::from_hours(24);

fn new(user: UserId, url: &str, kinds: &[EventKind]) -> NewEndpoint {
    NewEndpoint {
        user,
        url: url.into(),
        kinds: kinds.to_vec(),
        description: Some("orders".into()),
        secret: "whsec_AAAA".into(),
    }
}

async fn make(stand: &Stand, user: UserId, kinds: &[EventKind]) -> EndpointId {
    stand.database.create_endpoint(&new(user, "http://own", kinds)).await.unwrap().unwrap()
}

async fn get(stand: &Stand, id: EndpointId) -> Endpoint {
    stand.database.endpoint(id).await.unwrap().unwrap()
}

/// A user with a session and nothing due.
async fn quiet(stand: &Stand) -> (UserId, Fence) {
    let anna = stand.user("anna").await;
    let fence = stand.held(anna, "anna_shop").await;
    stand.deliver_all().await;
    (anna, fence)
}

async fn receive(stand: &Stand, fence: Fence, id: &str) -> usize {
    stand.database.commit_inbound(fence, vec![message(id, id)]).await.unwrap().deliveries
}

async fn counts(stand: &Stand) -> (i64, i64, i64) {
    let DeliveryCounts { pending, claimed, dead } = stand.database.delivery_counts().await.unwrap();
    (pending, claimed, dead)
}

on_both! {
    async fn they_are_made_listed_and_changed(stand) {
        let (anna, _) = quiet(&stand).await;
        let bob = stand.user("bob").await;
        let id = make(&stand, anna, &[EventKind::Message]).await;
        stand.clock.advance(MINUTE);
        stand.database.set_callback(anna, Some("http://callback")).await.unwrap();
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        let listed = async |user, operators| {
            let endpoints = stand.database.endpoints(user, operators).await.unwrap();
            endpoints.into_iter().map(|endpoint| endpoint.url).collect::<Vec<_>>()
        };
        assert_eq!(listed(anna, false).await, ["http://own", "http://callback"]);
        assert_eq!(listed(bob, false).await, Vec::<String>::new());
        assert_eq!(listed(bob, true).await, ["http://base"]);
        let made = get(&stand, id).await;
        assert_eq!((made.user, made.layout, made.kinds.as_slice()), (Some(anna), UrlLayout::Plain, &[EventKind::Message][..]));
        assert_eq!((made.description.as_deref(), made.enabled, made.created_at), (Some("orders"), true, START));
        assert!(!made.secret.unwrap().windows(4).any(|part| part == b"AAAA"));

        let change = EndpointChange {
            url: Some("http://moved".into()),
            kinds: Some(vec![EventKind::Session]),
            description: Some(String::new()),
            enabled: None,
        };
        assert_eq!(stand.database.change_endpoint(id, &change, None).await.unwrap(), EndpointChanged::Done);
        let changed = get(&stand, id).await;
        assert_eq!((&*changed.url, changed.kinds.as_slice(), changed.description), ("http://moved", &[EventKind::Session][..], None));
        assert_eq!(stand.database.change_endpoint(id, &EndpointChange::default(), None).await.unwrap(), EndpointChanged::Done);
        assert_eq!(get(&stand, id).await.url, "http://moved");
        assert_eq!(stand.database.change_endpoint(EndpointId::new(), &change, None).await.unwrap(), EndpointChanged::NotFound);
        assert!(stand.database.endpoint(EndpointId::new()).await.unwrap().is_none());

        stand.database.set_callback(anna, None).await.unwrap();
        assert_eq!(listed(anna, false).await, ["http://moved"], "a callback that was taken away is not there");
    }

    async fn a_user_has_so_many_and_no_more(stand) {
        let (anna, _) = quiet(&stand).await;
        stand.database.set_callback(anna, Some("http://callback")).await.unwrap();
        let endpoint = new(anna, "http://own", &[EventKind::Message]);
        let all = (0..MOST_ENDPOINTS + 5).map(|_| stand.database.create_endpoint(&endpoint));
        let made = futures::future::join_all(all).await;
        let made: Vec<_> = made.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(made.len(), MOST_ENDPOINTS);
        assert!(stand.database.remove_endpoint(made[0]).await.unwrap());
        make(&stand, anna, &[EventKind::Message]).await;
        let nobody = new(UserId(77), "http://own", &[EventKind::Message]);
        assert_eq!(stand.database.create_endpoint(&nobody).await.unwrap(), None);
    }

    async fn each_hears_of_what_it_wants(stand) {
        let (anna, fence) = quiet(&stand).await;
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        let messages = make(&stand, anna, &[EventKind::Message]).await;
        let sessions = make(&stand, anna, &[EventKind::Session]).await;
        // One's own endpoints are beside the base; a callback is in its place.
        assert_eq!(receive(&stand, fence, "a").await, 2);
        stand.database.set_callback(anna, Some("http://callback")).await.unwrap();
        assert_eq!(receive(&stand, fence, "b").await, 2);
        stand.database.delete_session(fence.session, "gone").await.unwrap();
        let due = stand.due().await;
        let of = |id| due.iter().filter(|delivery| delivery.endpoint == id).map(|delivery| delivery.kind).collect::<Vec<_>>();
        assert_eq!(of(messages), [EventKind::Message, EventKind::Message]);
        assert_eq!(of(sessions), [EventKind::Session]);
        assert!(due.iter().all(|delivery| delivery.user == anna));
    }

    async fn a_disabled_one_gives_up_what_waits_and_begins_anew(stand) {
        let (anna, fence) = quiet(&stand).await;
        let id = make(&stand, anna, &[EventKind::Message]).await;
        for n in ["a", "b", "c"] {
            receive(&stand, fence, n).await;
        }
        let claimed = stand.database.claim_deliveries(2, MINUTE, &[]).await.unwrap().deliveries;
        let enabled = |enabled| EndpointChange { enabled: Some(enabled), ..EndpointChange::default() };
        assert_eq!(stand.database.change_endpoint(id, &enabled(false), None).await.unwrap(), EndpointChanged::Done);
        assert_eq!(get(&stand, id).await.disabled_reason.as_deref(), Some("its owner disabled it"));
        assert_eq!(counts(&stand).await, (0, 2, 1));
        // What was in hand is given up when it comes back, tried or not.
        assert!(stand.settle(&claimed[0], Next::RetryAfter(MINUTE)).await);
        stand.database.return_deliveries(&[claimed[1].id]).await.unwrap();
        assert_eq!(counts(&stand).await, (0, 0, 3));
        let errors = stand.texts("SELECT last_error FROM deliveries WHERE state = 'dead' AND finished_at IS NOT NULL ORDER BY position").await;
        assert_eq!(errors, ["the answer", "the endpoint was disabled", "the endpoint was disabled"]);
        assert_eq!(receive(&stand, fence, "d").await, 0);

        assert_eq!(stand.database.change_endpoint(id, &enabled(true), None).await.unwrap(), EndpointChanged::Done);
        assert_eq!(get(&stand, id).await.disabled_reason, None);
        assert_eq!((receive(&stand, fence, "e").await, counts(&stand).await), (1, (1, 0, 3)));
    }

    async fn a_removed_one_leaves_its_history(stand) {
        let (anna, fence) = quiet(&stand).await;
        let id = make(&stand, anna, &[EventKind::Message]).await;
        receive(&stand, fence, "a").await;
        stand.deliver_all().await;
        receive(&stand, fence, "b").await;
        assert!(stand.database.remove_endpoint(id).await.unwrap());
        assert!(!stand.database.remove_endpoint(id).await.unwrap());
        assert!(stand.database.endpoint(id).await.unwrap().is_none());
        assert_eq!((receive(&stand, fence, "c").await, counts(&stand).await), (0, (0, 0, 1)));
        let enable = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
        assert_eq!(stand.database.change_endpoint(id, &enable, None).await.unwrap(), EndpointChanged::NotFound);
        stand.database.tidy_endpoints().await.unwrap();
        assert_eq!(stand.number("SELECT COUNT(*) FROM endpoints").await, 1);
        stand.execute("DELETE FROM deliveries").await;
        stand.database.tidy_endpoints().await.unwrap();
        assert_eq!(stand.number("SELECT COUNT(*) FROM endpoints").await, 0);

        stand.database.set_callback(anna, Some("http://callback")).await.unwrap();
        let callback = stand.database.endpoints(anna, false).await.unwrap()[0].id;
        assert!(!stand.database.remove_endpoint(callback).await.unwrap(), "that is set elsewhere");
    }

    async fn a_callback_that_is_taken_away_gives_up_what_waits(stand) {
        let (anna, fence) = quiet(&stand).await;
        stand.database.set_callback(anna, Some("http://old")).await.unwrap();
        receive(&stand, fence, "a").await;
        // Somewhere else: what waits goes there.
        stand.database.set_callback(anna, Some("http://new")).await.unwrap();
        let claimed = stand.due().await;
        assert_eq!((claimed.len(), &*claimed[0].url), (1, "http://new"));
        receive(&stand, fence, "b").await;
        stand.database.set_callback(anna, None).await.unwrap();
        assert!(stand.settle(&claimed[0], Next::RetryAfter(MINUTE)).await);
        assert_eq!(counts(&stand).await, (0, 0, 2));
        let errors = stand.texts("SELECT last_error FROM deliveries WHERE state = 'dead' ORDER BY position").await;
        assert_eq!(errors, ["the answer", "the callback was taken away"]);
    }

    async fn a_start_without_the_operators_address_gives_nothing_up(stand) {
        let (_, fence) = quiet(&stand).await;
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        receive(&stand, fence, "a").await;
        let claimed = stand.due().await;
        stand.database.set_base_endpoint(None).await.unwrap();
        stand.database.return_deliveries(&[claimed[0].id]).await.unwrap();
        assert_eq!(stand.database.tidy_deliveries(100).await.unwrap(), 0);
        assert_eq!((stand.due().await.len(), counts(&stand).await), (0, (1, 0, 0)));
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        assert_eq!(stand.due().await.len(), 1);
    }

    async fn the_secret_before_signs_for_a_day(stand) {
        let (anna, fence) = quiet(&stand).await;
        let id = make(&stand, anna, &[EventKind::Message]).await;
        let before = get(&stand, id).await.secret;
        let until = stand.database.rotate_endpoint_secret(id, &"whsec_BBBB".into()).await.unwrap();
        assert_eq!(until, Some(Some(START + DAY)));
        let rotated = get(&stand, id).await;
        assert_eq!((&rotated.previous_secret, rotated.previous_secret_until), (&before, Some(START + DAY)));
        receive(&stand, fence, "a").await;
        let claimed = stand.due().await;
        assert_eq!((&claimed[0].secret, &claimed[0].previous_secret), (&rotated.secret, &before));
        stand.database.return_deliveries(&[claimed[0].id]).await.unwrap();
        stand.clock.advance(DAY);
        assert_eq!(stand.due().await[0].previous_secret, None);
        assert_eq!((get(&stand, id).await.previous_secret, get(&stand, id).await.previous_secret_until), (None, None));

        stand.database.set_callback(anna, Some("http://callback")).await.unwrap();
        let callback = stand.database.endpoints(anna, false).await.unwrap()[1].id;
        let first = stand.database.rotate_endpoint_secret(callback, &"whsec_CCCC".into()).await.unwrap();
        assert_eq!(first, Some(None), "there was none before");
        let unknown = stand.database.rotate_endpoint_secret(EndpointId::new(), &"whsec_CCCC".into()).await.unwrap();
        assert_eq!(unknown, None);
    }

    async fn their_health_is_seen(stand) {
        let (anna, fence) = quiet(&stand).await;
        let id = make(&stand, anna, &[EventKind::Message]).await;
        receive(&stand, fence, "a").await;
        let claimed = stand.due().await;
        assert!(stand.settle(&claimed[0], Next::Dead).await);
        receive(&stand, fence, "b").await;
        let endpoint = stand.database.endpoints(anna, false).await.unwrap().remove(0);
        assert_eq!((endpoint.id, endpoint.pending, endpoint.dead), (id, 1, 1));
        assert_eq!(get(&stand, id).await, endpoint);
        let last = endpoint.last.unwrap();
        assert_eq!((last.id, last.status, last.error.as_deref()), (claimed[0].id, Some(500), Some("the answer")));
        assert_eq!(last.at, START);
    }

    async fn a_change_on_old_ground_changes_nothing(stand) {
        let anna = stand.user("anna").await;
        let id = make(&stand, anna, &[EventKind::Message]).await;
        let database = &stand.database;
        let seen = database.endpoint(id).await.unwrap().unwrap();
        let revision = endpoint_revision(&seen);
        let describe = |text: &str| EndpointChange { description: Some(text.into()), ..EndpointChange::default() };
        let change = async |text: &str, expected: &str| {
            database.change_endpoint(id, &describe(text), Some(expected)).await.unwrap()
        };
        assert_eq!(change("one", &revision).await, EndpointChanged::Done);
        assert_eq!(change("two", &revision).await, EndpointChanged::Meanwhile);
        let now = database.endpoint(id).await.unwrap().unwrap();
        assert_eq!(now.description.as_deref(), Some("one"));
        assert_ne!(endpoint_revision(&now), revision);
        assert_eq!(change("two", &endpoint_revision(&now)).await, EndpointChanged::Done);
    }

    async fn health_tells_what_became_of_the_last_webhooks(stand) {
        let anna = stand.user("anna").await;
        let kinds = [EventKind::Message];
        let (one, other) = (make(&stand, anna, &kinds).await, make(&stand, anna, &kinds).await);
        let fence = stand.held(anna, "anna").await;
        stand.deliver_all().await;
        stand.clock.advance(MINUTE);
        let since = START + MINUTE;
        for id in ["M1", "M2"] {
            stand.database.commit_inbound(fence, vec![message("62811@s.whatsapp.net", id)]).await.unwrap();
            for delivery in stand.due().await {
                let done = delivery.endpoint == one;
                stand.settle(&delivery, if done { Next::Done } else { Next::RetryAfter(MINUTE) }).await;
            }
        }
        let endpoints = stand.database.endpoints(anna, false).await.unwrap();
        let health = stand.database.endpoint_health(Some(anna), &endpoints, since).await.unwrap();
        let (good, bad) = (&health[&one], &health[&other]);
        assert_eq!((good.delivered, good.failed, good.oldest_due_at, good.since), (2, 0, None, since));
        assert_eq!(good.last_answer.as_ref().unwrap().status, Some(200));
        // The second one of the chat waits behind the first, and as long as it.
        assert_eq!((bad.delivered, bad.failed, bad.oldest_due_at), (0, 1, Some(since + MINUTE)));
        let last = bad.last_answer.as_ref().unwrap();
        assert_eq!((last.status, last.answer.as_deref(), last.at), (Some(500), Some("the answer"), since));
    }
}
