use super::{ANNA, BUDI, SOON, assert_all_handled, link, server};
use contact::{Contact, Notice, Options};
use fake_whatsapp::{Delay, Failure, Kick};
use std::time::{Duration, Instant};

async fn durable(server: &fake_whatsapp::FakeWhatsApp, number: &str) -> Contact {
    let options = Options { durable: true, ..Options::default() };
    Contact::link_with(server, number, options).await.expect("linked contact")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acknowledged_comes_again() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = durable(&server, BUDI).await;
    budi.refuse_messages(true);
    let id = anna.send_text(BUDI, "jangan hilang").await.expect("sent");
    let account = server.account(BUDI).expect("account");
    budi.wait_refused(1, SOON).await.expect("refused");
    budi.disconnect().await;
    account.wait_connected(0, SOON).await.expect("offline");
    assert_eq!(account.queued(), 1);
    assert_eq!(budi.messages().len(), 0);
    budi.refuse_messages(false);
    budi.reconnect().await.expect("connected again");
    assert_eq!(budi.next_message(SOON).await.expect("received").id, id);
    account.wait_settled(SOON).await.expect("settled");
    let delivery = server.ledger().deliveries[&format!("{BUDI}:1")][&id];
    assert_eq!((delivery.delivered, delivery.settled), (2, 1));
    assert_eq!(budi.messages().len(), 1);
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_made_again() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let account = server.account(ANNA).expect("account");
    for kind in [Kick::Drop, Kick::Close, Kick::Restart, Kick::Unavailable] {
        account.wait_connected(1, SOON).await.expect("connected");
        let logins = account.devices()[1].logins;
        assert!(account.kick(1, kind));
        account
            .wait("another login", SOON, |account| {
                (account.connected() == 1 && account.devices()[1].logins > logins).then_some(())
            })
            .await
            .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
    let budi = server.create_account(BUDI).await;
    budi.say(ANNA, "masih ada?").expect("said");
    assert_eq!(anna.next_message(SOON).await.expect("received").text.as_deref(), Some("masih ada?"));
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_goodbye_are_told_apart() {
    let server = server().await;
    for (number, kind, notice) in [
        ("628110000011", Kick::Replaced, Notice::Replaced),
        ("628110000012", Kick::Conflict, Notice::Replaced),
        ("628110000013", Kick::Removed, Notice::LoggedOut),
        ("628110000014", Kick::Unauthorized, Notice::LoggedOut),
        ("628110000015", Kick::Unlinked, Notice::LoggedOut),
    ] {
        let contact = link(&server, number).await;
        let account = server.account(number).expect("account");
        account.wait_connected(1, SOON).await.expect("connected");
        assert_eq!(account.kick_all(kind), 1);
        contact.wait_notice(notice, SOON).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_logins_are_told_apart() {
    let server = server().await;
    for (number, failure, notice) in [
        ("628110000021", Failure::LoggedOut, Notice::LoggedOut),
        ("628110000022", Failure::Banned, Notice::LoggedOut),
        ("628110000023", Failure::TemporaryBan { code: 101, expire: 3600 }, Notice::TemporaryBan),
        ("628110000024", Failure::Outdated, Notice::Outdated),
    ] {
        let contact = link(&server, number).await;
        let account = server.account(number).expect("account");
        account.wait_connected(1, SOON).await.expect("connected");
        account.refuse_logins(Some(failure.clone()));
        account.kick_all(Kick::Drop);
        contact.wait_notice(notice, SOON).await.unwrap_or_else(|error| panic!("{failure:?}: {error}"));
    }
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_of_the_same_device_replaces_the_first() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let twin = anna.twin().await.expect("twin");
    twin.wait_connected(SOON).await.expect("connected");
    anna.wait_notice(Notice::Replaced, SOON).await.expect("replaced");
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_unlinks() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    anna.logout().await.expect("logged out");
    anna.wait_notice(Notice::LoggedOut, SOON).await.expect("told");
    let account = server.account(ANNA).expect("account");
    account
        .wait("no companion", SOON, |account| (account.devices().len() == 1).then_some(()))
        .await
        .expect("gone");
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_messages_wait_for_their_release() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    let account = server.account(BUDI).expect("account");
    account.wait_settled(SOON).await.expect("settled");
    account.hold();
    anna.send_text(BUDI, "nanti").await.expect("sent");
    assert!(budi.next_message(Duration::from_millis(300)).await.is_err());
    account.release();
    assert_eq!(budi.next_message(SOON).await.expect("received").text.as_deref(), Some("nanti"));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_counted_and_refused_messages_are_not() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = server.create_account(BUDI).await;
    let account = server.account(ANNA).expect("account");
    anna.send_text(BUDI, "satu").await.expect("sent");
    budi.wait_text("satu", SOON).await.expect("on the phone");
    account.nack_next(463);
    // The library does not wait for the acknowledgement: the refusal comes as an event.
    let refused = anna.send_text(BUDI, "ditolak").await;
    let id = anna.send_text(BUDI, "dua").await.expect("sent");
    budi.wait_text("dua", SOON).await.expect("on the phone");
    let ledger = server.ledger();
    assert_eq!(ledger.distinct_from(ANNA), 2);
    assert!(ledger.has(ANNA, &id));
    assert!(refused.is_err() || !ledger.has(ANNA, &refused.expect("id")));
    assert_eq!(ledger.duplicates().len(), 0);
    assert!(budi.received().iter().all(|message| message.text.as_deref() != Some("ditolak")));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_can_be_late() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    server.create_account(BUDI).await;
    server.delay(Delay { kind: Some("usync".to_owned()), millis: 400 });
    let begin = Instant::now();
    let known = anna
        .client()
        .expect("client")
        .contacts()
        .is_on_whatsapp(&[contact::address(BUDI).expect("jid")])
        .await;
    assert!(known.expect("answer")[0].is_registered);
    assert!(begin.elapsed() >= Duration::from_millis(400));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_time_prekeys_messages_still_arrive() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    let account = server.account(BUDI).expect("account");
    assert!(account.exhaust_prekeys(1, false).expect("device") > 0);
    account.exhaust_prekeys(0, false).expect("phone");
    anna.send_text(BUDI, "tanpa kunci").await.expect("sent");
    assert_eq!(budi.next_message(SOON).await.expect("received").text.as_deref(), Some("tanpa kunci"));
    account.wait_text("tanpa kunci", SOON).await.expect("on the phone");
    // Told that they have run low, the client uploads new ones.
    account.exhaust_prekeys(1, true).expect("device");
    account
        .wait("new prekeys", SOON, |account| (account.devices()[1].prekeys > 0).then_some(()))
        .await
        .expect("uploaded");
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_set_up_anew_can_be_written_to() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = server.create_account(BUDI).await;
    anna.send_text(BUDI, "sebelum").await.expect("sent");
    budi.wait_text("sebelum", SOON).await.expect("on the phone");
    budi.change_identity().expect("changed");
    anna.send_text(BUDI, "sesudah").await.expect("sent");
    budi.wait_text("sesudah", SOON).await.expect("on the phone");
    assert_all_handled(&server);
}
