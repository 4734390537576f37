use domain::{
    Fence, MessageId, UserId,
    media::{MediaAbout, MediaKind, MediaSource, OutgoingMedia, UploadedMedia},
    message::{Content, NewMessage},
};
use storage::{Error, Progress};

use crate::stand::{MINUTE, START, Stand, on_both};

fn upload(url: &str) -> UploadedMedia {
    UploadedMedia {
        url: url.into(),
        direct_path: "/v/secret".into(),
        media_key: vec![7; 32],
        file_sha256: vec![2; 32],
        file_enc_sha256: vec![3; 32],
        size: 9,
        media_key_timestamp: 1_700_000_000,
        streaming_sidecar: None,
        about: MediaAbout { mime_type: "image/png".into(), width: Some(3), ..MediaAbout::default() },
    }
}

async fn accepted(stand: &Stand, fence: Fence) -> MessageId {
    let media = OutgoingMedia {
        kind: MediaKind::Image,
        source: MediaSource::Url("https://h/a.png".into()),
        caption: None,
        file_name: None,
        quoted: None,
        mentions: Vec::new(),
    };
    let message = NewMessage {
        id: MessageId::new(),
        session: fence.session,
        user: UserId::ADMIN,
        wa_id: MessageId::new().to_string(),
        chat: "1@s.whatsapp.net".into(),
        content: Content::Media(media),
        idempotency: None,
        accepted_at: START,
        expires_at: START + MINUTE,
    };
    let id = message.id;
    stand.database.accept_message(message.clone()).await.unwrap();
    assert_eq!(stand.database.message(id).await.unwrap().unwrap().content, message.content);
    id
}

on_both! {
    async fn an_upload_is_remembered_for_its_message(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let message = accepted(&stand, fence).await;
        let since = START - MINUTE;
        let remembered = async || stand.database.upload(fence.session, message, since).await.unwrap();
        assert_eq!(remembered().await, None);
        for url in ["https://one", "https://two"] {
            stand.database.put_upload(fence, message, &upload(url)).await.unwrap();
            assert_eq!(remembered().await, Some(upload(url)));
        }
        let sealed = stand.bytes("SELECT upload FROM outbound_media").await;
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(stand.database.upload(fence.session, message, START).await.unwrap(), None, "too old");

        let other = stand.held(admin, "second").await;
        assert_eq!(stand.database.upload(other.session, message, since).await.unwrap(), None);
        stand.database.put_upload(other, message, &upload("https://other")).await.unwrap();
        assert_eq!(remembered().await, Some(upload("https://two")), "of another session");
        let new = stand.take_over(fence).await;
        let lost = stand.database.put_upload(fence, message, &upload("https://late")).await;
        assert!(matches!(lost, Err(Error::LeaseLost)), "{lost:?}");
        stand.database.put_upload(new, message, &upload("https://new")).await.unwrap();
        stand.database.forget_upload(message).await.unwrap();
        assert_eq!(remembered().await, None);
    }

    async fn uploads_of_messages_that_are_done_with_are_forgotten(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let (sent, queued) = (accepted(&stand, fence).await, accepted(&stand, fence).await);
        for message in [sent, queued] {
            stand.database.put_upload(fence, message, &upload("https://u")).await.unwrap();
        }
        stand.database.advance_message(fence, sent, Progress::Sent).await.unwrap();
        stand.database.forget_done_uploads().await.unwrap();
        let since = START - MINUTE;
        assert_eq!(stand.database.upload(fence.session, sent, since).await.unwrap(), None);
        assert!(stand.database.upload(fence.session, queued, since).await.unwrap().is_some());
    }
}
