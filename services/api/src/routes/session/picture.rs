//! `GET /session/{name}/picture`: the profile picture of the session's number.

use std::time::Duration;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bus::messages::{SessionCommand, SessionReply};
use bytes::Bytes;
use domain::{SessionId, session::Session};
use egress::{Policy, Request};
use media::FileType;
use moka::{future::Cache, sync::Cache as SyncCache};

use crate::{
    access::{self, PathName},
    asking,
    auth::Caller,
    error::{Problem, ProblemBody},
    state::ApiState,
};

/// How long WhatsApp may take, and how long its media host.
const WAIT: Duration = Duration::from_secs(10);
const DOWNLOAD: Duration = Duration::from_secs(10);

/// The largest picture; WhatsApp's are some dozen KiB.
const LARGEST: u64 = 1 << 20;

/// What pictures take up in memory, at most.
const MEMORY: u64 = 32 << 20;

/// How long a picture, or that there is none, is remembered.
const REMEMBERED: Duration = Duration::from_hours(1);

/// How long nobody asks again after a refusal.
const PAUSE: Duration = Duration::from_mins(2);

/// What counts for an entry besides its picture.
const ENTRY: u32 = 256;

/// The picture of one who is signed in is nobody else's.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=3600");

/// A picture and its type; `None` when the number shows none.
type Picture = Option<(Bytes, HeaderValue)>;

/// Pictures that were fetched, by session and number.
pub(crate) struct Pictures {
    found: Cache<(SessionId, String), Picture>,
    /// Sessions through which WhatsApp or its media host was asked in vain: a list would ask again and again.
    refused: SyncCache<SessionId, ()>,
}

impl Default for Pictures {
    fn default() -> Self {
        let weight = |_: &(SessionId, String), picture: &Picture| {
            let bytes = picture.as_ref().map_or(0, |(bytes, _)| bytes.len());
            u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(ENTRY)
        };
        Self {
            found: Cache::builder().max_capacity(MEMORY).weigher(weight).time_to_live(REMEMBERED).build(),
            refused: SyncCache::builder().max_capacity(100_000).time_to_live(PAUSE).build(),
        }
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("There is no profile picture")]
    None,
    #[error("The profile picture cannot be fetched now")]
    NotNow,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // A list asks for many of these, and shows something else: neither is a failure of the request.
        Self::new(StatusCode::NOT_FOUND, "no_picture", error.to_string())
    }
}

