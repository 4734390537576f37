//! One attempt: one request, and whatever comes of it as an [`Outcome`].

use std::{str::FromStr as _, time::Duration};

use bytes::Bytes;
use domain::{
    SharedClock, Timestamp,
    webhook::{ClaimedDelivery, Outcome},
};
use egress::{Policy, Request, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use secrets::KeyRing;
use tokio::time::Instant;
use url::Url;

use crate::{Parts, Settings, retry_after, signature};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("wa-gateway/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const KEY: HeaderName = HeaderName::from_static("key");
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How many bytes of an answer are kept.
const KEPT: usize = 1024;

/// What an attempt brought.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub outcome: Outcome,
    /// The first bytes of the answer, or why there was none.
    pub answer: Option<String>,
    /// When it began.
    pub at: Timestamp,
    pub took: Duration,
}

impl Attempt {
    /// The status of the answer, if there was one.
    pub(crate) const fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Delivered { status } | Outcome::Refused { status, .. } => Some(status),
            Outcome::Gone => Some(StatusCode::GONE.as_u16()),
            Outcome::Unreachable { .. } => None,
        }
    }
}

/// Makes attempts.
pub(crate) struct Sender {
    client: egress::Client,
    keys: KeyRing,
    clock: SharedClock,
    key: Option<HeaderValue>,
    timeout: Duration,
    answer_limit: u64,
}

impl Sender {
    pub(crate) fn new(parts: &Parts, settings: &Settings, key: Option<HeaderValue>) -> Self {
        Self {
            client: parts.egress.clone(),
            keys: parts.keys.clone(),
            clock: parts.clock.clone(),
            key,
            timeout: settings.timeout,
            answer_limit: settings.answer_limit,
        }
    }

    /// Posts a delivery to its endpoint.
    pub(crate) async fn attempt(&self, delivery: &ClaimedDelivery) -> Attempt {
        let at = self.clock.now();
        let began = Instant::now();
        let (outcome, answer) = match self.request(delivery, at) {
            Ok(request) => match self.client.request(request).await {
                Ok(response) => {
                    // Counted from now: the answer may have come long after the request.
                    (outcome(response.status, &response.headers, self.clock.now()), answer(&response))
                }
                Err(error) => unreachable(error.to_string()),
            },
            Err(reason) => unreachable(reason),
        };
        Attempt { outcome, answer, at, took: began.elapsed() }
    }

    fn request(&self, delivery: &ClaimedDelivery, at: Timestamp) -> Result<Request, String> {
        let endpoint = Url::from_str(&delivery.url).map_err(|error| format!("invalid URL: {error}"))?;
        let address = delivery.layout.address(&endpoint, delivery.kind);
        let policy = if delivery.trusted { Policy::Trusted } else { Policy::Public };
        let body = Bytes::from(delivery.payload.clone());
        let text = |text: String| HeaderValue::from_str(&text).map_err(|error| error.to_string());
        let mut request = Request::new(policy, Method::POST, address)
            .deadline(self.timeout)
            .limit(self.answer_limit)
            .header(header::CONTENT_TYPE, JSON)
            .header(header::USER_AGENT, USER_AGENT)
            .header(WEBHOOK_ID, text(delivery.event.to_string())?)
            .header(WEBHOOK_TIMESTAMP, HeaderValue::from(at.seconds()));
        if let Some(key) = &self.key {
            request = request.header(KEY, key.clone());
        }
        if let Some(sealed) = &delivery.secret {
            let secrets = self.open(delivery, sealed)?;
            let signature =
                signature::sign(&secrets, delivery.event, at, &body).map_err(|error| error.to_string())?;
            request = request.header(WEBHOOK_SIGNATURE, text(signature)?);
        }
        Ok(request.body(body))
    }

    fn open(&self, delivery: &ClaimedDelivery, sealed: &[u8]) -> Result<String, String> {
        let place = storage::endpoint_secret_place(delivery.endpoint);
        let secret = self
            .keys
            .open(sealed, &place)
            .map_err(|error| format!("the endpoint's signing secret cannot be opened: {error}"))?;
        String::from_utf8(secret).map_err(|_| signature::InvalidSecret.to_string())
    }
}

fn unreachable(reason: String) -> (Outcome, Option<String>) {
    (Outcome::Unreachable { reason: reason.clone() }, Some(reason))
}

/// What an answer means.
fn outcome(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Outcome {
    if status.is_success() {
        return Outcome::Delivered { status: status.as_u16() };
    }
    if status == StatusCode::GONE {
        return Outcome::Gone;
    }
    let retry_after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    Outcome::Refused {
        status: status.as_u16(),
        retry_after: retry_after.and_then(|value| retry_after::parse(value, now)),
    }
}

/// What is kept of an answer, as text that both databases can store.
fn answer(response: &Response) -> Option<String> {
    if response.status.is_redirection() {
        let location =
            response.headers.get(header::LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()));
        return Some(format!("redirects are not followed (to {})", location.unwrap_or("nowhere".into())));
    }
    let first = response.body.get(..KEPT).unwrap_or(&response.body);
    (!first.is_empty()).then(|| String::from_utf8_lossy(first).replace('\0', "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_a_meaning() {
        let refused = |status, seconds: Option<u64>| Outcome::Refused {
            status,
            retry_after: seconds.map(Duration::from_secs),
        };
        let table = [
            (200, None, Outcome::Delivered { status: 200 }),
            (204, Some("5"), Outcome::Delivered { status: 204 }),
            (410, None, Outcome::Gone),
            (301, None, refused(301, None)),
            (304, None, refused(304, None)),
            (404, None, refused(404, None)),
            (429, Some("60"), refused(429, Some(60))),
            (503, Some("Thu, 01 Jan 1970 00:01:10 GMT"), refused(503, Some(60))),
            (500, Some("soon"), refused(500, None)),
        ];
        for (status, retry_after, expected) in table {
            let headers = retry_after.map(|value| (header::RETRY_AFTER, HeaderValue::from_static(value)));
            let status = StatusCode::from_u16(status).unwrap();
            let meaning = outcome(status, &headers.into_iter().collect(), Timestamp(10_000));
            assert_eq!(meaning, expected, "{status} {retry_after:?}");
        }
    }

    #[test]
    fn what_is_kept_of_an_answer_is_short_text() {
        let response = |status, body: &'static [u8]| Response {
            status,
            headers: [(header::LOCATION, HeaderValue::from_static("/there"))].into_iter().collect(),
            body: Bytes::from_static(body),
            truncated: false,
        };
        let table: [(StatusCode, &'static [u8], Option<&str>); 4] = [
            (StatusCode::OK, b"", None),
            (StatusCode::OK, b"thank you", Some("thank you")),
            (StatusCode::INTERNAL_SERVER_ERROR, b"a\0b\xffc", Some("a\u{fffd}b\u{fffd}c")),
            (StatusCode::FOUND, b"moved", Some("redirects are not followed (to /there)")),
        ];
        for (status, body, kept) in table {
            assert_eq!(answer(&response(status, body)).as_deref(), kept);
        }
        let long = Response { body: vec![b'x'; 5000].into(), ..response(StatusCode::OK, b"") };
        assert_eq!(answer(&long).map(|answer| answer.len()), Some(KEPT));
    }
}
