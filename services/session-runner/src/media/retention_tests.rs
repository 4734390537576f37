use ::media::{Links, MediaStore};
use domain::{
    Clock as _, Fence, ManualClock, MediaId, MessageId, RunnerId, SystemClock, UserId,
    event::InboundMessage,
    media::{
        InboundMedia, MediaClaims, MediaKind, MediaLimits, MediaSource, OutgoingMedia, RemoteFile,
        StoredUpload,
    },
    message::{Content, NewMessage},
};
use secrets::KeyRing;
use storage::{FetchedMedia, Progress, RunnerRegistration, Started};

use super::*;
use crate::media::MediaSettings;

const DAY: Duration = Duration::from_hours(24);

struct Stand {
    retention: Retention,
    clock: Arc<ManualClock>,
    fence: Fence,
    _folder: tempfile::TempDir,
}

impl Stand {
    async fn new(keep_for: Option<Duration>, keep_bytes: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Near the file system's time, which is what the age of uploads is counted by.
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let keys = Arc::new(KeyRing::parse(&KeyRing::generate()).unwrap());
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let options = storage::Options::new(url);
        let database = Database::open(&options, Arc::clone(&keys), clock.clone()).await.unwrap();
        database.put_admin("admin", "hash").await.unwrap();
        let started = database.start_session(UserId::ADMIN, "shop").await.unwrap();
        assert!(matches!(started, Started::Session(_)));
        let runner = RunnerRegistration {
            id: RunnerId::new(),
            name: "r".into(),
            version: "1".into(),
            capacity: 1,
            place: storage::Placement::default(),
        };
        database.register_runner(&runner, DAY).await.unwrap();
        let fence = database.claim_sessions(runner.id, 1).await.unwrap()[0].fence;
        let store = MediaStore::in_folder(&folder.path().join("media")).unwrap();
        let links = Links::new(None, DAY, KeyRing::clone(&keys));
        let egress = egress::Client::new(egress::EgressOptions::default()).unwrap();
        let settings = MediaSettings {
            limits: MediaLimits::default(),
            timeout: Duration::from_mins(1),
            folder: folder.path().to_owned(),
            keep_for,
            keep_bytes,
        };
        let media = Arc::new(Media::new(store, links, egress, settings));
        let retention = Retention { media, database, clock: clock.clone() };
        Self { retention, clock, fence, _folder: folder }
    }

    async fn put(&self, key: &ObjectKey) {
        let mut upload = self.retention.media.store.put(key);
        upload.write(bytes::Bytes::from_static(b"0123456789")).await.unwrap();
        upload.finish().await.unwrap();
    }

    async fn has(&self, key: &ObjectKey) -> bool {
        self.retention.media.store.get(key, None).await.unwrap().is_some()
    }

    /// A file of ten bytes that came in.
    async fn receive(&self, id: &str) -> MediaId {
        let remote = RemoteFile {
            direct_path: "/v".into(),
            media_key: Vec::new(),
            file_sha256: Vec::new(),
            file_enc_sha256: Vec::new(),
            size: 10,
        };
        let media = InboundMedia { kind: MediaKind::Image, claims: MediaClaims::default(), remote };
        let message = InboundMessage {
            message_id: id.into(),
            chat: "c".into(),
            sender: "c".into(),
            chat_alt: None,
            sender_alt: None,
            push_name: None,
            text: None,
            kind: "image".into(),
            detail: None,
            sent_at: Timestamp(0),
            replayed: false,
            media: Some(media),
        };
        let database = &self.retention.database;
        database.commit_inbound(self.fence, vec![message]).await.unwrap();
        let id = database.waiting_media(self.fence.session, 1).await.unwrap().due[0].id;
        self.put(&ObjectKey::received(self.fence.session, id)).await;
        let fetched = FetchedMedia {
            mime_type: "image/png".into(),
            extension: "png".into(),
            size: 10,
            sha256: String::new(),
        };
        database.keep_media(self.fence, id, &fetched, str::to_owned).await.unwrap();
        id
    }

