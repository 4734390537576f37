use bytes::Bytes;
use domain::{
    Fence, SessionId, UserId,
    event::InboundMessage,
    media::{InboundMedia, MediaClaims, MediaKind, RemoteFile},
};
use storage::FetchedMedia;

use super::*;
use crate::testing::{Answer, Rig};

const CONTENT: &[u8] = b"0123456789";

/// A message with a file came in, and the file was fetched; returns its link.
async fn receive(
    rig: &Rig,
    fence: Fence,
    message_id: &str,
    mime_type: &str,
    file_name: Option<&str>,
) -> String {
    let remote = RemoteFile {
        direct_path: "/v/x".into(),
        media_key: vec![1; 32],
        file_sha256: Vec::new(),
        file_enc_sha256: Vec::new(),
        size: 10,
    };
    let claims = MediaClaims { mime_type: None, file_name: file_name.map(str::to_owned) };
    let message = InboundMessage {
        message_id: message_id.into(),
        chat: format!("{message_id}@s.whatsapp.net"),
        sender: "1@s.whatsapp.net".into(),
        chat_alt: None,
        sender_alt: None,
        push_name: None,
        text: None,
        kind: "document".into(),
        detail: None,
        sent_at: rig.now(),
        replayed: false,
        media: Some(InboundMedia { kind: MediaKind::Document, claims, remote }),
    };
    rig.database.commit_inbound(fence, vec![message]).await.unwrap();
    let waiting = rig.database.waiting_media(fence.session, 10).await.unwrap();
    let id = waiting.due[0].id;
    let mut upload = rig.state.media.put(&ObjectKey::received(fence.session, id));
    upload.write(Bytes::from_static(CONTENT)).await.unwrap();
    let written = upload.finish().await.unwrap();
    let fetched = FetchedMedia {
        mime_type: mime_type.into(),
        extension: "pdf".into(),
        size: written.size,
        sha256: written.sha256_hex(),
    };
    let link = |name: &str| rig.state.links.address(id, name, rig.now());
    let name = rig.database.keep_media(fence, id, &fetched, link).await.unwrap().unwrap();
    link(&name).strip_prefix("https://gateway.example").unwrap().to_owned()
}

/// A session that a runner holds.
async fn held(
    rig: &Rig,
    name: &str,
    owner: Option<&crate::testing::TestUser>,
) -> (Fence, crate::testing::Runner) {
    match owner {
        Some(owner) => rig.session_of(owner, name).await,
        None => rig.session(name).await,
    }
    let runner = rig.runner().connects().start().await;
    let fence = loop {
        if let Some(fence) = runner.try_fence(name) {
            break fence;
        }
        tokio::task::yield_now().await;
    };
    (fence, runner)
}

