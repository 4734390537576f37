//! `GET /session/{name}/qr/events`: what to scan, as it changes, until the session is linked.

use std::{collections::VecDeque, time::Duration};

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use domain::{
    Timestamp,
    session::{Session, SessionState},
};
use serde::Serialize;

use crate::{
    access::{self, LookupError, PathName},
    auth::Caller,
    error::{Problem, ProblemBody, answers_as_problem},
    pairing::{self, Changes},
    routes::session::qr::Pairing,
    shares::{Place, Share},
    state::ApiState,
    stream::{self, TooManyStreams},
};

/// How often to look when no hint says so.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    TooMany(#[from] TooManyStreams),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Lookup(error) => error.into(),
            Error::TooMany(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// What to scan, as it changes: `state` whenever the state changes, `qr` with each new code, `linked` at the end. The
/// data of the first two is that of `GET /session/{name}/qr`.
#[utoipa::path(
    get, path = "/session/{name}/qr/events", tag = "session", operation_id = "followSessionQr",
    params(("name" = String, Path, description = "The session", example = "shop")),
    responses(
        (status = 200, description = "Server-sent events; they end when the session is linked, or when it stopped \
            and nothing more will come", content_type = "text/event-stream", body = String,
            example = "event: qr\ndata: {\"session\":\"shop\",\"state\":\"pairing\",\"qr\":\"2@3xWJ…\"}\n\n\
            event: linked\ndata: {\"session\":\"shop\",\"number\":\"628110000001\"}\n\n"),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
        (status = 503, description = "Too many streams are open", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: PathName,
) -> Result<Response, Error> {
    let session = access::visible(&state.database, &caller, name).await?;
    Ok(follow(state, Listener::Caller(caller), session).await?)
}

/// Who follows.
pub(crate) enum Listener {
    Caller(Caller),
    /// Somebody with a link: hears what there is to scan, and nothing else of the session.
    Guest {
        share: Share,
        _place: Place,
    },
}

impl Listener {
    async fn is_still_valid(&self, state: &ApiState) -> storage::Result<bool> {
        match self {
            Self::Caller(caller) => caller.is_still_valid(&state.credentials).await,
            Self::Guest { share, .. } => share.still_stands(state).await,
        }
    }
}

/// Answers with what there is to scan, as it changes.
pub(crate) async fn follow(
    state: ApiState,
    listener: Listener,
    session: Box<Session>,
) -> Result<Response, TooManyStreams> {
    let place = state.streams.enter()?;
    let shutdown = state.shutdown.clone();
    let changes = Changes::of(&state, session.id, LOOK).await;
    let mut following = Following {
        state,
        listener,
        session,
        changes,
        told: Told::default(),
        events: VecDeque::new(),
        over: false,
    };
    following.look();
    let events = futures::stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((event, following))
    });
    Ok(stream::answer(events, place, shutdown))
}

struct Following {
    state: ApiState,
    listener: Listener,
    session: Box<Session>,
    changes: Changes,
    told: Told,
    events: VecDeque<Event>,
    over: bool,
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.changes.next().await;
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let still_valid = self.listener.is_still_valid(&self.state).await;
        match (still_valid, self.state.database.session(self.session.id).await) {
            (Ok(false), _) | (_, Ok(None)) => self.over = true,
            (Ok(true), Ok(Some(session))) => {
                *self.session = session;
                self.look();
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(%error, "a session cannot be followed just now");
            }
        }
    }

    /// Finds out what is new in the row.
    fn look(&mut self) {
        if let Listener::Guest { .. } = self.listener {
            (self.session.reason, self.session.phone) = (None, None);
        }
        let now = self.state.clock.now();
        for news in self.told.news(&self.session, now) {
            self.events.extend(match news {
                News::State => event("state", &Pairing::of(&self.session, now)),
                News::Code => event("qr", &Pairing::of(&self.session, now)),
                News::Linked => event("linked", &Linked::of(&self.session)),
            });
        }
        self.over = self.told.nothing_follows();
    }
}

/// The end: the session is linked.
#[derive(Serialize)]
struct Linked<'a> {
    session: &'a str,
    number: Option<&'a str>,
}

impl<'a> Linked<'a> {
    fn of(session: &'a Session) -> Self {
        Self { session: &session.name, number: session.phone.as_deref() }
    }
}