    async fn kept(&self, id: MediaId) -> bool {
        let stored = self.has(&ObjectKey::received(self.fence.session, id)).await;
        let row = self.retention.database.media(id).await.unwrap().unwrap();
        assert_eq!(stored, !row.removed, "the row tells the truth");
        stored
    }

    /// A message with a file that came with its request.
    async fn accept(&self) -> MessageId {
        let id = MessageId::new();
        let upload = StoredUpload { message: id, size: 10, sha256: String::new() };
        let media = OutgoingMedia {
            kind: MediaKind::Image,
            source: MediaSource::Stored(upload),
            caption: None,
            file_name: None,
            quoted: None,
            mentions: Vec::new(),
        };
        let message = NewMessage {
            id,
            session: self.fence.session,
            user: UserId::ADMIN,
            wa_id: id.to_string(),
            chat: "c".into(),
            content: Content::Media(media),
            idempotency: None,
            accepted_at: self.clock.now(),
            expires_at: self.clock.now() + 30 * DAY,
        };
        self.put(&ObjectKey::uploaded(id)).await;
        self.retention.database.accept_message(message).await.unwrap();
        id
    }

    async fn sweep(&self) -> Swept {
        self.retention.sweep().await.unwrap()
    }
}

#[tokio::test]
async fn files_are_removed_when_they_are_old() {
    let stand = Stand::new(Some(30 * DAY), None).await;
    let first = stand.receive("1").await;
    stand.clock.advance(DAY);
    let second = stand.receive("2").await;
    assert_eq!(stand.sweep().await, Swept::default());
    stand.clock.advance(29 * DAY + Duration::from_secs(1));
    assert_eq!(stand.sweep().await, Swept { received: 1, uploaded: 0 });
    assert_eq!((stand.kept(first).await, stand.kept(second).await), (false, true));
    stand.clock.advance(2 * DAY);
    assert_eq!(stand.sweep().await.received, 1);
    assert_eq!(stand.sweep().await, Swept::default());
}

#[tokio::test]
async fn the_oldest_go_when_there_are_too_many() {
    let stand = Stand::new(None, Some(25)).await;
    let mut files = Vec::new();
    for id in ["1", "2", "3", "4"] {
        files.push(stand.receive(id).await);
        stand.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(stand.sweep().await, Swept { received: 2, uploaded: 0 });
    for (file, kept) in files.into_iter().zip([false, false, true, true]) {
        assert_eq!(stand.kept(file).await, kept);
    }
    stand.clock.advance(1000 * DAY);
    assert_eq!(stand.sweep().await, Swept::default(), "without an age, age is no reason");
}

#[tokio::test]
async fn what_a_webhook_has_to_tell_about_stays() {
    let stand = Stand::new(Some(DAY), Some(5)).await;
    stand.retention.database.set_base_endpoint(Some("http://h")).await.unwrap();
    let file = stand.receive("1").await;
    stand.clock.advance(2 * DAY);
    assert_eq!(stand.sweep().await, Swept::default());
    assert!(stand.kept(file).await);
}

#[tokio::test]
async fn what_came_with_a_request_stays_as_long_as_its_message_waits() {
    let stand = Stand::new(None, None).await;
    let (waiting, sent) = (stand.accept().await, stand.accept().await);
    let stray = MessageId::new();
    stand.put(&ObjectKey::uploaded(stray)).await;
    stand.retention.database.advance_message(stand.fence, sent, Progress::Sent).await.unwrap();
    assert_eq!(stand.sweep().await, Swept::default(), "a request may still be going on");
    stand.clock.advance(UNCLAIMED_FOR + Duration::from_mins(1));
    assert_eq!(stand.sweep().await, Swept { received: 0, uploaded: 2 });
    for (message, kept) in [(waiting, true), (sent, false), (stray, false)] {
        assert_eq!(stand.has(&ObjectKey::uploaded(message)).await, kept);
    }
    // The moment it is sent, without a look.
    let content = stand.retention.database.message(waiting).await.unwrap().unwrap().content;
    stand.retention.media.done_with(&stand.retention.database, waiting, &content).await;
    assert!(!stand.has(&ObjectKey::uploaded(waiting)).await);
}
