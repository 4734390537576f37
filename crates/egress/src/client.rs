//! The client, and the redirects it follows by itself because each must be checked.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream::unfold};
use http::{HeaderMap, Method, StatusCode, header};
use ipnet::IpNet;
use reqwest::redirect;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::{
    Error, Policy, Request, Response, Streaming, address::is_permitted, request::Body, resolver::Resolver,
};

/// How the client behaves for all requests.
#[derive(Debug, Clone)]
pub struct EgressOptions {
    /// Networks that users' URLs may lead to although they are not public (`EGRESS_ALLOW`).
    pub allow: Vec<IpNet>,
    /// Time for a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// Time without a byte after which the body of a streamed answer is given up.
    pub idle_timeout: Duration,
    /// What servers see as the `User-Agent`.
    pub user_agent: String,
    /// Connections to one host that are kept open between requests.
    pub idle_connections_per_host: usize,
}

impl Default for EgressOptions {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            user_agent: concat!("wa-gateway/", env!("CARGO_PKG_VERSION")).to_owned(),
            idle_connections_per_host: 64,
        }
    }
}

/// The client cannot be built: the user agent is not a header value, or the system's certificates cannot be
/// read.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up outgoing HTTP: {0}")]
pub struct BuildError(#[source] reqwest::Error);

/// Sends requests and keeps connections for the next ones. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    trusted: reqwest::Client,
    public: reqwest::Client,
    allow: Arc<[IpNet]>,
    idle_timeout: Duration,
}

/// Makes ring the process's TLS cryptography. Call it once at the start of `main`, before any library opens a
/// TLS connection; a second call changes nothing.
pub fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Client {
    /// Sets up both policies; nothing is connected yet. Installs the crypto provider if `main` did not.
    pub fn new(options: EgressOptions) -> Result<Self, BuildError> {
        install_crypto_provider();
        Ok(Self {
            trusted: build(&options, Resolver::new(None))?,
            public: build(&options, Resolver::new(Some(options.allow.as_slice().into())))?,
            idle_timeout: options.idle_timeout,
            allow: options.allow.into(),
        })
    }

    /// Sends a request and reads the answer up to the limit; what is beyond is left out, and
    /// [`Response::truncated`] says so.
    pub async fn request(&self, request: Request) -> Result<Response, Error> {
        let deadline = Instant::now() + request.deadline;
        let limit = request.limit;
        let exchange = async {
            let mut answer = self.exchange(request).await?;
            let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
            let (body, truncated) = read(&mut answer, limit).await?;
            Ok(Response { status, headers, body, truncated })
        };
        timeout_at(deadline, exchange).await.map_err(|_| Error::Timeout)?
    }

    /// Sends a request and hands the answer's body out as it comes, for bodies that do not belong in memory.
    pub async fn stream(&self, request: Request) -> Result<Streaming, Error> {
        let deadline = Instant::now() + request.deadline;
        let limit = request.limit;
        let exchange = self.exchange(request);
        let mut answer = timeout_at(deadline, exchange).await.map_err(|_| Error::Timeout)??;
        if answer.content_length().is_some_and(|length| length > limit) {
            return Err(Error::TooLarge { limit });
        }
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let state = Reading { answer, left: limit, limit, deadline, idle: self.idle_timeout };
        let body = unfold(Some(state), |state| async {
            let mut state = state?;
            match state.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(state))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        // Fused: who reads the first bytes ahead and then the rest asks again after the end.
        Ok(Streaming { status, headers, body: Box::pin(body.fuse()) })
    }

    /// One request, and those that its redirects lead to.
    async fn exchange(&self, request: Request) -> Result<reqwest::Response, Error> {
        let Request { policy, mut method, url, mut headers, mut body, mut redirects, .. } = request;
        let mut url = Url::parse(&url).map_err(|error| Error::InvalidUrl { reason: error.to_string() })?;
        loop {
            self.check(policy, &url)?;
            let again = if redirects > 0 { body.again() } else { None };
            let answer = self.send(policy, method.clone(), url.clone(), headers.clone(), body).await?;
            let Some(step) = redirect(answer.status(), &method).filter(|_| redirects > 0) else {
                return Ok(answer);
            };
            let Some(location) = answer.headers().get(header::LOCATION) else { return Ok(answer) };
            let next = location.to_str().ok().and_then(|location| url.join(location).ok());
            let next = next.ok_or(Error::Redirect)?;
            body = match step {
                Step::Same => match again {
                    Some(body) => body,
                    None => return Ok(answer),
                },
                Step::Get => {
                    method = if method == Method::HEAD { Method::HEAD } else { Method::GET };
                    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
                        headers.remove(name);
                    }
                    Body::Empty
                }
            };
            if next.origin() != url.origin() {
                for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
                    headers.remove(name);
                }
            }
            url = next;
            redirects -= 1;
        }
    }

    /// What can be said about a URL before any name is resolved. Each request checks it again, and what its name
    /// leads to.
    pub fn check(&self, policy: Policy, url: &Url) -> Result<(), Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::InvalidUrl { reason: "only http and https URLs are possible".to_owned() });
        }
        let address = match url.host() {
            None => return Err(Error::InvalidUrl { reason: "it names no host".to_owned() }),
            // The resolver checks what a name leads to.
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
        };
        match policy {
            Policy::Public if !is_permitted(address, &self.allow) => Err(Error::Blocked { address }),
            Policy::Public | Policy::Trusted => Ok(()),
        }
    }

    async fn send(
        &self,
        policy: Policy,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Body,
    ) -> Result<reqwest::Response, Error> {
        let client = match policy {
            Policy::Trusted => &self.trusted,
            Policy::Public => &self.public,
        };
        let mut builder = client.request(method, url).headers(headers);
        let (body, length) = body.into_reqwest();
        if let Some(body) = body {
            builder = builder.body(body);
        }
        if let Some(length) = length {
            builder = builder.header(header::CONTENT_LENGTH, length);
        }
        Ok(builder.send().await?)
    }
}

