use domain::{
    session::{PairingCode, SessionState},
    webhook::UrlLayout,
};
use storage::Transition;

use crate::stand::{MINUTE, START, on_both, to};

on_both! {
    async fn a_transition_is_stored_remembered_and_told(stand) {
        let admin = stand.admin().await;
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        let fence = stand.held(admin, "shop").await;
        stand.deliver_all().await;
        let connected = Transition {
            reason: Some("linked".into()),
            phone: Some("62811".into()),
            credentials_present: Some(true),
            ..to(fence, SessionState::Connected)
        };
        stand.database.transition(connected.clone()).await.unwrap();
        let session = stand.session(fence).await;
        assert_eq!((session.state, session.since), (SessionState::Connected, START + MINUTE));
        assert_eq!((session.phone.as_deref(), session.credentials_present), (Some("62811"), true));
        assert_eq!((session.reason.as_deref(), session.disconnected_since), (Some("linked"), None));
        assert_eq!(stand.texts("SELECT state FROM session_events ORDER BY position").await,
            ["connecting", "connected"]);
        assert_eq!(stand.number("SELECT COUNT(*) FROM session_events WHERE runner_id IS NOT NULL").await, 1);
        stand.clock.advance(MINUTE);
        let due = stand.due().await;
        assert_eq!((due.len(), due[0].layout, due[0].trusted), (1, UrlLayout::Base, true));
        assert!(due[0].payload.contains(r#""state":"connected","reason":"linked""#), "{}", due[0].payload);

        // The same state again is no news.
        stand.database.transition(connected).await.unwrap();
        assert!(stand.due().await.is_empty());
        assert_eq!(stand.number("SELECT COUNT(*) FROM session_events").await, 2);
    }

    async fn it_is_told_to_the_callback_instead_of_the_base_or_to_nobody(stand) {
        stand.admin().await;
        let (anna, berta) = (stand.user("anna").await, stand.user("berta").await);
        stand.start(berta, "untold").await;
        assert!(stand.due().await.is_empty());
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        stand.database.set_callback(anna, Some("http://anna")).await.unwrap();
        stand.start(anna, "a").await;
        stand.start(berta, "b").await;
        let told: Vec<_> = stand.due().await.into_iter().map(|due| (due.url, due.layout, due.trusted)).collect();
        assert_eq!(told, [
            ("http://anna".to_owned(), UrlLayout::Callback, false),
            ("http://base".to_owned(), UrlLayout::Base, true),
        ]);

        // Without her callback the base hears of her again; one that changed gets what comes at its new address.
        stand.database.set_callback(anna, None).await.unwrap();
        stand.start(anna, "c").await;
        stand.database.set_callback(anna, Some("http://anna/2")).await.unwrap();
        stand.start(anna, "d").await;
        stand.database.set_base_endpoint(None).await.unwrap();
        stand.start(berta, "e").await;
        let told: Vec<_> = stand.due().await.into_iter().map(|due| due.url).collect();
        assert_eq!(told, ["http://anna/2"], "what waits for the base waits until it is back");
        stand.database.set_base_endpoint(Some("http://base")).await.unwrap();
        let told: Vec<_> = stand.due().await.into_iter().map(|due| due.url).collect();
        assert_eq!(told, ["http://base"]);
        assert_eq!(stand.number("SELECT COUNT(*) FROM endpoints").await, 2);
    }

    async fn disconnected_since_counts_from_the_first_moment(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let at = |minutes, state| Transition { at: START + minutes * MINUTE, ..to(fence, state) };
        let table = [
            (1, SessionState::Connected, None),
            (2, SessionState::Reconnecting, Some(2)),
            (3, SessionState::Connecting, Some(2)),
            (4, SessionState::Replaced, Some(2)),
            (5, SessionState::Connected, None),
            (6, SessionState::LoggedOut, Some(6)),
        ];
        for (minute, state, since) in table {
            stand.database.transition(at(minute, state)).await.unwrap();
            let expected = since.map(|minutes| START + minutes * MINUTE);
            assert_eq!(stand.session(fence).await.disconnected_since, expected, "{state}");
        }
    }

    async fn a_code_is_on_offer_while_pairing_only(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        for text in ["first", "second"] {
            let qr = PairingCode { text: text.into(), expires_at: START + MINUTE };
            let pairing = Transition { qr: Some(qr.clone()), ..to(fence, SessionState::Pairing) };
            stand.database.transition(pairing).await.unwrap();
            assert_eq!(stand.session(fence).await.qr, Some(qr));
        }
        stand.database.transition(to(fence, SessionState::Connected)).await.unwrap();
        assert_eq!(stand.session(fence).await.qr, None);
    }
}
