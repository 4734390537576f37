//! The whole client against a server that speaks WhatsApp's protocol.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "client/chats.rs"]
mod chats;
#[path = "client/death.rs"]
mod death;
mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    MessageId, Timestamp, UserId,
    detail::KnownPoll,
    event::InboundMessage,
    message::{Content, Message, MessageState, Quote, Typing, wa_message_id},
};
use fake_whatsapp::{AccountHandle, Failure, FakeWhatsApp, Kick};
use scratch::wait_for;
use support::{Claim, World};
use whatsapp::{
    Client, Events, Happened, Inbox, Lease, OpenError, Options, ReceiptKind, SendError, WhatsApp,
};

const SOON: Duration = Duration::from_secs(20);
const SHOP: &str = "628110000001";
const CUSTOMER: &str = "628110000002";

/// Keeps what it is given, unless it is told to fail.
#[derive(Default)]
struct Letterbox {
    messages: Mutex<Vec<InboundMessage>>,
    polls: Mutex<Vec<(String, KnownPoll)>>,
    full: AtomicBool,
    refused: AtomicBool,
}

#[async_trait]
impl Inbox for Letterbox {
    async fn commit(&self, messages: Vec<InboundMessage>) -> Result<(), storage::Error> {
        if self.full.load(Ordering::SeqCst) {
            self.refused.store(true, Ordering::SeqCst);
            return Err(storage::Error::Unavailable("the letterbox is full".to_owned()));
        }
        self.messages.lock().unwrap().extend(messages);
        Ok(())
    }

    async fn poll(&self, message_id: &str) -> Result<Option<KnownPoll>, storage::Error> {
        Ok(self.polls.lock().unwrap().iter().find(|(id, _)| id == message_id).map(|(_, poll)| poll.clone()))
    }
}

impl Letterbox {
    fn find(&self, text: &str) -> Option<InboundMessage> {
        let messages = self.messages.lock().unwrap();
        messages.iter().find(|message| message.text.as_deref() == Some(text)).cloned()
    }

    async fn wait(&self, text: &str) -> InboundMessage {
        wait_for(SOON, async || self.find(text).is_some()).await;
        self.find(text).unwrap()
    }
}

/// A WhatsApp with two phones, a database with a session, and what a client needs.
struct Stage {
    server: FakeWhatsApp,
    world: World,
    inbox: Arc<Letterbox>,
    claim: Arc<Claim>,
    whatsapp: WhatsApp,
}

impl Stage {
    async fn new() -> Self {
        let options = fake_whatsapp::Options { journal: 1000, ..fake_whatsapp::Options::default() };
        let server = FakeWhatsApp::start(options).await.unwrap();
        server.create_account(SHOP).await;
        server.create_account(CUSTOMER).await.set_push_name("Budi");
        let world = World::sqlite().await;
        let whatsapp = whatsapp(&server, &world);
        Self { server, world, inbox: Arc::default(), claim: Claim::held(), whatsapp }
    }

    async fn open(&self, fresh: bool) -> Result<(Client, Events), OpenError> {
        let (claim, inbox) = (Arc::clone(&self.claim), Arc::clone(&self.inbox));
        self.whatsapp.open(self.world.fence, claim, inbox, fresh).await
    }

    /// A client that is linked to the shop's phone and on line.
    async fn linked(&self) -> (Client, Events) {
        let (client, mut events) = self.open(true).await.unwrap();
        client.start();
        let Happened::Qr { text, .. } = next(&mut events, |event| matches!(event, Happened::Qr { .. })).await
        else {
            unreachable!()
        };
        self.server.scan(Some(SHOP), &text).await.unwrap();
        next(&mut events, |event| matches!(event, Happened::Connected)).await;
        (client, events)
    }

    async fn with_database_again(self) -> Self {
        drop(self.whatsapp);
        let world = self.world.reopened().await;
        let whatsapp = whatsapp(&self.server, &world);
        Self { world, whatsapp, ..self }
    }

    fn shop(&self) -> AccountHandle {
        self.server.account(SHOP).unwrap()
    }

