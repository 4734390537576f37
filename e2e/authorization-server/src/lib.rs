//! An OAuth2 authorization server for tests, which checks what a real one checks (RFC 6749, RFC 7636): the client's
//! id and secret, that they come in the body of a form, codes that work once, for their redirect URI and with
//! PKCE's verifier, and refresh tokens that are used up by the next one. A test can make it slow, make it refuse,
//! and ask it whether a token is good.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, task::JoinSet};
use url::{Url, form_urlencoded};

/// The client that it knows.
pub const CLIENT_ID: &str = "gateway";
/// That client's secret; it has characters that must be escaped in a form.
pub const CLIENT_SECRET: &str = "s3cret & more=";
/// The scope that the client may ask for.
pub const SCOPE: &str = "hooks:write";

/// How it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Behaviour {
    /// What it says in `expires_in`, in seconds; `None`: nothing.
    pub lifetime: Option<u64>,
    /// It gives a refresh token with every token.
    pub refresh_tokens: bool,
    /// A refresh token is used up by the next one; otherwise it stays, and none comes back.
    pub rotates: bool,
    /// It says no to refresh tokens.
    pub refuses_refresh: bool,
    /// It says no to everything.
    pub refuses: bool,
    /// It answers after this time.
    pub delay: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            lifetime: Some(3600),
            refresh_tokens: false,
            rotates: true,
            refuses_refresh: false,
            refuses: false,
            delay: Duration::ZERO,
        }
    }
}

/// A request that came in, by its form.
pub type Form = HashMap<String, String>;

struct Code {
    redirect_uri: String,
    challenge: Option<String>,
}

#[derive(Default)]
struct Inner {
    behaviour: Behaviour,
    requests: Vec<Form>,
    codes: HashMap<String, Code>,
    refresh_tokens: Vec<String>,
    /// Access tokens and when they end.
    access_tokens: HashMap<String, Option<Instant>>,
    issued: usize,
}

/// A server that runs as long as this value lives.
pub struct AuthorizationServer {
    /// Its token endpoint.
    pub token_url: String,
    /// Where a person would be sent.
    pub authorize_url: String,
    inner: Arc<Mutex<Inner>>,
    _server: JoinSet<()>,
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AuthorizationServer {
    /// Starts one on 127.0.0.1.
    ///
    /// # Panics
    /// When there is no free port.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let inner = Arc::<Mutex<Inner>>::default();
        let router = Router::new().route("/token", post(token)).with_state(Arc::clone(&inner));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            token_url: format!("http://{address}/token"),
            authorize_url: format!("http://{address}/authorize"),
            inner,
            _server: server,
        }
    }

    /// Changes how it behaves.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.inner).behaviour);
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Form> {
        lock(&self.inner).requests.clone()
    }

    /// How often it was asked with this `grant_type`.
    #[must_use]
    pub fn asked(&self, grant: &str) -> usize {
        let is = |form: &&Form| form.get("grant_type").is_some_and(|asked| asked == grant);
        lock(&self.inner).requests.iter().filter(is).count()
    }

    /// How many access tokens it has given.
    #[must_use]
    pub fn issued(&self) -> usize {
        lock(&self.inner).issued
    }

    /// Whether an `Authorization` header carries a token of its own that is still good.
    #[must_use]
    pub fn accepts(&self, authorization: &str) -> bool {
        let Some(token) = authorization.strip_prefix("Bearer ") else { return false };
        match lock(&self.inner).access_tokens.get(token) {
            Some(Some(end)) => Instant::now() < *end,
            Some(None) => true,
            None => false,
        }
    }

    /// Takes back every access token.
    pub fn revoke_all(&self) {
        lock(&self.inner).access_tokens.clear();
    }

    /// A person says yes at the authorization endpoint: the code that the client gets.
    #[must_use]
    pub fn code(&self, redirect_uri: &str, challenge: Option<&str>) -> String {
        let code = random("code");
        let stands_for =
            Code { redirect_uri: redirect_uri.to_owned(), challenge: challenge.map(str::to_owned) };
        lock(&self.inner).codes.insert(code.clone(), stands_for);
        code
    }

    /// A person visits the URL that the client sent them to, and says yes: the code and the state that come back.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn visit(&self, url: &str) -> Result<(String, String), String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        let expected = Url::parse(&self.authorize_url).map_err(|error| error.to_string())?;
        if url.origin() != expected.origin() || url.path() != expected.path() {
            return Err(format!("{url} is not {expected}"));
        }
        let query: Form = url.query_pairs().into_owned().collect();
        let field = |name: &str| query.get(name).cloned().ok_or(format!("{name} is missing"));
        let fixed = [("response_type", "code"), ("client_id", CLIENT_ID), ("code_challenge_method", "S256")];
        for (name, value) in fixed {
            if field(name)? != value {
                return Err(format!("{name} is {}", field(name)?));
            }
        }
        let code = self.code(&field("redirect_uri")?, Some(&field("code_challenge")?));
        Ok((code, field("state")?))
    }
}