/// The profile picture of the session's number, as this session sees it. Asked of WhatsApp once an hour.
#[utoipa::path(
    get, path = "/session/{name}/picture", tag = "session", operation_id = "sessionPicture",
    params(("name" = String, Path, description = "The session", example = "shop")),
    responses(
        (status = 200, description = "The picture", content_type = "image/jpeg", body = Vec<u8>),
        (status = 404, description = "There is none, it cannot be fetched now, or you have no such session",
            body = ProblemBody, example = json!({"message": "There is no profile picture", "code": "no_picture"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: PathName,
) -> Result<Response, Problem> {
    let session = access::visible(&state.database, &caller, name).await.map_err(Problem::from)?;
    let number = session.phone.clone().ok_or(Error::None)?;
    // Those who ask for the same one at the same time wait for one answer.
    let fetch = fetch(&state, &session, &number);
    let found = state.pictures.found.try_get_with((session.id, number.clone()), fetch).await;
    let (bytes, kind) = found.map_err(|error| (*error).clone())?.ok_or(Error::None)?;
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, CACHE);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    Ok(response)
}

/// Asks WhatsApp where the picture is, and fetches it from there.
async fn fetch(state: &ApiState, session: &Session, number: &str) -> Result<Picture, Error> {
    if !session.connected() || state.pictures.refused.contains_key(&session.id) {
        return Err(Error::NotNow);
    }
    let asked = ask(state, session, number).await;
    if asked.is_err() {
        state.pictures.refused.insert(session.id, ());
    }
    asked
}

async fn ask(state: &ApiState, session: &Session, number: &str) -> Result<Picture, Error> {
    let command = SessionCommand::Profile { jid: format!("{number}@s.whatsapp.net") };
    let url = match asking::ask(state, session, &command, WAIT).await {
        Ok(SessionReply::Profile { profile }) => profile.and_then(|profile| profile.picture_url),
        Ok(reply) => {
            asking::unexpected(session, &reply);
            return Err(Error::NotNow);
        }
        Err(error) => {
            tracing::debug!(session.id = %session.id, %error, "a profile picture was not asked for");
            return Err(Error::NotNow);
        }
    };
    let Some(url) = url else { return Ok(None) };
    let request = Request::new(Policy::Public, Method::GET, url).deadline(DOWNLOAD).limit(LARGEST);
    let answer = state.egress.request(request).await.map_err(|error| {
        tracing::warn!(session.id = %session.id, %error, "a profile picture was not fetched");
        Error::NotNow
    })?;
    if !answer.status.is_success() || answer.truncated {
        return Err(Error::NotNow);
    }
    // Its content decides what it is, and only pictures are passed on.
    let kind = FileType::of_any(&answer.body).mime_type;
    let picture = ["image/jpeg", "image/png", "image/webp"].into_iter().find(|known| *known == kind);
    Ok(picture.map(|kind| (answer.body, HeaderValue::from_static(kind))))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{Router, extract::State, routing::get};
    use bus::messages::Profile;
    use domain::session::SessionState;
    use tokio::{net::TcpListener, task::JoinSet};

    use crate::testing::Rig;

    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9";

    /// A media host that counts.
    async fn host(content: &'static [u8]) -> (String, Arc<AtomicUsize>, JoinSet<()>) {
        async fn serve(State((asked, content)): State<(Arc<AtomicUsize>, &'static [u8])>) -> &'static [u8] {
            asked.fetch_add(1, Ordering::SeqCst);
            content
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v/picture", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let router = Router::new().route("/v/picture", get(serve)).with_state((Arc::clone(&asked), content));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (url, asked, server)
    }

    #[tokio::test]
    async fn it_is_fetched_once_and_stays_when_the_session_goes_off_line() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        let (url, asked, _server) = host(JPEG).await;
        runner.shows_profile(Some(Profile { picture_url: Some(url), status: None }));
        let picture = || rig.get("/session/shop/picture");
        assert_eq!(picture().bytes().await, JPEG);
        runner.moves("shop", SessionState::Reconnecting).await;
        assert_eq!(picture().bytes().await, JPEG);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let anna = rig.user("anna").await;
        let foreign = picture().by(&anna).send().await;
        foreign.fails(404, "session_not_found", "Session does not exist");
    }

    #[tokio::test]
    async fn what_is_none_and_what_is_no_picture_is_not_shown() {
        let rig = Rig::new().await;
        rig.session("new").await;
        let none = "There is no profile picture";
        rig.get("/session/new/picture").send().await.fails(404, "no_picture", none);
        let runner = rig.linked("shop").await;
        runner.shows_profile(Some(Profile { picture_url: None, status: None }));
        rig.get("/session/shop/picture").send().await.fails(404, "no_picture", none);
        let (url, _, _server) = host(b"<html><script>alert(1)</script>").await;
        rig.post("/session/start", &serde_json::json!({"session": "other"})).send().await;
        runner.shows_profile(Some(Profile { picture_url: Some(url), status: None }));
        rig.get("/session/other/picture").send().await.fails(404, "no_picture", none);
        rig.post("/session/start", &serde_json::json!({"session": "third"})).send().await;
        runner.shows_profile(Some(Profile { picture_url: Some("http://10.0.0.1/x".into()), status: None }));
        let blocked = rig.get("/session/third/picture").send().await;
        blocked.fails(404, "no_picture", "The profile picture cannot be fetched now");
    }
}
