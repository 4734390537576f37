use super::{ANNA, BUDI, CITRA, SOON, assert_all_handled, link, server};
use contact::Contact;

#[tokio::test(flavor = "multi_thread")]
async fn only_registered_numbers_are_on_whatsapp() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    server.create_account(BUDI).await;
    let asked = [BUDI, CITRA].map(|number| contact::address(number).expect("jid"));
    let known = anna.client().expect("client").contacts().is_on_whatsapp(&asked).await.expect("answer");
    let registered: Vec<bool> = known.iter().map(|result| result.is_registered).collect();
    assert_eq!(registered, [true, false]);
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_and_settings_are_kept() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    let client = anna.client().expect("client");
    let other = budi.client().expect("client");
    assert!(other.contacts().get_profile_picture(&anna.jid(), false).await.expect("answer").is_none());
    client.profile().set_profile_picture(vec![1, 2, 3]).await.expect("set");
    let picture =
        other.contacts().get_profile_picture(&anna.jid(), false).await.expect("answer").expect("picture");
    assert!(picture.url.contains("/v/"));
    client.profile().set_status_text("sibuk").await.expect("set");
    client.contacts().is_on_whatsapp(&[budi.jid()]).await.expect("answer");
    client.blocking().block(&budi.jid()).await.expect("blocked");
    assert_eq!(client.blocking().get_blocklist().await.expect("list").len(), 1);
    client.presence().set_available().await.expect("online");
    other.presence().subscribe(&anna.jid()).await.expect("subscribed");
    client.chatstate().send_composing(&budi.jid()).await.expect("typing");
    let account = server.account(ANNA).expect("account");
    account.wait("presence", SOON, |account| account.is_online().then_some(())).await.expect("online");
    client.profile().set_push_name("Anna").await.expect("renamed");
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_companions_of_one_account_see_the_same() {
    let server = server().await;
    let one = link(&server, ANNA).await;
    let two = Contact::link(&server, ANNA).await.expect("second companion");
    assert_eq!((one.device(), two.device()), (1, 2));
    let budi = link(&server, BUDI).await;
    budi.send_text(ANNA, "untuk berdua").await.expect("sent");
    for contact in [&one, &two] {
        assert_eq!(contact.next_message(SOON).await.expect("received").text.as_deref(), Some("untuk berdua"));
    }
    one.send_text(BUDI, "dari yang satu").await.expect("sent");
    let copy = two.next_message(SOON).await.expect("received");
    assert!(copy.from_me);
    assert_eq!(copy.text.as_deref(), Some("dari yang satu"));
    assert_eq!(budi.next_message(SOON).await.expect("received").text.as_deref(), Some("dari yang satu"));
    server.account(ANNA).expect("account").say(BUDI, "dari telepon").expect("said");
    for contact in [&one, &two] {
        assert_eq!(contact.next_message(SOON).await.expect("received").text.as_deref(), Some("dari telepon"));
    }
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_read() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    let phone = server.create_account(CITRA).await;
    let id = anna.send_text(CITRA, "sudah dibaca?").await.expect("sent");
    phone.wait_text("sudah dibaca?", SOON).await.expect("on the phone");
    anna.wait_receipt(&id, "Delivered", SOON).await.expect("delivered");
    phone.read(&id).expect("read");
    anna.wait_receipt(&id, "Read", SOON).await.expect("read");
    let id = anna.send_text(BUDI, "dan kamu?").await.expect("sent");
    let received = budi.next_message(SOON).await.expect("received");
    budi.mark_read(&received.chat, None, &[&id]).await.expect("read");
    anna.wait_receipt(&id, "Read", SOON).await.expect("read");
    assert_all_handled(&server);
}