type Answer = (StatusCode, Json<Value>);

fn refuse(error: &str) -> Answer {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error, "error_description": "the tests' server says no"})))
}

async fn token(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, body: String) -> Answer {
    let form: Form = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let delay = {
        let mut inner = lock(&inner);
        inner.requests.push(form.clone());
        inner.behaviour.delay
    };
    tokio::time::sleep(delay).await;
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form || headers.contains_key(header::AUTHORIZATION) {
        return refuse("invalid_request");
    }
    let mut inner = lock(&inner);
    match inner.check(&form) {
        Ok(()) => inner.issue(),
        Err(error) => refuse(error),
    }
}

impl Inner {
    /// Whether a request is entitled to a token; uses up what works once.
    fn check(&mut self, form: &Form) -> Result<(), &'static str> {
        let field = |name: &str| form.get(name).map(String::as_str);
        if field("client_id") != Some(CLIENT_ID) || field("client_secret") != Some(CLIENT_SECRET) {
            return Err("invalid_client");
        }
        if self.behaviour.refuses {
            return Err("access_denied");
        }
        match field("grant_type") {
            Some("client_credentials") => match field("scope") {
                None | Some(SCOPE) => Ok(()),
                Some(_) => Err("invalid_scope"),
            },
            Some("authorization_code") => {
                let code =
                    self.codes.remove(field("code").ok_or("invalid_request")?).ok_or("invalid_grant")?;
                if field("redirect_uri").is_some_and(|uri| uri != code.redirect_uri) {
                    return Err("invalid_grant");
                }
                match (code.challenge, field("code_verifier")) {
                    (None, None) => Ok(()),
                    (Some(challenge), Some(verifier)) if challenge == hashed(verifier) => Ok(()),
                    _ => Err("invalid_grant"),
                }
            }
            Some("refresh_token") => {
                if self.behaviour.refuses_refresh {
                    return Err("invalid_grant");
                }
                let token = field("refresh_token").ok_or("invalid_request")?;
                let place =
                    self.refresh_tokens.iter().position(|known| known == token).ok_or("invalid_grant")?;
                if self.behaviour.rotates {
                    self.refresh_tokens.remove(place);
                }
                Ok(())
            }
            _ => Err("unsupported_grant_type"),
        }
    }

    fn issue(&mut self) -> Answer {
        let access = random("access");
        let end = self.behaviour.lifetime.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        self.access_tokens.insert(access.clone(), end);
        self.issued += 1;
        let mut answer = json!({"access_token": access, "token_type": "Bearer"});
        if let Some(seconds) = self.behaviour.lifetime {
            answer["expires_in"] = seconds.into();
        }
        if self.behaviour.refresh_tokens && (self.behaviour.rotates || self.refresh_tokens.is_empty()) {
            let refresh = random("refresh");
            answer["refresh_token"] = refresh.clone().into();
            self.refresh_tokens.push(refresh);
        }
        (StatusCode::OK, Json(answer))
    }
}

/// PKCE's challenge for a verifier.
fn hashed(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn random(what: &str) -> String {
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    format!("{what}-{}", URL_SAFE_NO_PAD.encode(bytes))
}
