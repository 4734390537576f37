//! `GET /events`: what happens to the caller's sessions, as it happens.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Response, sse::Event},
};
use bus::{Closed, Hints, messages::Hint, subjects};
use domain::EventId;
use storage::StoredEvent;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{
    auth::Caller,
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, QueryFields},
    state::ApiState,
    stream::{self, TooManyStreams},
};

/// How often to look when no hint says so, and whether the listener may still listen.
const LOOK: Duration = Duration::from_secs(5);

/// Events that are read in one go.
const PAGE: u32 = 200;

/// Hints that may wait: one is as good as many.
const HINTS: usize = 1;

const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("The last event's id is not one of this stream's")]
    InvalidId,
    #[error(transparent)]
    TooMany(#[from] TooManyStreams),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::InvalidId => {
                Self::new(StatusCode::BAD_REQUEST, "invalid_last_event_id", error.to_string())
            }
            Error::TooMany(error) => error.into(),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// What happens to your sessions, as it happens: messages that come in, changes of state. An admin follows everybody's.
/// The data is that of webhooks; ids are those of `webhook-id`. With `Last-Event-ID` it goes on behind that event.
#[utoipa::path(
    get, path = "/events", tag = "event", operation_id = "followEvents",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was received"),
        ("last_event_id" = Option<String>, Query, description = "The same, for those who cannot set a header",
            example = "evt_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"),
    ),
    responses(
        (status = 200, description = "Server-sent events without end", content_type = "text/event-stream",
            body = String, example = "event: message\nid: evt_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f\n\
            data: {\"session\":\"shop\",\"from\":\"628110000002@s.whatsapp.net\",\"message\":\"halo\"}\n\n"),
        (status = 400, description = "An id that is none", body = ProblemBody,
            example = json!({"message": "The last event's id is not one of this stream's",
                "code": "invalid_last_event_id"})),
        (status = 503, description = "Too many streams are open", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    headers: HeaderMap,
    QueryFields(fields): QueryFields,
) -> Result<Response, Error> {
    let last = match headers.get(LAST_EVENT_ID) {
        Some(id) => Some(id.to_str().map_err(|_| Error::InvalidId)?.to_owned()),
        None => fields.optional_text("last_event_id")?,
    };
    let last = last.filter(|id| !id.is_empty()).map(|id| id.parse().map_err(|_| Error::InvalidId));
    let last = last.transpose()?;
    let place = state.streams.enter()?;
    let shutdown = state.shutdown.clone();
    let feed = Feed::open(state, caller, last).await?;
    let events = futures::stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((event, feed))
    });
    Ok(stream::answer(events, place, shutdown))
}

/// What one listener has yet to hear.
struct Feed {
    state: ApiState,
    caller: Caller,
    hints: Result<Hints<Hint>, Closed>,
    tick: Interval,
    /// Everything before this was told.
    from: EventId,
    /// What was told of what lies behind `from`.
    told: BTreeSet<EventId>,
    waiting: VecDeque<StoredEvent>,
    /// The last look did not reach the end.
    more: bool,
}