    fn customer(&self) -> AccountHandle {
        self.server.account(CUSTOMER).unwrap()
    }

    fn message(&self, text: &str) -> Message {
        self.content(Content::plain(text))
    }

    fn content(&self, content: Content) -> Message {
        Message {
            id: MessageId::new(),
            position: 1,
            session: self.world.session,
            user: UserId(2),
            wa_id: wa_message_id(secrets::random_bytes()),
            chat: format!("{CUSTOMER}@s.whatsapp.net"),
            content,
            state: MessageState::Queued,
            failure: None,
            accepted_at: Timestamp(0),
            expires_at: Timestamp(i64::MAX),
            sent_at: None,
            delivered_at: None,
            read_at: None,
            traceparent: None,
        }
    }
}

fn whatsapp(server: &FakeWhatsApp, world: &World) -> WhatsApp {
    let options = Options {
        url: Some(server.chat_url().parse().unwrap()),
        prekeys: 30,
        ack_timeout: Duration::from_secs(2),
        reconnect_first: Duration::from_millis(50),
        reconnect_cap: Duration::from_millis(200),
        ..Options::default()
    };
    let egress = egress::Client::new(egress::EgressOptions::default()).unwrap();
    WhatsApp::new(options, world.database.clone(), egress).unwrap()
}

