//! What the demo asks the gateway, over the same REST API as everybody else.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use egress::{BuildError, Client, EgressOptions, Policy, Request};
use http::{HeaderValue, Method, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "admin";

/// How much of an answer is read: the status of some ten thousand sessions.
const ANSWER_LIMIT: u64 = 8 * 1024 * 1024;

/// The gateway did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Setup(#[from] BuildError),
    #[error("the gateway cannot be asked: {0}")]
    Unreachable(#[from] egress::Error),
    #[error("the gateway answered {what} with {status}: {body}")]
    Refused { what: String, status: u16, body: String },
}

/// The gateway's REST API, as its admin.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    base: String,
    authorization: HeaderValue,
}

/// A session, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub name: String,
    pub state: String,
}

#[derive(Deserialize)]
struct Status {
    sessions: Vec<Session>,
}

impl Api {
    /// `base` is where the gateway is, such as <http://127.0.0.1:5001>.
    pub(crate) fn new(base: &str, password: &str) -> Result<Self, Error> {
        let credentials = BASE64_STANDARD.encode(format!("{USER}:{password}"));
        let authorization = HeaderValue::from_str(&format!("Basic {credentials}"));
        Ok(Self {
            client: Client::new(EgressOptions::default())?,
            base: base.trim_end_matches('/').to_owned(),
            authorization: authorization.unwrap_or_else(|_| HeaderValue::from_static("")),
        })
    }

    /// All sessions.
    pub(crate) async fn sessions(&self) -> Result<Vec<Session>, Error> {
        Ok(self.call::<Status>(Method::GET, "/status", None).await?.sessions)
    }

    /// Starts a session, or asks for its QR code again while it is on offer; `None` when there is nothing to scan.
    pub(crate) async fn qr(&self, session: &str) -> Result<Option<String>, Error> {
        let started: Value =
            self.call(Method::POST, "/session/start", Some(json!({"session": session}))).await?;
        Ok(started.get("qr").and_then(Value::as_str).map(str::to_owned))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        json: Option<Value>,
    ) -> Result<T, Error> {
        let what = format!("{method} {path}");
        let mut request = Request::new(Policy::Trusted, method, format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, self.authorization.clone())
            .limit(ANSWER_LIMIT);
        if let Some(json) = json {
            request = request
                .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(json.to_string());
        }
        let answer = self.client.request(request).await?;
        let refused = || Error::Refused {
            what,
            status: answer.status.as_u16(),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        };
        if !answer.status.is_success() {
            return Err(refused());
        }
        serde_json::from_slice(&answer.body).map_err(|_| refused())
    }
}
