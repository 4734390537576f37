//! One attempt: one request, and whatever comes of it as an [`Outcome`].

use std::{str::FromStr as _, time::Duration};

use bytes::Bytes;
use domain::{
    EndpointId, EventId, Timestamp, UserId,
    webhook::{ClaimedDelivery, Outcome},
};
use egress::{Policy, Request, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use telemetry::trace;
use tokio::time::Instant;
use url::Url;

use crate::{Sender, auth::Authorization, retry_after, signature};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("wa-gateway/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const KEY: HeaderName = HeaderName::from_static("key");
const TRACEPARENT: HeaderName = HeaderName::from_static(trace::TRACEPARENT);
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How many bytes of an answer are kept.
const KEPT: usize = 1024;

/// What is sent, and where.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    pub event: EventId,
    pub endpoint: EndpointId,
    /// Whose settings say how it authenticates.
    pub user: UserId,
    pub address: Url,
    /// The operator set the address: it may be a private one.
    pub trusted: bool,
    /// The endpoint's sealed signing secrets: the one in force, and the one before it while it signs as well.
    pub secrets: [Option<&'a [u8]>; 2],
    pub payload: &'a str,
}

/// What an attempt brought.
#[derive(Debug)]
pub struct Attempt {
    pub outcome: Outcome,
    /// The first bytes of the answer, or why there was none.
    pub answer: Option<String>,
    /// When it began.
    pub at: Timestamp,
    pub took: Duration,
}

/// What one request brought.
struct Exchange {
    outcome: Outcome,
    answer: Option<String>,
}

impl Attempt {
    /// The status of the answer, if there was one.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        status_of(&self.outcome)
    }
}

const fn status_of(outcome: &Outcome) -> Option<u16> {
    match outcome {
        Outcome::Delivered { status } | Outcome::Refused { status, .. } => Some(*status),
        Outcome::Gone => Some(StatusCode::GONE.as_u16()),
        Outcome::Unreachable { .. } => None,
    }
}

impl<'a> Outgoing<'a> {
    /// A delivery on its way; an error says what is wrong with its address.
    fn of(delivery: &'a ClaimedDelivery) -> Result<Self, String> {
        let endpoint = Url::from_str(&delivery.url).map_err(|error| format!("invalid URL: {error}"))?;
        Ok(Self {
            event: delivery.event,
            endpoint: delivery.endpoint,
            user: delivery.user,
            address: delivery.layout.address(&endpoint, delivery.kind),
            trusted: delivery.trusted,
            secrets: [delivery.secret.as_deref(), delivery.previous_secret.as_deref()],
            payload: &delivery.payload,
        })
    }
}

impl Sender {
    /// The time for one attempt.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Posts a delivery to its endpoint.
    pub async fn attempt(&self, delivery: &ClaimedDelivery) -> Attempt {
        match Outgoing::of(delivery) {
            Ok(outgoing) => self.send(&outgoing).await,
            Err(reason) => {
                let Exchange { outcome, answer } = unreachable(reason);
                Attempt { outcome, answer, at: self.0.clock.now(), took: Duration::ZERO }
            }
        }
    }

    /// Posts to an endpoint, within one deadline; once more with a new token when the one held is refused.
    pub async fn send(&self, outgoing: &Outgoing<'_>) -> Attempt {
        let at = self.0.clock.now();
        let began = Instant::now();
        let ends = began + self.0.timeout;
        let Exchange { outcome, answer } = self.authenticated(outgoing, at, ends).await;
        Attempt { outcome, answer, at, took: began.elapsed() }
    }

    async fn authenticated(&self, outgoing: &Outgoing<'_>, at: Timestamp, ends: Instant) -> Exchange {
        let authenticator = &self.0.authenticator;
        let authorization = match authenticator.authorize(outgoing.user, half_until(ends)).await {
            Ok(authorization) => authorization,
            Err(error) => return unreachable(format!("the webhook cannot be authenticated: {error}")),
        };
        let first = self.exchange(outgoing, &authorization, at, ends).await;
        if status_of(&first.outcome) != Some(StatusCode::UNAUTHORIZED.as_u16()) {
            return first.explained(&authorization);
        }
        let Some(renewed) =
            authenticator.after_refusal(outgoing.user, &authorization, half_until(ends)).await
        else {
            return first.explained(&authorization);
        };
        let second = self.exchange(outgoing, &renewed, at, ends).await;
        if status_of(&second.outcome) == Some(StatusCode::UNAUTHORIZED.as_u16()) {
            authenticator.renewal_was_fruitless(outgoing.user);
        }
        second.explained(&renewed)
    }

    async fn exchange(
        &self,
        outgoing: &Outgoing<'_>,
        authorization: &Authorization,
        at: Timestamp,
        ends: Instant,
    ) -> Exchange {
        let request = match self.request(outgoing, authorization, at) {
            Ok(request) => request.deadline(ends.saturating_duration_since(Instant::now())),
            Err(reason) => return unreachable(reason),
        };
        match self.0.client.request(request).await {
            // Counted from now: the answer may have come long after the request.
            Ok(response) => Exchange {
                outcome: outcome(response.status, &response.headers, self.0.clock.now()),
                answer: answer(&response),
            },
            Err(error) => unreachable(error.to_string()),
        }
    }

    fn request(
        &self,
        outgoing: &Outgoing<'_>,
        authorization: &Authorization,
        at: Timestamp,
    ) -> Result<Request, String> {
        let policy = if outgoing.trusted { Policy::Trusted } else { Policy::Public };
        let body = Bytes::copy_from_slice(outgoing.payload.as_bytes());
        let text = |text: String| HeaderValue::from_str(&text).map_err(|error| error.to_string());
        let mut request = Request::new(policy, Method::POST, outgoing.address.clone())
            .limit(self.0.answer_limit)
            .header(header::CONTENT_TYPE, JSON)
            .header(header::USER_AGENT, USER_AGENT)
            .header(WEBHOOK_ID, text(outgoing.event.to_string())?)
            .header(WEBHOOK_TIMESTAMP, HeaderValue::from(at.seconds()));
        if let Some(traceparent) = trace::current() {
            request = request.header(TRACEPARENT, text(traceparent)?);
        }
        if let Some(key) = &self.0.key {
            request = request.header(KEY, key.clone());
        }
        if let Some(value) = &authorization.header {
            request = request.header(header::AUTHORIZATION, value.clone());
        }
        let secrets = outgoing.secrets.iter().flatten().map(|sealed| self.open(outgoing.endpoint, sealed));
        let secrets = secrets.collect::<Result<Vec<_>, _>>()?;
        if !secrets.is_empty() {
            let signature = signature::sign(&secrets.join(" "), outgoing.event, at, &body)
                .map_err(|error| error.to_string())?;
            request = request.header(WEBHOOK_SIGNATURE, text(signature)?);
        }
        Ok(request.body(body))
    }

    fn open(&self, endpoint: EndpointId, sealed: &[u8]) -> Result<String, String> {
        let secret = self
            .0
            .keys
            .open(sealed, &storage::endpoint_secret_place(endpoint))
            .map_err(|error| format!("the endpoint's signing secret cannot be opened: {error}"))?;
        String::from_utf8(secret).map_err(|_| signature::InvalidSecret.to_string())
    }
}

impl Exchange {
    /// Says beside a failure that there was a problem with the token, too.
    fn explained(mut self, authorization: &Authorization) -> Self {
        if let Some(problem) = &authorization.problem
            && !matches!(self.outcome, Outcome::Delivered { .. })
        {
            let answer = self.answer.take().unwrap_or_default();
            self.answer = Some(format!("(no new OAuth2 token: {problem}) {answer}").trim_end().to_owned());
        }
        self
    }
}

/// Half of what is left: the other half is for the request.
fn half_until(ends: Instant) -> Duration {
    ends.saturating_duration_since(Instant::now()) / 2
}

fn unreachable(reason: String) -> Exchange {
    Exchange { outcome: Outcome::Unreachable { reason: reason.clone() }, answer: Some(reason) }
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
