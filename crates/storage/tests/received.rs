use domain::{
    MessageId, UserId,
    detail::{Detail, KnownPoll},
    event::InboundMessage,
    message::{Content, NewMessage, PollSecret, Quote},
};
use storage::Origin;

use crate::stand::{MINUTE, START, message, on_both};

on_both! {
    async fn what_came_in_is_found_by_its_id(stand) {
        let admin = stand.admin().await;
        let (fence, other) = (stand.held(admin, "shop").await, stand.held(admin, "second").await);
        let silent = InboundMessage { text: None, sender: "2@lid".into(), ..message("1203@g.us", "B") };
        stand.database.commit_inbound(fence, vec![message("1@lid", "A"), silent]).await.unwrap();
        stand.database.commit_inbound(other, vec![message("1@lid", "C")]).await.unwrap();
        let quote = async |id| stand.database.received_message(fence.session, id).await.unwrap();
        let (a, b) = (quote("A").await.unwrap(), quote("B").await.unwrap());
        let expected = |id: &str, participant: &str, text: Option<&str>| Quote {
            message_id: id.into(), participant: participant.into(), text: text.map(Into::into) };
        assert_eq!((a, b), (expected("A", "1@lid", Some("halo")), expected("B", "2@lid", None)));
        assert_eq!(quote("C").await, None, "of another session");

        let ids = ["A", "B", "C", "D"].map(str::to_owned);
        let origins = stand.database.origins(fence.session, &ids).await.unwrap();
        let origin = |chat: &str, author: &str| Origin { chat: chat.into(), author: author.into() };
        assert_eq!(origins.len(), 2);
        assert_eq!((&origins["A"], &origins["B"]), (&origin("1@lid", "1@lid"), &origin("1203@g.us", "2@lid")));
        assert!(stand.database.origins(fence.session, &[]).await.unwrap().is_empty());
    }

    async fn a_poll_is_found_whoever_made_it(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let options = vec!["now".to_owned(), "later".to_owned()];
        let theirs = InboundMessage {
            sender: "2@lid".into(),
            sender_alt: Some("62@s.whatsapp.net".into()),
            detail: Some(Detail::Poll { name: "?".into(), options: options.clone(), selectable: 1 }),
            ..message("1203@g.us", "THEIRS")
        };
        stand.database.commit_inbound(fence, vec![theirs, message("1@lid", "TEXT")]).await.unwrap();
        let content = Content::Poll {
            name: "?".into(), options: options.clone(), selectable: 1, secret: PollSecret([7; 32]) };
        let out = |wa_id: &str, content| NewMessage {
            id: MessageId::new(), session: fence.session, user: UserId::ADMIN, wa_id: wa_id.into(),
            chat: "1@lid".into(), content, idempotency: None, accepted_at: START, expires_at: START + MINUTE };
        stand.database.accept_message(out("OURS", content)).await.unwrap();
        stand.database.accept_message(out("WORDS", Content::plain("hi"))).await.unwrap();

        let poll = async |id| stand.database.poll(fence.session, id).await.unwrap();
        assert_eq!(poll("OURS").await, Some(KnownPoll {
            options: options.clone(), authors: Vec::new(), secret: Some(vec![7; 32]) }));
        let authors = vec!["2@lid".to_owned(), "62@s.whatsapp.net".to_owned()];
        assert_eq!(poll("THEIRS").await, Some(KnownPoll { options, authors, secret: None }));
        for id in ["TEXT", "WORDS", "NOTHING"] {
            assert_eq!(poll(id).await, None, "{id}");
        }
    }
}
