//! The gateway's REST API as its clients use it.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use egress::{EgressOptions, Error, Policy, Request};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

use crate::{PATIENCE, eventually};

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(40);
const ANSWER_LIMIT: u64 = 16 * 1024 * 1024;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the gateway answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub text: String,
    /// Null when the body is not JSON.
    pub json: Value,
}

impl Answer {
    /// A header's value, empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What went wrong, as a sentence for people; empty when nothing did.
    #[must_use]
    pub fn message(&self) -> &str {
        self.json["message"].as_str().unwrap_or_default()
    }
}

/// Somebody who calls the API of one gateway.
#[derive(Debug, Clone)]
pub struct Rest {
    client: egress::Client,
    base: String,
    authorization: Option<String>,
}

/// A request that is not sent yet.
#[derive(Debug)]
pub struct Call<'a> {
    rest: &'a Rest,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
}

impl Rest {
    /// The admin of the gateway on a port of this machine.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    #[must_use]
    pub fn admin(port: u16) -> Self {
        let client = egress::Client::new(EgressOptions::default()).expect("an HTTP client");
        Self { client, base: format!("http://127.0.0.1:{port}"), authorization: None }.login("admin", "admin")
    }

    /// The same gateway, called by somebody else.
    #[must_use]
    pub fn login(&self, user: &str, password: &str) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self { authorization: Some(format!("Basic {credentials}")), ..self.clone() }
    }

    /// The same gateway, called with this `Authorization` header, or with none.
    #[must_use]
    pub fn authorization(&self, value: Option<&str>) -> Self {
        Self { authorization: value.map(str::to_owned), ..self.clone() }
    }

    /// A request to a path.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call { rest: self, method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    /// `GET`, answered.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).answered().await
    }

    /// `POST` of JSON, answered.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path).json(&body).answered().await
    }

    /// Sends a text as a careful client does: again under the same key until it has an answer. Returns the message's
    /// id.
    pub async fn send(&self, session: &str, to: &str, text: &str, key: &str) -> String {
        let body = json!({"session": session, "to": to, "text": text});
        let answer = eventually("an answer to a text", PATIENCE, async || {
            let call = self.call(Method::POST, "/message/send-text").json(&body).idempotent(key);
            // No answer, and an honest "not now", are tried again; everything else is an answer.
            call.send().await.ok().filter(|answer| !matches!(answer.status, 500..=599))
        })
        .await;
        assert!(matches!(answer.status, 200 | 202), "{}: {}", answer.status, answer.text);
        let id = answer.json["data"]["key"]["id"].as_str().unwrap_or_default();
        assert!(!id.is_empty(), "a message that was accepted has an id: {}", answer.text);
        id.to_owned()
    }
}

impl Call<'_> {
    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sets the key under which a repeated request is the same request.
    #[must_use]
    pub fn idempotent(self, key: &str) -> Self {
        self.header(IDEMPOTENCY_KEY, key)
    }

    /// Sets a body of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets a form with text fields and a file.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)], file_name: &str, file: &[u8]) -> Self {
        const BOUNDARY: &str = "----a-boundary-that-no-file-has";
        let mut body = Vec::with_capacity(file.len() + 4096);
        for (name, value) in fields {
            let part =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        self.body(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    /// Sets any body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE, content_type)
    }

    /// Sends it; the error says why there is no answer.
    #[expect(clippy::expect_used, reason = "tests know what a header may be")]
    pub async fn send(self) -> Result<Answer, Error> {
        let url = format!("{}{}", self.rest.base, self.path);
        let mut request =
            Request::new(Policy::Trusted, self.method, url).deadline(DEADLINE).limit(ANSWER_LIMIT);
        let authorization = self.rest.authorization.clone().map(|value| (header::AUTHORIZATION, value));
        for (name, value) in self.headers.into_iter().chain(authorization) {
            request = request.header(name, HeaderValue::from_str(&value).expect("a header's value"));
        }
        if !self.body.is_empty() {
            request = request.body(self.body);
        }
        let response = self.rest.client.request(request).await?;
        Ok(Answer {
            status: response.status.as_u16(),
            headers: response.headers,
            text: String::from_utf8_lossy(&response.body).into_owned(),
            json: serde_json::from_slice(&response.body).unwrap_or_default(),
            bytes: response.body,
        })
    }

    /// Sends it to a gateway that should answer.
    ///
    /// # Panics
    /// When it does not.
    #[expect(clippy::expect_used, reason = "a gateway that does not answer ends the test")]
    pub async fn answered(self) -> Answer {
        self.send().await.expect("the gateway answers")
    }
}