/// What a redirect asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The same request again.
    Same,
    /// A `GET` without a body.
    Get,
}

fn redirect(status: StatusCode, method: &Method) -> Option<Step> {
    match status.as_u16() {
        307 | 308 => Some(Step::Same),
        301 | 302 if matches!(*method, Method::GET | Method::HEAD) => Some(Step::Same),
        301..=303 => Some(Step::Get),
        _ => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the client that all others are to use")]
fn build(options: &EgressOptions, resolver: Resolver) -> Result<reqwest::Client, BuildError> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .dns_resolver(Arc::new(resolver))
        .connect_timeout(options.connect_timeout)
        .user_agent(&options.user_agent)
        .referer(false)
        .pool_max_idle_per_host(options.idle_connections_per_host)
        // Below the 60 s after which many load balancers cut silently.
        .pool_idle_timeout(Duration::from_secs(50))
        .tcp_keepalive(Duration::from_secs(30))
        .build()
        .map_err(BuildError)
}

/// Reads up to `limit` bytes; `true` when there was more.
async fn read(answer: &mut reqwest::Response, limit: u64) -> Result<(Bytes, bool), Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut whole = BytesMut::new();
    // Most answers are one chunk, which need not be copied.
    let mut last = Bytes::new();
    while let Some(mut chunk) = answer.chunk().await? {
        whole.extend_from_slice(&last);
        let room = limit - whole.len();
        if chunk.len() > room {
            chunk.truncate(room);
            whole.extend_from_slice(&chunk);
            return Ok((whole.freeze(), true));
        }
        last = chunk;
    }
    if whole.is_empty() {
        return Ok((last, false));
    }
    whole.extend_from_slice(&last);
    Ok((whole.freeze(), false))
}

/// A streamed body under way.
struct Reading {
    answer: reqwest::Response,
    left: u64,
    limit: u64,
    deadline: Instant,
    idle: Duration,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let until = self.deadline.min(Instant::now() + self.idle);
        let chunk = timeout_at(until, self.answer.chunk()).await.map_err(|_| Error::Timeout)??;
        if let Some(chunk) = &chunk {
            let length = chunk.len() as u64;
            self.left = self.left.checked_sub(length).ok_or(Error::TooLarge { limit: self.limit })?;
        }
        Ok(chunk)
    }
}