/// The next event of a kind; those before it are passed over.
async fn next(events: &mut Events, wanted: impl Fn(&Happened) -> bool) -> Happened {
    let mut passed = Vec::new();
    let found = tokio::time::timeout(SOON, async {
        loop {
            match events.next().await {
                Some(event) if wanted(&event) => return event,
                Some(event) => passed.push(event),
                None => panic!("the client is gone"),
            }
        }
    });
    let found = found.await;
    found.unwrap_or_else(|_| panic!("it did not happen; instead: {passed:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_linked_sends_and_receives_and_comes_back_without_a_scan() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.linked().await;
    assert_eq!(client.phone().as_deref(), Some(SHOP));

    let message = stage.message("hello");
    client.send(&message).await.unwrap();
    let got = stage.customer().wait_text("hello", SOON).await.unwrap();
    assert_eq!((got.id.as_str(), got.from.as_str()), (message.wa_id.as_str(), SHOP));
    let delivered = next(&mut events, |event| matches!(event, Happened::Receipt { .. })).await;
    let Happened::Receipt { message_ids, kind, .. } = delivered else { unreachable!() };
    assert_eq!((message_ids, kind), (vec![message.wa_id.clone()], ReceiptKind::Delivered));

    let id = stage.customer().say(SHOP, "hello to you").unwrap();
    let received = stage.inbox.wait("hello to you").await;
    assert_eq!((received.message_id, received.kind.as_str(), received.replayed), (id, "text", false));
    let addresses = [Some(received.chat), received.chat_alt];
    assert!(addresses.contains(&Some(stage.customer().jid())), "{addresses:?}");
    assert!(addresses.contains(&Some(stage.customer().lid())), "{addresses:?}");
    assert_eq!(received.push_name.as_deref(), Some("Budi"));

    client.disconnect().await;
    assert_eq!(client.send(&stage.message("too late")).await, Err(SendError::NotConnected));
    stage.shop().wait_connected(0, SOON).await.unwrap();
    stage.customer().say(SHOP, "while you were out").unwrap();

    let (client, mut events) = stage.open(false).await.unwrap();
    client.start();
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    assert!(stage.inbox.wait("while you were out").await.replayed);
    client.send(&stage.message("back again")).await.unwrap();
    stage.customer().wait_text("back again", SOON).await.unwrap();
    client.disconnect().await;
    assert_eq!(stage.server.unhandled(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_links_as_well_as_a_scan() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.open(true).await.unwrap();
    client.start();
    let code = client.pair_with_code(SHOP).await.unwrap();
    stage.server.enter_code(SHOP, &code).await.unwrap();
    let paired = next(&mut events, |event| matches!(event, Happened::Paired { .. })).await;
    let Happened::Paired { phone, lid } = paired else { unreachable!() };
    assert_eq!((phone.as_str(), lid.is_some()), (SHOP, true));
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quote_arrives_as_one() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let question = stage.customer().say(SHOP, "how much?").unwrap();
    stage.inbox.wait("how much?").await;
    let quoted = Quote {
        message_id: question.clone(),
        participant: stage.customer().jid(),
        text: Some("how much?".to_owned()),
    };
    client
        .send(&stage.content(Content::Text {
            text: "two".to_owned(),
            quoted: Some(quoted),
            mentions: Vec::new(),
        }))
        .await
        .unwrap();
    let got = stage.customer().wait_text("two", SOON).await.unwrap();
    let text = got.message.extended_text_message.as_option().unwrap();
    assert_eq!(text.context_info.as_option().unwrap().stanza_id.as_deref(), Some(question.as_str()));
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_says_decides() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    stage.shop().nack_next(463);
    let refused = client.send(&stage.message("spam")).await;
    assert_eq!(refused, Err(SendError::Refused { code: "463".to_owned() }));

    stage.shop().swallow_acks(1);
    let message = stage.message("heard?");
    assert_eq!(client.send(&message).await, Err(SendError::Unconfirmed));
    client.send(&message).await.unwrap();
    stage.customer().wait_text("heard?", SOON).await.unwrap();
    let copies = stage.customer().received().into_iter().filter(|got| got.text.as_deref() == Some("heard?"));
    assert!(copies.into_iter().all(|got| got.id == message.wa_id));

    let unaddressed = Message { chat: "not a jid@@".to_owned(), ..stage.message("x") };
    assert!(matches!(client.send(&unaddressed).await, Err(SendError::Invalid { .. })));
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_to_one_and_to_many_all_arrive() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let sends = (0..20).map(|number| {
        let chat = format!("62812000{number:04}");
        let (client, stage) = (client.clone(), &stage);
        async move {
            stage.server.create_account(&chat).await;
            for text in ["first", "second"] {
                let to = Message { chat: format!("{chat}@s.whatsapp.net"), ..stage.message(text) };
                client.send(&to).await.unwrap();
            }
            let got = stage.server.account(&chat).unwrap().wait_received(2, SOON).await.unwrap();
            let texts: Vec<_> = got.iter().filter_map(|message| message.text.as_deref()).collect();
            assert_eq!(texts, ["first", "second"]);
        }
    });
    futures::future::join_all(sends).await;
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_again() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.linked().await;
    for kick in [Kick::Drop, Kick::Close, Kick::Unavailable, Kick::Restart] {
        assert_eq!(stage.shop().kick_all(kick), 1);
        next(&mut events, |event| matches!(event, Happened::Disconnected { .. })).await;
        next(&mut events, |event| matches!(event, Happened::Connected)).await;
    }
    // A message that is on its way when the connection breaks: nobody knows.
    stage.shop().swallow_acks(1);
    let message = stage.message("on its way");
    let (sent, ()) = tokio::join!(client.send(&message), async {
        stage.customer().wait_text("on its way", SOON).await.unwrap();
        stage.shop().kick_all(Kick::Drop);
    });
    assert_eq!(sent, Err(SendError::Unconfirmed));
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    client.send(&message).await.unwrap();
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_inbox_cannot_take_comes_again() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.linked().await;
    stage.inbox.full.store(true, Ordering::SeqCst);
    let id = stage.customer().say(SHOP, "do not lose me").unwrap();
    wait_for(SOON, async || stage.inbox.refused.load(Ordering::SeqCst)).await;
    assert!(stage.shop().queued() > 0, "WhatsApp still has it");
    stage.inbox.full.store(false, Ordering::SeqCst);
    assert_eq!(stage.inbox.wait("do not lose me").await.message_id, id);
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    stage.shop().wait_settled(SOON).await.unwrap();
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_loses_no_message() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.linked().await;
    stage.customer().say(SHOP, "one").unwrap();
    stage.inbox.wait("one").await;

    stage.world.close().await;
    stage.customer().say(SHOP, "two").unwrap();
    next(&mut events, |event| matches!(event, Happened::StoreFailed { .. })).await;
    client.disconnect().await;
    assert!(stage.inbox.find("two").is_none());

    drop(client);
    let stage = stage.with_database_again().await;
    let (client, mut events) = stage.open(false).await.unwrap();
    client.start();
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    stage.inbox.wait("two").await;
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_claim_is_silent() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let written = stage.shop().accepted();
    let successor = stage.world.taken_over().await;
    // It does not know yet, and finds out by writing.
    stage.customer().say(SHOP, "who is there?").unwrap();
    wait_for(SOON, async || !stage.claim.held()).await;
    assert_eq!(client.send(&stage.message("too late")).await, Err(SendError::LeaseLost));
    stage.shop().wait_connected(0, SOON).await.unwrap();
    assert!(stage.inbox.find("who is there?").is_none());
    assert_eq!(stage.shop().accepted(), written);
    assert!(matches!(stage.open(false).await, Err(OpenError::LeaseLost)));

    let claim = Claim::held();
    let (heir, mut events) =
        stage.whatsapp.open(successor, claim, Arc::clone(&stage.inbox) as _, false).await.unwrap();
    heir.start();
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    stage.inbox.wait("who is there?").await;
    heir.send(&stage.message("me")).await.unwrap();
    client.disconnect().await;
    heir.disconnect().await;
}

fn kick(account: &AccountHandle, kind: Kick) {
    account.kick_all(kind);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_must_mend_ends_the_client() {
    type Story = fn(&AccountHandle);
    type Expected = fn(&Happened) -> bool;
    let table: [(Story, Expected); 7] = [
        (|shop| kick(shop, Kick::Removed), |event| matches!(event, Happened::LoggedOut { .. })),
        (|shop| kick(shop, Kick::Unlinked), |event| matches!(event, Happened::LoggedOut { .. })),
        (|shop| kick(shop, Kick::Replaced), |event| matches!(event, Happened::Replaced)),
        (|shop| kick(shop, Kick::Conflict), |event| matches!(event, Happened::Replaced)),
        (AccountHandle::ban, |event| matches!(event, Happened::Banned { until: None, .. })),
        (AccountHandle::outdate, |event| matches!(event, Happened::Outdated)),
        (
            |shop| {
                shop.refuse_logins(Some(Failure::TemporaryBan { code: 101, expire: 3600 }));
                shop.kick_all(Kick::Drop);
            },
            |event| matches!(event, Happened::Banned { until: Some(_), .. }),
        ),
    ];
    for (story, expected) in table {
        let stage = Stage::new().await;
        let (client, mut events) = stage.linked().await;
        story(&stage.shop());
        let last = next(&mut events, expected).await;
        assert!(last.is_final());
        stage.shop().wait_connected(0, SOON).await.unwrap();
        assert!(!client.is_connected());
        client.disconnect().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_tried_again() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.linked().await;
    stage.shop().refuse_logins(Some(Failure::Unavailable));
    stage.shop().kick_all(Kick::Drop);
    for _ in 0..3 {
        next(&mut events, |event| matches!(event, Happened::ConnectFailed { .. })).await;
    }
    stage.shop().refuse_logins(None);
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_known_or_not() {
    let stage = Stage::new().await;
    let (client, _events) = stage.linked().await;
    let asked = [CUSTOMER.to_owned(), "628119999999".to_owned(), SHOP.to_owned()];
    let answers = client.check_numbers(&asked).await.unwrap();
    assert_eq!(answers, [Some(stage.customer().jid()), None, Some(stage.shop().jid())]);
    client.typing(&stage.customer().jid(), Typing::Composing).await;
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_unlinks_the_device() {
    let stage = Stage::new().await;
    let (client, mut events) = stage.linked().await;
    client.logout().await;
    next(&mut events, |event| matches!(event, Happened::LoggedOut { .. })).await;
    wait_for(SOON, async || stage.shop().devices().len() == 1).await;
}
