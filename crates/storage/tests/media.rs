use std::time::Duration;

use domain::{
    Fence, MediaId, UserId,
    event::InboundMessage,
    media::{InboundMedia, MediaClaims, MediaKind, RemoteFile},
};
use serde_json::{Value, json};
use storage::{Committed, Error, FetchedMedia, MEDIA_PATIENCE};

use crate::stand::{MINUTE, START, Stand, message, on_both};

fn remote(path: &str) -> RemoteFile {
    RemoteFile {
        direct_path: path.into(),
        media_key: vec![7; 32],
        file_sha256: vec![2; 32],
        file_enc_sha256: vec![3; 32],
        size: 9,
    }
}

fn with_file(chat: &str, id: &str) -> InboundMessage {
    let claims = MediaClaims { mime_type: Some("image/png".into()), file_name: Some("größe.png".into()) };
    let media = InboundMedia { kind: MediaKind::Image, claims, remote: remote(&format!("/v/{id}")) };
    InboundMessage { kind: "image".into(), media: Some(media), ..message(chat, id) }
}

fn fetched(extension: &str) -> FetchedMedia {
    FetchedMedia {
        mime_type: "image/png".into(),
        extension: extension.into(),
        size: 9,
        sha256: "ab".repeat(32),
    }
}

/// A session that is held, and whose webhooks go somewhere.
async fn held(stand: &Stand) -> Fence {
    let admin = stand.admin().await;
    stand.database.set_base_endpoint(Some("http://h")).await.unwrap();
    let fence = stand.held(admin, "shop").await;
    stand.deliver_all().await;
    fence
}

async fn commit(stand: &Stand, fence: Fence, messages: Vec<InboundMessage>) -> Committed {
    stand.database.commit_inbound(fence, messages).await.unwrap()
}

/// The files that are to be fetched now.
async fn due(stand: &Stand, fence: Fence) -> Vec<MediaId> {
    let waiting = stand.database.waiting_media(fence.session, 10).await.unwrap();
    waiting.due.iter().map(|pending| pending.id).collect()
}

async fn keep(stand: &Stand, fence: Fence, id: MediaId) -> Option<String> {
    let link = |name: &str| format!("https://gateway/media/{name}");
    stand.database.keep_media(fence, id, &fetched("png"), link).await.unwrap()
}

/// The message ids of the webhooks that are due, in their order, and their payloads.
async fn webhooks(stand: &Stand) -> Vec<Value> {
    stand.due().await.iter().map(|due| serde_json::from_str(&due.payload).unwrap()).collect()
}

fn ids(webhooks: &[Value]) -> Vec<&str> {
    webhooks.iter().map(|webhook| webhook["messageId"].as_str().unwrap()).collect()
}

