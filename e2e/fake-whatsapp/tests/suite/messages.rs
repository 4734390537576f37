use super::{ANNA, BUDI, SOON, assert_all_handled, link, server};

#[tokio::test(flavor = "multi_thread")]
async fn texts_arrive_both_ways() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    let id = anna.send_text(BUDI, "halo, apa kabar? 🌱").await.expect("sent");
    let received = budi.next_message(SOON).await.expect("received");
    assert_eq!((received.id.as_str(), received.text.as_deref()), (id.as_str(), Some("halo, apa kabar? 🌱")));
    budi.send_text(ANNA, "baik").await.expect("sent");
    assert_eq!(anna.next_message(SOON).await.expect("received").text.as_deref(), Some("baik"));
    anna.send_text(BUDI, "lagi").await.expect("sent");
    assert_eq!(budi.next_message(SOON).await.expect("received").text.as_deref(), Some("lagi"));
    // The phones of both read everything too.
    let phone = server.account(BUDI).expect("account");
    phone.wait_text("lagi", SOON).await.expect("on the phone");
    let own = server.account(ANNA).expect("account").wait_text("lagi", SOON).await.expect("own copy");
    assert!(own.from_me);
    phone.wait_settled(SOON).await.expect("settled");
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_says_something_and_gets_a_receipt() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = server.create_account(BUDI).await;
    let id = budi.say(ANNA, "dari telepon").expect("said");
    let received = anna.next_message(SOON).await.expect("received");
    assert_eq!(received.text.as_deref(), Some("dari telepon"));
    anna.send_text(BUDI, "terbaca").await.expect("sent");
    budi.wait_text("terbaca", SOON).await.expect("on the phone");
    budi.wait_receipt(&id, "inactive", SOON)
        .await
        .map(drop)
        .or_else(|_| {
            budi.receipts().iter().find(|receipt| receipt.id == id).map(|_| ()).ok_or("no receipt at all")
        })
        .expect("receipt");
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_to_somebody_offline_arrives_once() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    anna.send_text(BUDI, "pertama").await.expect("sent");
    budi.next_message(SOON).await.expect("received");
    let account = server.account(BUDI).expect("account");
    account.wait_settled(SOON).await.expect("settled");
    budi.disconnect().await;
    account.wait_connected(0, SOON).await.expect("offline");
    for number in 0..5 {
        anna.send_text(BUDI, &format!("nomor {number}")).await.expect("sent");
    }
    let queued = |account: &fake_whatsapp::AccountHandle| (account.queued() == 5).then_some(());
    account.wait("five queued", SOON, queued).await.expect("queued");
    budi.reconnect().await.expect("connected again");
    for number in 0..5 {
        let received = budi.next_message(SOON).await.expect("received");
        assert_eq!(received.text.as_deref(), Some(format!("nomor {number}").as_str()));
        assert!(received.offline);
    }
    account.wait_settled(SOON).await.expect("settled");
    assert_eq!(budi.messages().len(), 6);
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_asked_for_again() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = server.create_account(BUDI).await;
    budi.say(ANNA, "jelas").expect("said");
    assert_eq!(anna.next_message(SOON).await.expect("received").text.as_deref(), Some("jelas"));
    budi.say_corrupted(ANNA, "rusak").expect("said");
    assert_eq!(anna.next_message(SOON).await.expect("received").text.as_deref(), Some("rusak"));
    // And the other way round: the phone has forgotten how to read.
    anna.send_text(BUDI, "satu").await.expect("sent");
    budi.wait_text("satu", SOON).await.expect("on the phone");
    budi.forget_sessions();
    anna.send_text(BUDI, "dua").await.expect("sent");
    budi.wait_text("dua", SOON).await.expect("on the phone, in the end");
    assert_eq!(server.ledger().duplicates().len(), 0);
    assert_all_handled(&server);
}