impl Feed {
    /// Begins behind `last`, or with what happens from now on.
    async fn open(state: ApiState, caller: Caller, last: Option<EventId>) -> storage::Result<Self> {
        // Before the look at what is stored: what happens in between is hinted at.
        let hints = match caller.scope() {
            Some(user) => state.bus.subscribe(subjects::events_stored(user), HINTS).await,
            None => state.bus.subscribe(subjects::any_events_stored(), HINTS).await,
        };
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        let overlap = state.database.events_overlap();
        let (told, waiting) = (BTreeSet::new(), VecDeque::new());
        let start = EventId::new().earlier(Duration::MAX);
        let mut feed = Self { state, caller, hints, tick, from: start, told, waiting, more: true };
        if let Some(last) = last {
            feed.told.insert(last);
            feed.from = if overlap.is_zero() { last } else { last.earlier(overlap) };
        } else if let Some(latest) = feed.state.database.latest_event(feed.caller.scope()).await? {
            feed.from = latest.earlier(overlap);
            while feed.more {
                feed.look().await?;
                feed.waiting.clear();
            }
        }
        Ok(feed)
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                let id = event.id.to_string();
                return Some(Event::default().event(event.kind.as_str()).id(id).data(event.payload));
            }
            if !self.more && !self.wait().await {
                return None;
            }
            if let Err(error) = self.look().await {
                tracing::debug!(%error, "events cannot be read just now");
                self.more = false;
            }
        }
    }

    /// Waits until there may be something new; `false` when the listener may listen no longer.
    async fn wait(&mut self) -> bool {
        let hinted = async {
            match &mut self.hints {
                Ok(hints) => hints.next().await.is_some(),
                Err(Closed) => std::future::pending().await,
            }
        };
        tokio::select! {
            open = hinted => {
                if !open {
                    self.hints = Err(Closed);
                }
                true
            }
            // While the database is away nobody is turned away.
            _ = self.tick.tick() => self.caller.is_still_valid(&self.state.credentials).await.unwrap_or(true),
        }
    }

    /// Reads what is stored behind what was told. An event may be stored a little after a later one, so a stretch is
    /// read again each time.
    async fn look(&mut self) -> storage::Result<()> {
        let overlap = self.state.database.events_overlap();
        let mut at = self.from;
        loop {
            let page = self.state.database.events_after(self.caller.scope(), at, PAGE).await?;
            self.more = u32::try_from(page.len()) == Ok(PAGE);
            for event in page {
                at = event.id;
                if self.told.insert(event.id) {
                    self.waiting.push_back(event);
                }
            }
            if !self.more || !self.waiting.is_empty() {
                break;
            }
        }
        self.from = self.from.max(at.earlier(overlap));
        self.told = self.told.split_off(&self.from);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::{Value, json};

    use crate::testing::{Rig, received};

    #[tokio::test]
    async fn what_happens_is_told_as_it_happens_and_nothing_from_before() {
        let rig = Rig::new().await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let mut stream = rig.get("/events").open().await;
        rig.database.commit_inbound(runner.fence("shop"), vec![received("AAA", "halo")]).await.unwrap();
        rig.hint_events();
        let message = stream.next().await.unwrap();
        assert_eq!((message.name.as_str(), &message.data["message"]), ("message", &json!("halo")));
        assert!(message.id.starts_with("evt_"), "{}", message.id);
        runner.moves("shop", SessionState::Reconnecting).await;
        rig.hint_events();
        let state = stream.next().await.unwrap();
        assert_eq!((state.name.as_str(), &state.data["state"]), ("session", &json!("reconnecting")));
        assert!(message.id < state.id);
    }

    #[tokio::test]
    async fn a_listener_goes_on_where_it_was() {
        let rig = Rig::new().await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).send().await;
        let mut stream = rig.get("/events").open().await;
        let texts: Vec<_> = (0..450).map(|n| received(&format!("A{n:04}"), &format!("{n}"))).collect();
        rig.database.commit_inbound(runner.fence("shop"), texts).await.unwrap();
        rig.hint_events();
        let mut heard = Vec::new();
        let mut last = String::new();
        for _ in 0..150 {
            let event = stream.next().await.unwrap();
            heard.push(event.data["message"].clone());
            last = event.id;
        }
        drop(stream);
        let mut stream = rig.get("/events").header("last-event-id", &last).open().await;
        for _ in 150..300 {
            let event = stream.next().await.unwrap();
            heard.push(event.data["message"].clone());
            last = event.id;
        }
        let mut stream = rig.get(&format!("/events?last_event_id={last}")).open().await;
        for _ in 300..450 {
            heard.push(stream.next().await.unwrap().data["message"].clone());
        }
        let expected: Vec<Value> = (0..450).map(|n| json!(n.to_string())).collect();
        assert_eq!(heard, expected, "each once, in order");
    }

    #[tokio::test]
    async fn users_hear_of_their_own_sessions_and_an_admin_of_all() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let (mut admins, mut annas) =
            (rig.get("/events").open().await, rig.get("/events").by(&anna).open().await);
        let mut bobs = rig.get("/events").by(&bob).open().await;
        rig.session_of(&anna, "anna_shop").await;
        rig.session_of(&bob, "bob_shop").await;
        rig.hint_events_of(&anna);
        rig.hint_events_of(&bob);
        assert_eq!(annas.next().await.unwrap().data["session"], "anna_shop");
        assert_eq!(bobs.next().await.unwrap().data["session"], "bob_shop");
        for name in ["anna_shop", "bob_shop"] {
            assert_eq!(admins.next().await.unwrap().data["session"], name);
        }
    }

    #[tokio::test]
    async fn ids_that_are_none_are_refused() {
        let rig = Rig::new().await;
        for id in ["1", "evt_", "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"] {
            let answer = rig.get("/events").header("last-event-id", id).send().await;
            let words = "The last event's id is not one of this stream's";
            answer.fails(400, "invalid_last_event_id", words);
        }
        assert_eq!(rig.get("/events").anonymous().send().await.status, 401);
    }
}
