//! One suite, on both buses.

use std::time::Duration;

use domain::{MessageId, SessionId, UserId};
use opentelemetry::{
    Context,
    trace::{FutureExt as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    Bus, Hints, NatsLogin, NatsOptions, Received, Request, RequestError, Server,
    messages::{Hint, SessionCommand, SessionReply},
    subjects,
};

const SOON: Duration = Duration::from_secs(5);
const NOW: Duration = Duration::from_millis(100);

fn options(url: &str, prefix: &str) -> NatsOptions {
    NatsOptions {
        url: SecretString::from(url),
        prefix: prefix.to_owned(),
        name: "test".to_owned(),
        login: None,
        ca_file: None,
    }
}

/// Two ends of one bus: for NATS two connections, as of two processes. Every test has a prefix of its own.
async fn ends(kind: Kind) -> (Bus, Bus) {
    match kind {
        Kind::Local => {
            let bus = Bus::local();
            (bus.clone(), bus)
        }
        Kind::Nats => {
            let url = scratch::nats_url().expect("a nats-server");
            let prefix = SessionId::new().to_string();
            let one = Bus::connect(options(&url, &prefix), SOON).await.unwrap();
            let two = Bus::connect(options(&url, &prefix), SOON).await.unwrap();
            (one, two)
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Local,
    Nats,
}

macro_rules! on_both {
    ($($test:ident)+) => {
        mod local { $(#[tokio::test] async fn $test() { super::$test(super::Kind::Local).await; })+ }
        mod over_nats { $(#[tokio::test] async fn $test() { super::$test(super::Kind::Nats).await; })+ }
    };
}

on_both! {
    a_command_is_answered
    a_command_brings_the_trace_of_its_asker
    a_command_to_nobody_fails_at_once
    a_command_without_an_answer_times_out
    a_dropped_command_is_abandoned
    commands_that_wait_when_the_server_stops_were_not_taken
    servers_of_one_subject_share_the_commands
    an_unknown_command_is_refused_and_the_server_goes_on
    an_answer_of_another_shape_is_malformed
    hints_reach_every_listener_of_their_subject
    a_pattern_listens_to_all_of_a_kind
    a_slow_listener_loses_hints_and_learns_it
    a_hint_that_cannot_be_read_is_skipped
    many_commands_at_once_get_their_own_answers
}

async fn ask(bus: &Bus, session: SessionId, command: &SessionCommand) -> Result<SessionReply, RequestError> {
    bus.request(&subjects::session_command(session), command, SOON).await
}

async fn a_command_is_answered(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let message = MessageId::new();
    let mut server: Server<SessionCommand> =
        owner.serve(&subjects::session_command(session), 8).await.unwrap();
    let answer = async {
        let request = server.next().await.unwrap();
        assert_eq!(request.command, SessionCommand::Send { message, row: None });
        request.reply.send(&SessionReply::NotConnected);
    };
    let command = SessionCommand::Send { message, row: None };
    let (reply, ()) = tokio::join!(ask(&asker, session, &command), answer);
    assert_eq!(reply, Ok(SessionReply::NotConnected));
}

async fn a_command_to_nobody_fails_at_once(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    assert_eq!(ask(&asker, session, &SessionCommand::Stop).await, Err(RequestError::NoResponders));

    let server: Server<SessionCommand> = owner.serve(&subjects::session_command(session), 8).await.unwrap();
    drop(server);
    // A command on its way while the server stops may get lost, so none is waited for long.
    let subject = subjects::session_command(session);
    scratch::wait_for(SOON, async || {
        let reply = asker.request::<_, SessionReply>(&subject, &SessionCommand::Stop, NOW).await;
        reply == Err(RequestError::NoResponders)
    })
    .await;
}

async fn a_command_brings_the_trace_of_its_asker(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let mut server: Server<SessionCommand> =
        owner.serve(&subjects::session_command(session), 8).await.unwrap();
    let (trace, span) = (TraceId::from(0x4bf9_u128), SpanId::from(0x00f0_u64));
    let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
    let context = Context::new().with_remote_span_context(span);
    let mut serve = async || {
        let Request { traceparent, reply, .. } = server.next().await.unwrap();
        reply.send(&SessionReply::Done);
        traceparent
    };
    let asking = ask(&asker, session, &SessionCommand::Stop).with_context(context);
    let (reply, traceparent) = tokio::join!(asking, serve());
    assert_eq!(reply, Ok(SessionReply::Done));
    let expected = "00-00000000000000000000000000004bf9-00000000000000f0-01";
    assert_eq!(traceparent.as_deref(), Some(expected));
    let (reply, traceparent) = tokio::join!(ask(&asker, session, &SessionCommand::Stop), serve());
    assert_eq!((reply, traceparent), (Ok(SessionReply::Done), None));
}

async fn a_command_without_an_answer_times_out(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let subject = subjects::session_command(SessionId::new());
    let mut server: Server<SessionCommand> = owner.serve(&subject, 8).await.unwrap();
    let answer = asker.request::<_, SessionReply>(&subject, &SessionCommand::Stop, NOW);
    let (request, answer) = tokio::join!(server.next(), answer);
    assert_eq!(answer, Err(RequestError::Timeout));
    // Too late, and no harm.
    request.unwrap().reply.send(&SessionReply::Done);
}

async fn a_dropped_command_is_abandoned(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let mut server: Server<SessionCommand> =
        owner.serve(&subjects::session_command(session), 8).await.unwrap();
    let take = async { drop(server.next().await) };
    let (reply, ()) = tokio::join!(ask(&asker, session, &SessionCommand::Logout), take);
    assert_eq!(reply, Err(RequestError::Abandoned));
}

async fn commands_that_wait_when_the_server_stops_were_not_taken(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let mut server: Server<SessionCommand> =
        owner.serve(&subjects::session_command(session), 8).await.unwrap();
    let stop = async {
        // Both have arrived once the first was taken and a flush went round.
        let first = server.next().await.unwrap();
        let _ = owner
            .request::<_, SessionReply>(
                &subjects::session_command(SessionId::new()),
                &SessionCommand::Stop,
                SOON,
            )
            .await;
        drop(server);
        first.reply.send(&SessionReply::Done);
    };
    let (first, second, ()) = tokio::join!(
        ask(&asker, session, &SessionCommand::Logout),
        ask(&asker, session, &SessionCommand::Stop),
        stop
    );
    assert_eq!(first, Ok(SessionReply::Done));
    assert_eq!(second, Err(RequestError::NoResponders));
}

async fn servers_of_one_subject_share_the_commands(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let subject = subjects::session_command(session);
    let mut one: Server<SessionCommand> = owner.serve(&subject, 8).await.unwrap();
    let mut two: Server<SessionCommand> = owner.serve(&subject, 8).await.unwrap();
    let (mut first, mut second) = (0, 0);
    for _ in 0..64 {
        let serve = async {
            let request = tokio::select! {
                request = one.next() => { first += 1; request },
                request = two.next() => { second += 1; request },
            };
            request.unwrap().reply.send(&SessionReply::Done);
        };
        let (reply, ()) = tokio::join!(ask(&asker, session, &SessionCommand::Stop), serve);
        assert_eq!(reply, Ok(SessionReply::Done));
    }
    assert!(first > 8 && second > 8, "one took {first}, the other {second}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FromTheFuture {
    Teleport { session: SessionId },
}

async fn an_unknown_command_is_refused_and_the_server_goes_on(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let subject = subjects::session_command(session);
    let mut server: Server<SessionCommand> = owner.serve(&subject, 8).await.unwrap();
    let unknown = FromTheFuture::Teleport { session };
    let ask_both = async {
        let refused = asker.request::<_, SessionReply>(&subject, &unknown, SOON).await;
        assert_eq!(refused, Err(RequestError::Unsupported));
        assert_eq!(ask(&asker, session, &SessionCommand::Stop).await, Ok(SessionReply::Done));
    };
    let serve = async { server.next().await.unwrap().reply.send(&SessionReply::Done) };
    tokio::join!(ask_both, serve);
}

async fn an_answer_of_another_shape_is_malformed(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let mut server: Server<SessionCommand> =
        owner.serve(&subjects::session_command(session), 8).await.unwrap();
    let serve = async { server.next().await.unwrap().reply.send(&["no", "such", "reply"]) };
    let (reply, ()) = tokio::join!(ask(&asker, session, &SessionCommand::Stop), serve);
    assert_eq!(reply, Err(RequestError::Malformed));
}

async fn next(hints: &mut Hints<Hint>) -> Option<Received<Hint>> {
    tokio::time::timeout(SOON, hints.next()).await.expect("a hint in time")
}

async fn hints_reach_every_listener_of_their_subject(kind: Kind) {
    let (speaker, listener) = ends(kind).await;
    let session = SessionId::new();
    let mut one: Hints<Hint> = listener.subscribe(subjects::session_changed(session), 8).await.unwrap();
    let mut two: Hints<Hint> = speaker.subscribe(subjects::session_changed(session), 8).await.unwrap();
    let other = SessionId::new();
    speaker.publish(&subjects::session_changed(other), &Hint::SessionChanged { session: other });
    speaker.publish(&subjects::session_changed(session), &Hint::SessionChanged { session });
    assert_eq!(next(&mut one).await, Some(Received::Hint(Hint::SessionChanged { session })));
    assert_eq!(next(&mut two).await, Some(Received::Hint(Hint::SessionChanged { session })));
}

async fn a_pattern_listens_to_all_of_a_kind(kind: Kind) {
    let (speaker, listener) = ends(kind).await;
    let mut users: Hints<Hint> = listener.subscribe(subjects::any_user_changed(), 8).await.unwrap();
    let session = SessionId::new();
    speaker.publish(&subjects::session_changed(session), &Hint::SessionChanged { session });
    for user in [UserId(1), UserId(2)] {
        speaker.publish(&subjects::user_changed(user), &Hint::UserChanged { user });
        assert_eq!(next(&mut users).await, Some(Received::Hint(Hint::UserChanged { user })));
    }
}

async fn a_slow_listener_loses_hints_and_learns_it(kind: Kind) {
    let (speaker, listener) = ends(kind).await;
    let subject = subjects::deliveries_due();
    let mut slow: Hints<Hint> = listener.subscribe(subject.clone(), 2).await.unwrap();
    let mut quick: Hints<Hint> = listener.subscribe(subject.clone(), 64).await.unwrap();
    for _ in 0..32 {
        speaker.publish(&subject, &Hint::DeliveriesDue);
    }
    for _ in 0..32 {
        assert_eq!(next(&mut quick).await, Some(Received::Hint(Hint::DeliveriesDue)));
    }
    let mut lagged = 0;
    let mut received = 0;
    scratch::wait_for(SOON, async || {
        while let Ok(Some(item)) = tokio::time::timeout(NOW, slow.next()).await {
            lagged += u32::from(item == Received::Lagged);
            received += u32::from(item != Received::Lagged);
        }
        lagged > 0
    })
    .await;
    assert!(received < 32, "a queue of two passed {received}");
    speaker.publish(&subject, &Hint::DeliveriesDue);
    assert_eq!(next(&mut slow).await, Some(Received::Hint(Hint::DeliveriesDue)));
}

async fn a_hint_that_cannot_be_read_is_skipped(kind: Kind) {
    let (speaker, listener) = ends(kind).await;
    let subject = subjects::sessions_available();
    let mut hints: Hints<Hint> = listener.subscribe(subject.clone(), 8).await.unwrap();
    speaker.publish(&subject, &FromTheFuture::Teleport { session: SessionId::new() });
    speaker.publish(&subject, &Hint::SessionsAvailable);
    assert_eq!(next(&mut hints).await, Some(Received::Hint(Hint::SessionsAvailable)));
}

async fn many_commands_at_once_get_their_own_answers(kind: Kind) {
    let (asker, owner) = ends(kind).await;
    let session = SessionId::new();
    let mut server: Server<SessionCommand> =
        owner.serve(&subjects::session_command(session), 4).await.unwrap();
    let serve = async {
        for _ in 0..200 {
            let request = server.next().await.unwrap();
            let SessionCommand::PairWithCode { phone } = request.command else { panic!("another command") };
            request.reply.send(&SessionReply::PairingCode { code: phone });
        }
    };
    let asks = futures::future::join_all((0..200).map(|number: u32| {
        let asker = asker.clone();
        async move {
            let command = SessionCommand::PairWithCode { phone: number.to_string() };
            let expected = SessionReply::PairingCode { code: number.to_string() };
            assert_eq!(ask(&asker, session, &command).await, Ok(expected));
        }
    }));
    tokio::join!(serve, asks);
}

mod nats_only {
    use super::*;

    /// A request's deadline begins when it is sent, and the bus comes back by itself.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_restart_of_nats_is_survived_and_noticed() {
        let mut server = scratch::Nats::start().expect("a nats-server");
        let bus = Bus::connect(options(&server.url(), ""), SOON).await.unwrap();
        let session = SessionId::new();
        let mut commands: Server<SessionCommand> =
            bus.serve(&subjects::session_command(session), 8).await.unwrap();
        let mut hints: Hints<Hint> = bus.subscribe(subjects::deliveries_due(), 8).await.unwrap();

        server.stop();
        scratch::wait_for(SOON, async || !bus.is_connected()).await;
        assert_eq!(ask(&bus, session, &SessionCommand::Stop).await, Err(RequestError::Disconnected));
        bus.publish(&subjects::deliveries_due(), &Hint::DeliveriesDue);
        // What is subscribed meanwhile works afterwards.
        let mut late: Hints<Hint> = bus.subscribe(subjects::sessions_available(), 8).await.unwrap();

        server.restart().unwrap();
        scratch::wait_for(2 * SOON, async || bus.is_connected()).await;
        assert_eq!(next(&mut hints).await, Some(Received::Lagged), "hints may have been lost");
        let serve = async { commands.next().await.unwrap().reply.send(&SessionReply::Done) };
        let (reply, ()) = tokio::join!(ask(&bus, session, &SessionCommand::Stop), serve);
        assert_eq!(reply, Ok(SessionReply::Done));
        bus.publish(&subjects::sessions_available(), &Hint::SessionsAvailable);
        while next(&mut late).await != Some(Received::Hint(Hint::SessionsAvailable)) {}
    }

    #[tokio::test]
    async fn nats_that_is_not_there_is_reported_after_the_patience() {
        let url = format!("nats://127.0.0.1:{}", scratch::free_port());
        let error = Bus::connect(options(&url, ""), Duration::from_millis(600)).await.unwrap_err();
        assert!(matches!(error, crate::ConnectError::Unreachable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_wrong_password_is_reported_at_once() {
        let server = scratch::Nats::start_with(&["--user", "anna", "--pass", "p@ss"]).expect("a nats-server");
        let host = server.url().replace("nats://", "");
        Bus::connect(options(&format!("nats://anna:p%40ss@{host}"), ""), SOON).await.unwrap();
        let error = Bus::connect(options(&format!("nats://anna:wrong@{host}"), ""), SOON).await.unwrap_err();
        assert!(matches!(error, crate::ConnectError::Refused(_)), "{error}");
    }

    #[tokio::test]
    async fn tokens_and_keys_log_in_as_well() {
        let server = scratch::Nats::start_with(&["--auth", "t0ken"]).expect("a nats-server");
        let with = |server: &scratch::Nats, login: NatsLogin| NatsOptions {
            login: Some(login),
            ..options(&server.url(), "")
        };
        Bus::connect(with(&server, NatsLogin::Token("t0ken".into())), SOON).await.unwrap();
        let wrong = Bus::connect(with(&server, NatsLogin::Token("wrong".into())), SOON).await;
        assert!(matches!(wrong, Err(crate::ConnectError::Refused(_))), "{wrong:?}");

        let folder = scratch::Dir::new();
        let (config, seed) = (folder.join("nats.conf"), folder.join("user.nk"));
        std::fs::write(&config, format!("authorization {{ users = [{{ nkey: {NKEY} }}] }}")).unwrap();
        std::fs::write(&seed, format!("{SEED}\n")).unwrap();
        let server =
            scratch::Nats::start_with(&["--config", config.to_str().unwrap()]).expect("a nats-server");
        Bus::connect(with(&server, NatsLogin::NkeyFile(seed)), SOON).await.unwrap();
        let missing = Bus::connect(with(&server, NatsLogin::NkeyFile(folder.join("none"))), SOON).await;
        assert!(matches!(missing, Err(crate::ConnectError::Credentials { .. })), "{missing:?}");
    }

    /// The pair in the documentation of NATS: nobody's secret.
    const NKEY: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nats_that_comes_late_is_found() {
        let mut server = scratch::Nats::start().expect("a nats-server");
        server.stop();
        let bus = Bus::connect_later(options(&server.url(), "")).await.unwrap();
        assert!(!bus.is_connected());
        let session = SessionId::new();
        let mut commands: Server<SessionCommand> =
            bus.serve(&subjects::session_command(session), 8).await.unwrap();
        server.restart().unwrap();
        scratch::wait_for(2 * SOON, async || bus.is_connected()).await;
        let serve = async { commands.next().await.unwrap().reply.send(&SessionReply::Done) };
        let (reply, ()) = tokio::join!(ask(&bus, session, &SessionCommand::Stop), serve);
        assert_eq!(reply, Ok(SessionReply::Done));
    }

    #[tokio::test]
    async fn installations_with_different_prefixes_do_not_hear_each_other() {
        let url = scratch::nats_url().expect("a nats-server");
        let one = Bus::connect(options(&url, "one"), SOON).await.unwrap();
        let two = Bus::connect(options(&url, "two"), SOON).await.unwrap();
        let session = SessionId::new();
        let _server: Server<SessionCommand> =
            two.serve(&subjects::session_command(session), 8).await.unwrap();
        assert_eq!(ask(&one, session, &SessionCommand::Stop).await, Err(RequestError::NoResponders));
    }
}
