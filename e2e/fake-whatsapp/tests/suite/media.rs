use super::{ANNA, BUDI, SOON, assert_all_handled, link, server};
use contact::{Contact, MediaKind, Options};
use fake_whatsapp::MediaFault;

fn file(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).expect("small")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn media_goes_up_and_comes_down() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    for (kind, size) in
        [(MediaKind::Image, 10_000), (MediaKind::Audio, 1), (MediaKind::Document, 6 * 1024 * 1024)]
    {
        anna.send_media(BUDI, kind, file(size), Some("foto")).await.expect("sent");
        let received = budi.next_message(SOON).await.expect("received");
        assert_eq!(budi.download(&received).await.expect("downloaded"), Some(file(size)));
    }
    assert_eq!(server.media_files(), 3);
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_goes_over_tls() {
    let server = server().await;
    let options = Options { tls: true, ..Options::default() };
    let anna = Contact::link_with(&server, ANNA, options.clone()).await.expect("linked over TLS");
    let budi = Contact::link_with(&server, BUDI, options).await.expect("linked over TLS");
    anna.send_media(BUDI, MediaKind::Image, file(5000), None).await.expect("sent");
    let received = budi.next_message(SOON).await.expect("received");
    assert_eq!(budi.download(&received).await.expect("downloaded"), Some(file(5000)));
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_media_host_is_noticed() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    anna.send_media(BUDI, MediaKind::Image, file(5000), None).await.expect("sent");
    let received = budi.next_message(SOON).await.expect("received");
    for fault in [MediaFault::Status(404), MediaFault::WrongBytes, MediaFault::Cut] {
        server.media_fault(fault.clone(), false, None);
        assert!(budi.download(&received).await.is_err(), "{fault:?}");
        server.clear_media_faults();
    }
    // Once is forgiven: the client gets new credentials and tries again.
    server.media_fault(MediaFault::Status(403), false, Some(1));
    assert_eq!(budi.download(&received).await.expect("downloaded"), Some(file(5000)));
    server.expire_media();
    assert!(budi.download(&received).await.is_err());
}
