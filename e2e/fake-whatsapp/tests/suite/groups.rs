use super::{ANNA, BUDI, CITRA, SOON, assert_all_handled, link, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_talks() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    let citra = server.create_account(CITRA).await;
    let group = anna.create_group("keluarga", &[BUDI, CITRA]).await.expect("group").to_string();
    let id = anna.send_text(&group, "halo semua").await.expect("sent");
    let received = budi.next_message(SOON).await.expect("received");
    assert_eq!((received.id.as_str(), received.text.as_deref()), (id.as_str(), Some("halo semua")));
    assert_eq!(received.chat.to_string(), group);
    let on_phone = citra.wait_text("halo semua", SOON).await.expect("on the phone");
    assert_eq!((on_phone.chat.as_str(), on_phone.from.as_str()), (group.as_str(), ANNA));
    budi.send_text(&group, "halo juga").await.expect("sent");
    assert_eq!(anna.next_message(SOON).await.expect("received").text.as_deref(), Some("halo juga"));
    for text in ["dari telepon", "lagi"] {
        citra.say(&group, text).expect("said");
        for contact in [&anna, &budi] {
            assert_eq!(contact.next_message(SOON).await.expect("received").text.as_deref(), Some(text));
        }
    }
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_changed_and_left() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    server.create_account(CITRA).await;
    let jid = anna.create_group("lama", &[BUDI]).await.expect("group");
    let client = anna.client().expect("client");
    let added = client
        .groups()
        .add_participants(&jid, &[contact::address(CITRA).expect("jid")])
        .await
        .expect("added");
    assert!(added[0].is_ok());
    client.groups().set_subject(&jid, "baru".parse_subject()).await.expect("renamed");
    assert!(client.groups().get_invite_link(&jid, false).await.expect("link").contains("chat.whatsapp.com"));
    let view = &server.account(CITRA).expect("account").groups()[0];
    assert_eq!((view.subject.as_str(), view.members.len()), ("baru", 3));
    let other = budi.client().expect("client");
    assert_eq!(other.groups().get_metadata(&jid).await.expect("metadata").subject, "baru");
    assert_eq!(other.groups().get_participating().await.expect("groups").len(), 1);
    other.groups().leave(&jid).await.expect("left");
    assert_eq!(server.account(BUDI).expect("account").groups().len(), 0);
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_by_the_server_is_known_to_its_members() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = server.create_account(BUDI).await;
    let group = server.create_group(BUDI, "dibuat di luar", &[ANNA]).expect("group");
    budi.say(&group, "selamat datang").expect("said");
    let received = anna.next_message(SOON).await.expect("received");
    assert_eq!(received.text.as_deref(), Some("selamat datang"));
    anna.send_text(&group, "terima kasih").await.expect("sent");
    budi.wait_text("terima kasih", SOON).await.expect("on the phone");
    assert_all_handled(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_cannot_read_on() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let budi = link(&server, BUDI).await;
    let citra = server.create_account(CITRA).await;
    let group = server.create_group(CITRA, "keluarga", &[ANNA, BUDI]).expect("group");
    citra.say(&group, "semua ada").expect("said");
    for contact in [&anna, &budi] {
        assert_eq!(contact.next_message(SOON).await.expect("received").text.as_deref(), Some("semua ada"));
    }
    // A stanza that brings a sender key has a ciphertext for this device beside the one for all.
    let keys = |server: &fake_whatsapp::FakeWhatsApp| {
        let journal = server.account(ANNA).expect("account").journal();
        let is_key = |stanza: &str| {
            stanza.contains(&group)
                && ["type=\"pkmsg\"", "type=\"msg\""].iter().any(|kind| stanza.contains(kind))
        };
        journal.iter().filter(|entry| is_key(&entry.stanza)).count()
    };
    let before = keys(&server);
    let jid = contact::address(&group).expect("address");
    budi.client().expect("client").groups().leave(&jid).await.expect("left");
    citra.say(&group, "tinggal kita").expect("said");
    assert_eq!(anna.next_message(SOON).await.expect("received").text.as_deref(), Some("tinggal kita"));
    assert_eq!(keys(&server), before + 1, "who is still there has been sent the new key");
    assert_all_handled(&server);
}

trait Subject {
    fn parse_subject(&self) -> contact::whatsapp_rust::GroupSubject;
}

impl Subject for str {
    fn parse_subject(&self) -> contact::whatsapp_rust::GroupSubject {
        contact::whatsapp_rust::GroupSubject::new(self).expect("a subject")
    }
}
