//! What is done to every request and every answer: CORS, request ids, panics, and the log line of what went wrong.
//! One layer instead of a stack of them: it is on the path of every request.

use std::{
    any::Any,
    borrow::Cow,
    panic::AssertUnwindSafe,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt as _;
use telemetry::{Value, metrics, trace};
use tracing::{Instrument as _, Span};

use crate::error::{Cause, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer request ids of callers are replaced by our own.
const LONGEST_REQUEST_ID: usize = 128;

const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,POST,DELETE,PATCH");

pub(crate) async fn edge(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = span(&request, route.as_ref());
    let response = answer(request, next, route.as_ref()).instrument(span.clone()).await;
    let status = response.status();
    trace::attribute(&span, "http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        trace::failed(&span, || status.to_string());
    }
    response
}

/// The trace goes on with the caller's, where there is one. Probes are no traces.
fn span(request: &Request, route: Option<&MatchedPath>) -> Span {
    let route = route.map_or("none", MatchedPath::as_str);
    if matches!(route, "/health" | "/ready") {
        return Span::none();
    }
    let method = word(request.method());
    let span = telemetry::span!(
        "server",
        "request",
        otel.name = format!("{method} {route}"),
        http.request.method = method,
        http.route = route
    );
    let parent = request.headers().get(trace::TRACEPARENT).and_then(|value| value.to_str().ok());
    trace::follow(&span, parent);
    span
}

async fn answer(request: Request, next: Next, route: Option<&MatchedPath>) -> Response {
    let id = request_id(request.headers());
    let method = request.method().clone();
    let uri = request.uri().clone();
    let began = Instant::now();
    let mut response = if method == Method::OPTIONS {
        preflight(request.headers())
    } else {
        AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Problem::internal(panic_message(&*panic)).into_response())
    };
    count(&method, route, response.status(), began.elapsed());
    note(&response, &id, &method, &uri);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    headers.insert(REQUEST_ID, id);
    response
}

/// Tells the log what failed. What is refused for a while and has no cause of its own is no fault.
fn note(response: &Response, id: &HeaderValue, method: &Method, uri: &Uri) {
    let status = response.status();
    if !status.is_server_error() {
        return;
    }
    let cause = response.extensions().get::<Cause>();
    if cause.is_none() && status == StatusCode::SERVICE_UNAVAILABLE {
        tracing::debug!(http.method = %method, url.path = shown(uri.path()), "a request was refused for now");
        return;
    }
    tracing::error!(
        request.id = id.to_str().unwrap_or_default(),
        http.method = %method,
        // Without the query string, which may carry messages.
        url.path = shown(uri.path()),
        http.status = status.as_u16(),
        error = cause.map_or("", |Cause(cause)| cause),
        "a request failed"
    );
}

/// What metrics and traces call a method; callers can make up others.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

/// What is no route of ours is one line among the metrics, whatever it is called.
fn count(method: &Method, route: Option<&MatchedPath>, status: StatusCode, took: Duration) {
    let route = route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned());
    let labels: [Value; 3] = [word(method).into(), route.into(), Value::I64(i64::from(status.as_u16()))];
    metrics().http_requests.record(took.as_secs_f64(), labels);
}

/// A path as the log may have it: a link opens something to whoever reads it.
fn shown(path: &str) -> &str {
    if path.starts_with("/link/") { "/link/…" } else { path }
}

/// Any origin may ask for anything: with `*`, browsers leave their ambient credentials out.
fn preflight(request: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        headers.insert(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    }
    response
}

/// The caller's id of the request, or one of ours: a random part for this process, and a number.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| u64::from_le_bytes(secrets::random_bytes()));
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    if let Some(given) = headers.get(REQUEST_ID)
        && given.len() <= LONGEST_REQUEST_ID
        && !given.is_empty()
        && given.as_bytes().iter().all(u8::is_ascii_graphic)
    {
        return given.clone();
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    HeaderValue::try_from(format!("{:016x}-{number:x}", *PROCESS))
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn panic_message(panic: &(dyn Any + Send)) -> Cow<'static, str> {
    if let Some(words) = panic.downcast_ref::<&'static str>() {
        return Cow::Borrowed(words);
    }
    panic
        .downcast_ref::<String>()
        .map_or(Cow::Borrowed("a panic without words"), |words| words.clone().into())
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use tower::ServiceExt as _;

    use super::*;
    use crate::testing::Rig;

    #[tokio::test]
    async fn a_preflight_allows_what_it_asks_for() {
        let rig = Rig::new().await;
        for path in ["/message/send-text", "/session/logout", "/nowhere"] {
            let answer = rig
                .request("OPTIONS", path)
                .anonymous()
                .header("origin", "https://shop.example")
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,content-type")
                .send()
                .await;
            answer.is(204, "");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            assert_eq!(answer.header("access-control-allow-methods"), "GET,HEAD,PUT,POST,DELETE,PATCH");
            assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
        }
    }

    #[tokio::test]
    async fn every_answer_has_an_origin_and_an_id() {
        let rig = Rig::new().await;
        let ids = ["/health", "/session", "/nowhere"].map(async |path| {
            let answer = rig.get(path).anonymous().send().await;
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
            answer.header("x-request-id").to_owned()
        });
        let ids: std::collections::HashSet<_> = futures::future::join_all(ids).await.into_iter().collect();
        assert_eq!(ids.len(), 3);
        let given = rig.get("/health").header("x-request-id", "order-17").send().await;
        assert_eq!(given.header("x-request-id"), "order-17");
        for bad in ["a b", &"x".repeat(129)] {
            let answer = rig.get("/health").header("x-request-id", bad).send().await;
            assert_ne!(answer.header("x-request-id"), bad);
        }
    }

    #[tokio::test]
    async fn what_has_no_route_is_not_found() {
        let rig = Rig::new().await;
        let table = [
            ("GET", "/nowhere"),
            ("DELETE", "/session"),
            ("PUT", "/message/send-text"),
            ("GET", "/session/"),
            ("GET", "/%2F"),
            ("GET", "/session/a/b/qr"),
            ("POST", "/health"),
        ];
        for (method, path) in table {
            rig.request(method, path).send().await.fails(404, "route_not_found", "Route not found");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_without_its_words() {
        async fn handler() {
            panic!("a secret")
        }
        let router = Router::new().route("/", get(handler)).layer(from_fn(edge));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(body, r#"{"message":"Internal server error","code":"internal_error"}"#);
    }
}
