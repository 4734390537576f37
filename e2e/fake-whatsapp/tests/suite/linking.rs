use super::{ANNA, BUDI, SOON, assert_all_handled, link, server};
use contact::Contact;
use fake_whatsapp::Handshake;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_scanned_client_is_connected_at_once() {
    let server = server().await;
    let begin = Instant::now();
    let anna = link(&server, ANNA).await;
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(anna.device(), 1);
    let account = server.account(ANNA).expect("account");
    account.wait_connected(1, SOON).await.expect("connected");
    assert_eq!(account.push_name().as_deref(), Some(ANNA));
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_linked_by_code() {
    let server = server().await;
    let anna = Contact::link_by_code(&server, ANNA).await.expect("linked");
    assert_eq!(anna.device(), 1);
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connect_resumes() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    anna.reconnect().await.expect("connected again");
    let account = server.account(ANNA).expect("account");
    account.wait_connected(1, SOON).await.expect("connected");
    let device = account.devices().into_iter().find(|device| device.device == 1).expect("device");
    assert_eq!(device.handshake, Some(Handshake::Ik));
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_do_not_know_each_other() {
    let one = server().await;
    let other = server().await;
    let anna = link(&one, ANNA).await;
    let budi = link(&other, BUDI).await;
    assert!(one.account(BUDI).is_err());
    assert!(other.account(ANNA).is_err());
    assert_ne!(anna.jid(), budi.jid());
}