on_both! {
    async fn a_webhook_waits_for_its_file_and_tells_its_name(stand) {
        let fence = held(&stand).await;
        let committed = commit(&stand, fence, vec![with_file("c", "1")]).await;
        assert_eq!(committed, Committed { new: 1, deliveries: 1, media: 1 });
        assert_eq!(commit(&stand, fence, vec![with_file("c", "1")]).await, Committed::default());
        assert!(stand.due().await.is_empty(), "it waits");

        let waiting = stand.database.waiting_media(fence.session, 10).await.unwrap();
        assert_eq!((waiting.due.len(), waiting.next), (1, None));
        let pending = &waiting.due[0];
        assert_eq!((pending.kind, pending.attempts), (MediaKind::Image, 0));
        assert_eq!(pending.remote, remote("/v/1"));
        assert_eq!(pending.claims.file_name.as_deref(), Some("größe.png"));
        let sealed = stand.bytes("SELECT source FROM media").await;
        assert!(!sealed.windows(32).any(|window| window == [7; 32]) && !sealed.windows(3).any(|w| w == b"/v/"));

        assert_eq!(keep(&stand, fence, pending.id).await.as_deref(), Some("1.png"));
        assert_eq!(keep(&stand, fence, pending.id).await, None, "it is not waited for twice");
        assert_eq!(stand.number("SELECT COUNT(*) FROM media WHERE source IS NOT NULL").await, 0);
        let webhooks = webhooks(&stand).await;
        assert_eq!(webhooks.len(), 1);
        assert_eq!(webhooks[0]["media"]["image"], "1.png");
        assert_eq!(webhooks[0]["media_url"], "https://gateway/media/1.png");
        assert_eq!(webhooks[0]["message"], "halo");
        let file = json!({"state": "stored", "kind": "image", "name": "1.png", "mime_type": "image/png", "size": 9,
            "sha256": "ab".repeat(32), "file_name": "größe.png"});
        assert_eq!(webhooks[0]["file"], file);
    }

    async fn a_file_that_cannot_be_fetched_is_told_as_missing(stand) {
        let fence = held(&stand).await;
        commit(&stand, fence, vec![with_file("c", "1")]).await;
        let id = due(&stand, fence).await[0];
        let later = START + MINUTE;
        stand.database.put_off_media(fence, id, later, "the host is away").await.unwrap();
        let waiting = stand.database.waiting_media(fence.session, 10).await.unwrap();
        assert_eq!((waiting.due.len(), waiting.next), (0, Some(later)));
        assert!(stand.due().await.is_empty(), "its webhook waits on");
        stand.clock.advance(MINUTE);
        let waiting = stand.database.waiting_media(fence.session, 10).await.unwrap();
        assert_eq!(waiting.due[0].attempts, 1);
        assert!(stand.database.give_up_media(fence, id, "it is gone").await.unwrap());
        assert!(!stand.database.give_up_media(fence, id, "again").await.unwrap());
        let webhooks = webhooks(&stand).await;
        let file = json!({"state": "missing", "kind": "image", "file_name": "größe.png", "reason": "it is gone"});
        assert_eq!((&webhooks[0]["file"], &webhooks[0]["media_url"]), (&file, &json!(null)));
        assert_eq!(webhooks[0]["media"]["image"], json!(null));
        assert!(due(&stand, fence).await.is_empty());
    }

    async fn a_chat_keeps_its_order_while_a_file_is_fetched(stand) {
        let fence = held(&stand).await;
        commit(&stand, fence, vec![with_file("c", "1"), message("c", "2"), message("d", "3")]).await;
        commit(&stand, fence, vec![with_file("c", "4"), message("c", "5")]).await;
        // Another chat does not wait; what is behind the file is put off.
        assert_eq!(ids(&webhooks(&stand).await), ["3"]);
        assert!(stand.due().await.is_empty());
        let waiting = due(&stand, fence).await;
        keep(&stand, fence, waiting[0]).await;
        assert_eq!(ids(&webhooks(&stand).await), ["1", "2"], "up to the next file");
        stand.deliver_all().await;
        for delivery in stand.texts("SELECT CAST(position AS TEXT) FROM deliveries WHERE state = 'claimed'").await {
            stand.execute(&format!("UPDATE deliveries SET state = 'delivered' WHERE position = {delivery}")).await;
        }
        assert!(stand.due().await.is_empty(), "the second file is still fetched");
        stand.database.give_up_media(fence, waiting[1], "gone").await.unwrap();
        assert_eq!(ids(&webhooks(&stand).await), ["4", "5"]);
    }

    async fn nobody_waits_for_ever(stand) {
        let fence = held(&stand).await;
        commit(&stand, fence, vec![with_file("c", "1")]).await;
        stand.clock.advance(MEDIA_PATIENCE.checked_sub(MINUTE).unwrap());
        assert!(stand.due().await.is_empty());
        stand.clock.advance(MINUTE);
        let webhooks = webhooks(&stand).await;
        assert_eq!(webhooks[0]["file"], json!({"state": "pending", "kind": "image", "file_name": "größe.png"}));
        // It may still come: a replay tells about it then.
        assert_eq!(due(&stand, fence).await.len(), 1);
    }

    async fn only_the_sessions_holder_says_what_became_of_a_file(stand) {
        let fence = held(&stand).await;
        let other = stand.held(UserId::ADMIN, "second").await;
        commit(&stand, fence, vec![with_file("c", "1")]).await;
        let id = due(&stand, fence).await[0];
        let link = |_: &str| String::new();
        assert_eq!(stand.database.keep_media(other, id, &fetched("png"), link).await.unwrap(), None);
        assert!(!stand.database.give_up_media(other, id, "not mine").await.unwrap());
        stand.database.put_off_media(other, id, START + MINUTE, "not mine").await.unwrap();
        assert!(due(&stand, other).await.is_empty());
        let new = stand.take_over(fence).await;
        let lost = stand.database.keep_media(fence, id, &fetched("png"), link).await;
        assert!(matches!(lost, Err(Error::LeaseLost)), "{lost:?}");
        let lost = stand.database.give_up_media(fence, id, "late").await;
        assert!(matches!(lost, Err(Error::LeaseLost)), "{lost:?}");
        let lost = stand.database.put_off_media(fence, id, START + MINUTE, "late").await;
        assert!(matches!(lost, Err(Error::LeaseLost)), "{lost:?}");
        assert_eq!(due(&stand, new).await, [id], "the next holder goes on");
        assert!(keep(&stand, new, id).await.is_some());
    }

    async fn two_senders_may_choose_the_same_id(stand) {
        let fence = held(&stand).await;
        let other = stand.held(UserId::ADMIN, "second").await;
        commit(&stand, fence, vec![with_file("c", "1"), with_file("d", "1")]).await;
        commit(&stand, other, vec![with_file("c", "1")]).await;
        let waiting = due(&stand, fence).await;
        assert_eq!(keep(&stand, fence, waiting[0]).await.as_deref(), Some("1.png"));
        let second = keep(&stand, fence, waiting[1]).await.unwrap();
        assert_eq!(second, format!("1_{}.png", waiting[1].uuid().simple()));
        let elsewhere = due(&stand, other).await[0];
        assert_eq!(keep(&stand, other, elsewhere).await.as_deref(), Some("1.png"));
        let named = stand.database.media_named("1.png", Some(UserId::ADMIN)).await.unwrap();
        assert_eq!(named.iter().map(|file| file.id).collect::<Vec<_>>(), [elsewhere, waiting[0]]);
        assert_eq!(stand.database.media_named("1.png", None).await.unwrap(), named);
        assert!(stand.database.media_named("1.png", Some(UserId(99))).await.unwrap().is_empty());
        let file = stand.database.media(waiting[1]).await.unwrap().unwrap();
        assert_eq!((file.name, file.size, file.removed), (second, 9, false));
        assert_eq!((file.session, file.user), (fence.session, UserId::ADMIN));
    }

    async fn a_removed_sessions_files_are_given_up(stand) {
        let fence = held(&stand).await;
        commit(&stand, fence, vec![with_file("c", "1"), message("c", "2")]).await;
        assert!(stand.due().await.is_empty());
        let id = due(&stand, fence).await[0];
        stand.database.delete_session(fence.session, "removed").await.unwrap();
        let told: Vec<_> = webhooks(&stand).await.into_iter().filter(|hook| hook["event"] == "message").collect();
        assert_eq!(ids(&told), ["1", "2"]);
        assert_eq!(told[0]["file"]["state"], "missing");
        assert_eq!(told[0]["file"]["reason"], "the session was removed");
        assert_eq!(stand.number("SELECT COUNT(*) FROM media WHERE state = 'missing' AND source IS NULL").await, 1);
        assert_eq!(stand.database.media(id).await.unwrap(), None);
    }

    async fn old_files_are_disposable_unless_a_webhook_waits(stand) {
        let fence = held(&stand).await;
        commit(&stand, fence, vec![with_file("c", "1"), with_file("d", "2")]).await;
        for id in due(&stand, fence).await {
            keep(&stand, fence, id).await;
            stand.clock.advance(MINUTE);
        }
        let disposable = async |before| stand.database.disposable_media(before, 10).await.unwrap();
        let future = START + Duration::from_hours(1);
        assert!(disposable(future).await.is_empty(), "their webhooks were not delivered");
        stand.deliver_all().await;
        let both = disposable(future).await;
        assert_eq!((both.len(), both[0].size, both[0].session), (2, 9, fence.session));
        assert_eq!(disposable(START + MINUTE).await, both[..1], "the oldest first");
        assert!(disposable(START).await.is_empty());
        assert_eq!(stand.database.media_bytes().await.unwrap(), 18);

        stand.database.forget_media(&[both[0].id]).await.unwrap();
        assert_eq!((stand.database.media_bytes().await.unwrap(), disposable(future).await), (9, both[1..].to_vec()));
        let removed = stand.database.media(both[0].id).await.unwrap().unwrap();
        assert!(removed.removed, "{removed:?}");
        stand.database.forget_media(&[]).await.unwrap();

        stand.execute("UPDATE media SET user_id = 99").await;
        assert_eq!(disposable(START).await, both[1..], "of a user who is gone");
        stand.database.forget_media_of_nobody().await.unwrap();
        assert_eq!(stand.number("SELECT COUNT(*) FROM media").await, 1, "one is still to be removed");
    }
}
