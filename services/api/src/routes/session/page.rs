//! `GET /sessions`: the caller's sessions with what a list shows of them, a page at a time.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    RunnerId, Timestamp,
    session::{Session, SessionState},
    traffic::Counted,
    user::MAX_USERNAME_CHARS,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use storage::SessionFilter;
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    error::ProblemBody,
    fields::{Fields, Invalid, QueryFields},
    json,
    listing::{self, ListError, PageSize},
    state::ApiState,
};

const PAGE: PageSize = PageSize { usual: 100, most: 500 };

/// The most characters that are looked for.
const MAX_SEARCH_CHARS: usize = 128;

/// How long ago today can have begun: time zones are 14 hours ahead and 12 behind.
const LONGEST_DAY: Duration = Duration::from_hours(48);

const DAY: i64 = 86_400_000;

/// The word among the states for all that need a person.
const NEEDS_PERSON: &str = "needs_person";

/// A session in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedBody<'a> {
    #[schema(example = "shop")]
    name: &'a str,
    /// `stopped`, `pairing`, `connecting`, `connected`, `reconnecting`, `logged_out`, `replaced`, `banned`, `outdated`
    /// or `needs_passkey`.
    #[schema(value_type = String, example = "connected")]
    state: SessionState,
    /// Why it is in this state.
    reason: Option<&'a str>,
    /// Since when it is in this state.
    #[schema(example = "2026-11-22T19:36:11.5Z")]
    since: String,
    /// The linked phone number, digits only.
    #[schema(example = "628110000001")]
    phone_number: Option<&'a str>,
    /// Where this API has the profile picture of that number, if it shows one.
    #[schema(example = "/session/shop/picture")]
    picture: Option<String>,
    /// Messages that were accepted today to be sent.
    #[schema(example = 120)]
    sent_today: u64,
    /// Messages that came in today.
    #[schema(example = 80)]
    received_today: u64,
    /// When the last message came in or went out.
    last_message_at: Option<String>,
    /// Waiting does not help: a person must act, most often with the phone.
    needs_person: bool,
    /// What that person, or the one who waits, can do.
    #[schema(example = "Open WhatsApp on the phone, then Linked devices, and scan the code.")]
    advice: Option<&'static str>,
    /// Whose it is; told to admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionPage<'a> {
    data: Vec<ListedBody<'a>>,
    /// For the next page; null on the last one.
    next_cursor: Option<&'a str>,
    /// How many match, on all pages.
    #[schema(example = 1000)]
    total: u64,
}

impl<'a> ListedBody<'a> {
    fn of(session: &'a Session, user: Option<&'a str>, today: Counted) -> Self {
        let picture = session
            .phone
            .is_some()
            .then(|| format!("/session/{}/picture", utf8_percent_encode(&session.name, NON_ALPHANUMERIC)));
        Self {
            name: &session.name,
            state: session.state,
            reason: session.reason.as_deref(),
            since: session.since.to_rfc3339(),
            phone_number: session.phone.as_deref(),
            picture,
            sent_today: today.sent,
            received_today: today.received,
            last_message_at: session.last_message_at.map(Timestamp::to_rfc3339),
            needs_person: session.state.needs_person(),
            advice: advice(session),
            user,
        }
    }
}

/// One sentence for whoever sees a session that is not as it should be.
const fn advice(session: &Session) -> Option<&'static str> {
    use SessionState as S;
    match session.state {
        S::Connected | S::Connecting => None,
        S::Pairing => Some("Open WhatsApp on the phone, then Linked devices, and scan the code."),
        S::Reconnecting => Some("Nothing to do: it tries again by itself."),
        S::Stopped if session.credentials_present => Some("Start it: it connects without a scan."),
        S::Stopped => Some("Start it and scan the code with the phone."),
        S::LoggedOut => Some("The phone removed the link: start it again and scan the code."),
        S::Replaced => Some("Another program uses the same link: stop that one, then restart this session."),
        S::Banned => {
            Some("WhatsApp refuses this number: look into WhatsApp on the phone, then restart the session.")
        }
        S::Outdated => Some("WhatsApp no longer accepts this version: update the gateway."),
        S::NeedsPasskey => Some("Confirm the link on the phone with its passkey."),
    }
}