fn event(name: &str, data: &impl Serialize) -> Option<Event> {
    let event = Event::default().event(name).json_data(data);
    event.inspect_err(|error| tracing::error!(%error, "an event cannot be written as JSON")).ok()
}

/// What a listener has been told.
#[derive(Debug, Default)]
struct Told {
    state: Option<SessionState>,
    code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    State,
    Code,
    Linked,
}

impl Told {
    fn news(&mut self, session: &Session, now: Timestamp) -> Vec<News> {
        let mut news = Vec::new();
        if self.state.replace(session.state) != Some(session.state) {
            news.push(News::State);
        }
        if let Some(code) = pairing::valid_code(session, now)
            && self.code.as_ref() != Some(&code.text)
        {
            self.code = Some(code.text.clone());
            news.push(News::Code);
        }
        if session.connected() {
            news.push(News::Linked);
        }
        news
    }

    /// It is linked, or it has come to an end from which only another start leads on.
    fn nothing_follows(&self) -> bool {
        use SessionState as S;
        match self.state {
            None | Some(S::Pairing | S::Connecting | S::Reconnecting | S::NeedsPasskey) => false,
            Some(S::Connected | S::Stopped | S::LoggedOut | S::Replaced | S::Banned | S::Outdated) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::json;

    use crate::{
        state::Settings,
        testing::{Rig, until},
    };

    const FOLLOW: &str = "/session/shop/qr/events";

    #[tokio::test]
    async fn it_follows_the_codes_until_the_session_is_linked_and_ends() {
        let rig = Rig::new().await;
        let runner = rig.runner().offers("2@one").start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let mut stream = rig.get(FOLLOW).open().await;
        assert_eq!(stream.header("content-type"), "text/event-stream");
        let state = stream.next().await.unwrap();
        assert_eq!((state.name.as_str(), &state.data["state"]), ("state", &json!("pairing")));
        let first = stream.next().await.unwrap();
        assert_eq!((first.name.as_str(), &first.data["qr"]), ("qr", &json!("2@one")));
        assert!(first.data["image"].as_str().unwrap().starts_with("data:image/png"));
        runner.shows("shop", "2@two").await;
        let second = stream.next().await.unwrap();
        assert_eq!((second.name.as_str(), &second.data["qr"]), ("qr", &json!("2@two")));
        runner.moves("shop", SessionState::Connecting).await;
        let state = stream.next().await.unwrap();
        assert_eq!((state.name.as_str(), &state.data["waiting"]), ("state", &json!(true)));
        runner.moves("shop", SessionState::Connected).await;
        assert_eq!(stream.next().await.unwrap().data["state"], "connected");
        let linked = stream.next().await.unwrap();
        assert_eq!(
            (linked.name.as_str(), &linked.data),
            ("linked", &json!({"session": "shop", "number": "49170"}))
        );
        assert!(stream.next().await.is_none(), "it ends");
    }

    #[tokio::test]
    async fn it_ends_when_nothing_more_will_come() {
        let rig = Rig::new().await;
        let runner = rig.runner().offers("2@one").start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let mut stream = rig.get(FOLLOW).open().await;
        assert_eq!(stream.names(2).await, ["state", "qr"]);
        runner.moves("shop", SessionState::Stopped).await;
        assert_eq!(stream.next().await.unwrap().data["state"], "stopped");
        assert!(stream.next().await.is_none());

        rig.session("shop").await;
        let mut stream = rig.get(FOLLOW).open().await;
        rig.get("/session/logout?session=shop").send().await;
        while stream.next().await.is_some() {}
    }

    #[tokio::test]
    async fn a_stop_of_the_process_ends_it_and_there_are_only_so_many() {
        let rig = Rig::with(Settings { max_streams: 1, ..Settings::default() }).await;
        rig.session("shop").await;
        let mut stream = rig.get(FOLLOW).open().await;
        rig.get(FOLLOW).send().await.fails(
            503,
            "too_many_streams",
            "Too many streams are open, try again later",
        );
        assert_eq!(stream.names(1).await, ["state"]);
        rig.shutdown.cancel();
        assert!(stream.next().await.is_none());
        drop(stream);
        until("the place is free again", async || rig.get(FOLLOW).send().await.status == 200).await;
    }

    #[tokio::test]
    async fn others_follow_nothing() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let anna = rig.user("anna").await;
        let answer = rig.get(FOLLOW).by(&anna).send().await;
        answer.fails(404, "session_not_found", "Session does not exist");
    }
}