#[tokio::test]
async fn a_file_is_served_to_its_owner_and_to_an_admin() {
    let rig = Rig::new().await;
    let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
    let (fence, _runner) = held(&rig, "anna_shop", Some(&anna)).await;
    receive(&rig, fence, "3EB0AA", "application/pdf", Some("größe \"1\".pdf")).await;
    let url = "/media/3EB0AA.pdf";
    for answer in [rig.get(url).by(&anna).send().await, rig.get(url).send().await] {
        answer.is(200, "0123456789");
        assert_eq!(answer.header("content-type"), "application/pdf");
        assert_eq!(answer.header("content-length"), "10");
        assert_eq!(
            answer.header("content-disposition"),
            "attachment; filename=\"3EB0AA.pdf\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.pdf"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
    }
    rig.get(url).by(&bob).send().await.fails(404, "media_not_found", "File not found");
    rig.get(url).anonymous().send().await.fails(401, "unauthorized", "Unauthorized");
    let head = rig.request("HEAD", url).send().await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", "10"));
    for name in ["unknown.pdf", "..%2F..%2Fetc%2Fpasswd", "%00", "%ff", "3EB0AA.PDF", "3EB0AA"] {
        rig.get(&format!("/media/{name}")).send().await.fails(404, "media_not_found", "File not found");
    }
}

#[tokio::test]
async fn ranges_and_tags() {
    let rig = Rig::new().await;
    let (fence, _runner) = held(&rig, "shop", None).await;
    receive(&rig, fence, "3EB0AA", "image/png", None).await;
    let url = "/media/3EB0AA.pdf";
    let whole = rig.get(url).send().await;
    let etag = whole.header("etag").to_owned();
    assert!(whole.header("content-disposition").starts_with("inline; "));
    let table = [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=8-100", 206, "89", "bytes 8-9/10"),
        ("bytes=0-1,4-5", 200, "0123456789", ""),
    ];
    for (range, status, body, content_range) in table {
        let answer = rig.get(url).header("range", range).send().await;
        answer.is(status, body);
        assert_eq!(answer.header("content-range"), content_range, "{range}");
        assert_eq!(answer.header("content-length"), body.len().to_string(), "{range}");
    }
    for range in ["bytes=10-", "bytes=20-30", "bytes=5-2", "chunks=1-2", "bytes=x"] {
        let answer = rig.get(url).header("range", range).send().await;
        assert_eq!((answer.status, answer.code().as_str()), (416, "invalid_range"), "{range}");
    }
    let resumed = |tag: &str| rig.get(url).header("range", "bytes=5-").header("if-range", tag).send();
    resumed(&etag).await.is(206, "56789");
    resumed("\"another\"").await.is(200, "0123456789");
    rig.get(url).header("if-none-match", &format!("\"x\", W/{etag}")).send().await.is(304, "");
    rig.get(url).header("if-none-match", "\"x\"").send().await.is(200, "0123456789");
}

#[tokio::test]
async fn a_link_opens_one_file_until_it_expires() {
    let rig = Rig::new().await;
    let (fence, _runner) = held(&rig, "shop", None).await;
    let link = receive(&rig, fence, "3EB0AA", "image/png", None).await;
    receive(&rig, fence, "3EB0BB", "image/png", None).await;
    let open = async |url: &str| -> Answer { rig.get(url).anonymous().send().await };
    open(&link).await.is(200, "0123456789");
    open(&link.replace("3EB0AA", "3EB0BB")).await.fails(404, "media_not_found", "File not found");
    for broken in [
        link.replace("expires=1", "expires=2"),
        link.replace("&expires=", "&x="),
        link.replace("id=med_", "id=msg_"),
        link.replace("id=med_", "id=med_0"),
        format!("{link}x"),
        format!("{link}&signature=x"),
    ] {
        let answer = open(&broken).await;
        let refused = [(403, "invalid_link".to_owned()), (401, "unauthorized".to_owned())];
        assert!(refused.contains(&(answer.status, answer.code())), "{broken}: {answer:?}");
    }
    rig.advance(std::time::Duration::from_hours(1));
    open(&link).await.fails(403, "link_expired", "The link has expired");
}

#[tokio::test]
async fn a_name_that_several_senders_chose_is_told_apart_by_the_id() {
    let rig = Rig::new().await;
    let (first, _one) = held(&rig, "shop", None).await;
    let (second, _two) = held(&rig, "second", None).await;
    receive(&rig, first, "3EB0AA", "image/png", None).await;
    receive(&rig, second, "3EB0AA", "application/pdf", None).await;
    let files = rig.database.media_named("3EB0AA.pdf", None).await.unwrap();
    let sessions: Vec<SessionId> = files.iter().map(|file| file.session).collect();
    assert_eq!(sessions, [second.session, first.session]);
    assert_eq!(files[0].user, UserId::ADMIN);
    let latest = rig.get("/media/3EB0AA.pdf").send().await;
    assert_eq!(latest.header("content-type"), "application/pdf");
    let other = rig.get(&format!("/media/3EB0AA.pdf?id={}", files[1].id)).send().await;
    assert_eq!(other.header("content-type"), "image/png");
}

#[tokio::test]
async fn what_was_removed_is_gone() {
    let rig = Rig::new().await;
    let (fence, _runner) = held(&rig, "shop", None).await;
    receive(&rig, fence, "3EB0AA", "image/png", None).await;
    let file = rig.database.media_named("3EB0AA.pdf", None).await.unwrap().remove(0);
    rig.state.media.delete(&ObjectKey::received(file.session, file.id)).await.unwrap();
    rig.get("/media/3EB0AA.pdf").send().await.fails(404, "media_not_found", "File not found");
    rig.database.forget_media(&[file.id]).await.unwrap();
    rig.get("/media/3EB0AA.pdf").send().await.fails(410, "media_removed", "The file is no longer kept");
}