/// Your sessions with what a list shows of them, by name; an admin sees everybody's.
#[utoipa::path(
    get, path = "/sessions", tag = "session", operation_id = "pageSessions",
    params(
        ("search" = Option<String>, Query, description = "A part of the name or of the number, in any case",
            example = "shop"),
        ("state" = Option<String>, Query, description = "States, separated by commas; `needs_person` stands for all \
            in which a person must act", example = "connected"),
        ("user" = Option<String>, Query, description = "The name of whose they are", example = "anna"),
        ("runner" = Option<String>, Query, description = "The id of the runner that holds them now"),
        ("today_from" = Option<String>, Query, description = "When today began where the reader is, at most 48 hours \
            ago: RFC 3339, or milliseconds since 1970; midnight UTC when it is left out"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 100 when it is left out", example = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of them", body = SessionPage, example = json!({"data": [{
            "name": "shop", "state": "connected", "reason": null, "since": "2026-11-22T19:36:11.5Z",
            "phone_number": "628110000001", "picture": "/session/shop/picture", "sent_today": 120,
            "received_today": 80, "last_message_at": "2026-11-22T20:01:00Z", "needs_person": false, "advice": null,
            "user": "admin"}], "next_cursor": null, "total": 1})),
        (status = 400, description = "A filter that is none", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    QueryFields(fields): QueryFields,
) -> Result<Response, ListError> {
    let filter = SessionFilter {
        user: caller.scope(),
        username: fields.optional_text_up_to("user", MAX_USERNAME_CHARS)?,
        search: fields.optional_text_up_to("search", MAX_SEARCH_CHARS)?,
        states: states(&fields)?,
        runner: runner(&fields)?,
    };
    let today = today(&fields, state.clock.now())?;
    let limit = PAGE.read(&fields)?;
    let after = fields.optional_text_up_to("cursor", domain::session::MAX_NAME_CHARS)?;
    let after = after.filter(|name| !name.contains('\0'));
    let listed = state.database.session_page(&filter, after.as_deref(), limit).await?;
    let total = state.database.count_sessions(&filter).await?;
    let ids: Vec<_> = listed.iter().map(|listed| listed.session.id).collect();
    let traffic = state.database.traffic_since(&ids, today).await?;
    let data = listed.iter().map(|listed| {
        let today = traffic.get(&listed.session.id).copied().unwrap_or_default();
        let user = caller.is_admin.then_some(&*listed.username);
        ListedBody::of(&listed.session, user, today)
    });
    let next_cursor = listing::last_of_full(&listed, limit).map(|last| &*last.session.name);
    Ok(json::answer(StatusCode::OK, &SessionPage { data: data.collect(), next_cursor, total }))
}

/// The states that are asked for; none stands for all.
fn states(fields: &Fields) -> Result<Vec<SessionState>, Invalid> {
    let mut wanted = Vec::new();
    for word in fields.optional_texts("state", SessionState::ALL.len() + 1)? {
        match SessionState::parse(&word) {
            Some(state) => wanted.push(state),
            None if word == NEEDS_PERSON => {
                wanted.extend(SessionState::ALL.iter().filter(|state| state.needs_person()));
            }
            None if word.is_empty() => {}
            None => return Err(fields.unfit("Expected states of sessions".to_owned(), "state")),
        }
    }
    Ok(wanted)
}

/// The runner that is asked for; one that is gone holds nothing.
fn runner(fields: &Fields) -> Result<Option<RunnerId>, Invalid> {
    let invalid = |_| fields.unfit("Expected the id of a runner".to_owned(), "runner");
    fields.optional_text("runner")?.map(|id| id.parse().map_err(invalid)).transpose()
}

/// When today began.
fn today(fields: &Fields, now: Timestamp) -> Result<Timestamp, Invalid> {
    let midnight = Timestamp(now.0 - now.0.rem_euclid(DAY));
    let from = fields.time_if_any("today_from")?.unwrap_or(midnight);
    if now.since(from) > LONGEST_DAY {
        return Err(fields.unfit("Today began at most 48 hours ago".to_owned(), "today_from"));
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::session::SessionState as S;
    use serde_json::{Value, json};

    use crate::testing::{Rig, received};

    fn names(page: &Value) -> Vec<&str> {
        page["data"].as_array().unwrap().iter().map(|session| session["name"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_list_says_what_is_worth_knowing() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).by(&anna).send().await;
        let order = json!({"session": "shop", "to": "62811", "text": "hi"});
        for _ in 0..2 {
            rig.post("/message/send-text", &order).by(&anna).send().await;
        }
        rig.database.commit_inbound(runner.fence("anna_shop"), vec![received("AAA", "halo")]).await.unwrap();
        let now = rig.now().to_rfc3339();
        let page = rig.get("/sessions").by(&anna).send().await.json();
        let expected = json!({
            "name": "anna_shop", "state": "connected", "reason": null, "since": now, "phone_number": "49170",
            "picture": "/session/anna%5Fshop/picture", "sent_today": 2, "received_today": 1, "last_message_at": now,
            "needs_person": false, "advice": null
        });
        assert_eq!(page, json!({"data": [expected], "next_cursor": null, "total": 1}));
        let seen = rig.get("/sessions").send().await.json();
        assert_eq!(seen["data"][0]["user"], "anna", "told to an admin");
        let later = (rig.now() + Duration::from_secs(1)).0;
        let none = rig.get(&format!("/sessions?today_from={later}")).by(&anna).send().await.json();
        assert_eq!(
            (&none["data"][0]["sent_today"], &none["data"][0]["received_today"]),
            (&json!(0), &json!(0))
        );
        runner.moves("anna_shop", S::LoggedOut).await;
        let down = rig.get("/sessions").by(&anna).send().await.json()["data"][0].clone();
        assert_eq!(down["needs_person"], true);
        assert!(down["advice"].as_str().unwrap().contains("scan the code"), "{down}");
    }

    #[tokio::test]
    async fn pages_and_filters_keep_to_the_callers_own() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        for name in ["anna_a", "anna_b", "anna_c"] {
            rig.session_of(&anna, name).await;
        }
        rig.session_of(&bob, "bob_a").await;
        let first = rig.get("/sessions?limit=2").by(&anna).send().await.json();
        assert_eq!((names(&first), &first["total"]), (vec!["anna_a", "anna_b"], &json!(3)));
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = rig.get(&format!("/sessions?limit=2&cursor={cursor}")).by(&anna).send().await.json();
        assert_eq!((names(&rest), &rest["next_cursor"]), (vec!["anna_c"], &json!(null)));
        let list = async |query: &str| rig.get(&format!("/sessions?{query}")).by(&anna).send().await.json();
        assert_eq!(names(&list("search=_B").await), ["anna_b"]);
        assert!(names(&list("user=bob").await).is_empty() && names(&list("search=bob").await).is_empty());
        assert!(names(&list("state=connected,needs_person").await).is_empty());
        assert_eq!(names(&list("state=connecting").await).len(), 3);
        let all = rig.get("/sessions?user=bob").send().await.json();
        assert_eq!(names(&all), ["bob_a"]);
        let runner = rig.idle_runner("test").await;
        let taken = rig.database.claim_sessions(runner, 2).await.unwrap().len();
        let held = rig.get(&format!("/sessions?runner={runner}")).send().await.json();
        assert_eq!((held["total"].as_u64(), taken), (Some(2), 2), "{held}");
        for (query, words) in [
            ("limit=501", "Number must be less than or equal to 500 field 'limit' on query"),
            ("state=green", "Expected states of sessions field 'state' on query"),
            ("runner=mine", "Expected the id of a runner field 'runner' on query"),
            ("today_from=0", "Today began at most 48 hours ago field 'today_from' on query"),
            ("today_from=x", "Expected a time such as 2026-11-22T19:36:11Z field 'today_from' on query"),
        ] {
            let answer = rig.get(&format!("/sessions?{query}")).by(&anna).send().await;
            answer.fails(400, "invalid_field", words);
        }
    }
}
