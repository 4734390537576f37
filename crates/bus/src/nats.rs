//! The bus between processes, over core NATS. Nothing is kept there: no streams, no state.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_nats::{ConnectErrorKind, Event, RequestErrorKind, ServerAddr, connection::State};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use telemetry::trace::TRACEPARENT;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    Closed, Hints, Pattern, RequestError, Server, Subject,
    hints::{self, Sink},
    server::Source,
};

/// Commands to the client's own task that may wait while there is no connection: subscriptions, mostly, and a
/// runner has one for every session.
const CLIENT_CAPACITY: usize = 65_536;

/// Messages that may wait for one subscriber.
const SUBSCRIPTION_CAPACITY: usize = 1024;

/// How long a new server waits for NATS to know of it.
const REGISTRATION: Duration = Duration::from_secs(2);

/// How to reach NATS.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// One or several addresses, separated by commas: `nats://host:4222`, `nats://user:password@host`,
    /// `nats://token@host`, `tls://host`.
    pub url: SecretString,
    /// Put in front of every subject, so that several installations can share one NATS.
    pub prefix: String,
    /// What NATS's monitoring shows.
    pub name: String,
    /// How to log in; otherwise as the address says.
    pub login: Option<NatsLogin>,
    /// Certificates (PEM) to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// How to log in to NATS.
#[derive(Debug, Clone)]
pub enum NatsLogin {
    /// A user and the password.
    Password { user: String, password: SecretString },
    /// A token.
    Token(SecretString),
    /// A file with the seed of an `NKey`.
    NkeyFile(PathBuf),
    /// A `.creds` file: a user's JWT and the seed of its `NKey`.
    CredentialsFile(PathBuf),
}

/// Why there is no connection to NATS.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be used as it is.
    #[error("invalid NATS address: {0}")]
    InvalidUrl(String),
    /// The file with the key or the credentials cannot be used.
    #[error("cannot read the NATS credentials file {}: {source}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// NATS refuses the user, the password, the token or the credentials. Trying again does not help.
    #[error("NATS refuses the credentials: {0}")]
    Refused(async_nats::ConnectError),
    /// NATS could not be reached in time.
    #[error("NATS could not be reached within {} s: {error}", patience.as_secs())]
    Unreachable {
        /// How long it was tried.
        patience: Duration,
        /// The last attempt's error.
        error: async_nats::ConnectError,
    },
}

/// A connection to NATS.
#[derive(Clone, Debug)]
pub struct Nats {
    client: async_nats::Client,
    prefix: Arc<str>,
    /// Counts the times at which hints may have been lost.
    losses: watch::Receiver<u64>,
}

impl Nats {
    pub(crate) async fn connect(options: NatsOptions, patience: Duration) -> Result<Self, ConnectError> {
        let (losses, receiver) = watch::channel(0);
        let losses = Arc::new(losses);
        let started = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            let (addresses, connect) = prepare(&options, &losses).await?;
            let error = match connect.connect(addresses).await {
                Ok(client) => return Ok(Self { client, prefix: options.prefix.into(), losses: receiver }),
                Err(error) => error,
            };
            if matches!(
                error.kind(),
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation
            ) {
                return Err(ConnectError::Refused(error));
            }
            if started.elapsed() + pause > patience {
                return Err(ConnectError::Unreachable { patience, error });
            }
            tracing::warn!(%error, retry_ms = pause.as_millis(), "cannot reach NATS yet");
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// A connection that is made in the background, and tried for ever.
    pub(crate) async fn connect_later(options: NatsOptions) -> Result<Self, ConnectError> {
        let (losses, receiver) = watch::channel(0);
        let (addresses, connect) = prepare(&options, &Arc::new(losses)).await?;
        let connecting = connect.retry_on_initial_connect().connect(addresses).await;
        let client =
            connecting.map_err(|error| ConnectError::Unreachable { patience: Duration::ZERO, error })?;
        Ok(Self { client, prefix: options.prefix.into(), losses: receiver })
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    fn full(&self, subject: &str) -> async_nats::Subject {
        if self.prefix.is_empty() { subject.into() } else { format!("{}.{subject}", self.prefix).into() }
    }

    pub(crate) async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        traceparent: Option<String>,
        deadline: Duration,
    ) -> Result<Bytes, RequestError> {
        if !self.is_connected() {
            return Err(RequestError::Disconnected);
        }
        // The library's own time limit does not cover the wait for its queue.
        let mut request = async_nats::Request::new().payload(payload).timeout(None);
        if let Some(traceparent) = traceparent {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert(TRACEPARENT, traceparent);
            request = request.headers(headers);
        }
        match timeout(deadline, self.client.send_request(self.full(subject.as_str()), request)).await {
            Ok(Ok(answer)) => Ok(answer.payload),
            Ok(Err(error)) => Err(match error.kind() {
                RequestErrorKind::NoResponders => RequestError::NoResponders,
                RequestErrorKind::TimedOut => RequestError::Timeout,
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    RequestError::Malformed
                }
                RequestErrorKind::Other => RequestError::Disconnected,
            }),
            Err(_) if !self.is_connected() => Err(RequestError::Disconnected),
            Err(_) => Err(RequestError::Timeout),
        }
    }

    pub(crate) async fn serve<C>(&self, subject: &Subject) -> Result<Server<C>, Closed> {
        let client = self.client.clone();
        let subscriber = client
            .queue_subscribe(self.full(subject.as_str()), "servers".to_owned())
            .await
            .map_err(|_| Closed)?;
        self.registered().await;
        Ok(Server::new(Source::Nats { subscriber, client }))
    }

    pub(crate) fn publish(&self, subject: &Subject, encode: impl FnOnce() -> Option<Bytes>) {
        // What waits for a connection is stale when it comes back; those who missed it learn that they did.
        if self.is_connected()
            && let Some(payload) = encode()
        {
            publish_now(&self.client, self.full(subject.as_str()), payload);
        }
    }

    pub(crate) async fn subscribe<H>(&self, pattern: &Pattern, capacity: usize) -> Result<Hints<H>, Closed> {
        let subscriber = self.client.subscribe(self.full(pattern.as_str())).await.map_err(|_| Closed)?;
        let (sink, finish) = hints::channel(capacity);
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        let mut task = JoinSet::new();
        task.spawn(forward(subscriber, losses, sink));
        self.registered().await;
        Ok(finish(hints::Source::Nats(task)).into())
    }

    /// Waits until NATS knows of what was subscribed: it handles a connection's messages in order, so the answer
    /// to a request that nobody serves comes after that. (The library's `flush` only empties its own buffer.)
    /// Without a connection there is nothing to wait for: the client subscribes anew when it is back.
    async fn registered(&self) {
        if self.is_connected() {
            let request = async_nats::Request::new().timeout(Some(REGISTRATION));
            let _ = self.client.send_request(self.full("nobody"), request).await;
        }
    }
}

/// Publishes without ever waiting: what finds the client's queue full is lost.
pub(crate) fn publish_now(client: &async_nats::Client, subject: async_nats::Subject, payload: Bytes) {
    // Unconstrained, because a task that used up its budget would otherwise always find the queue "full".
    match tokio::task::unconstrained(client.publish(subject, payload)).now_or_never() {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::warn!(%error, "a message could not be given to NATS"),
        None => tracing::warn!("a message was dropped: too much waits for NATS"),
    }
}

/// Hands the messages of one subscription over, until its listener is dropped.
async fn forward(mut subscriber: async_nats::Subscriber, mut losses: watch::Receiver<u64>, sink: Sink) {
    loop {
        tokio::select! {
            message = subscriber.next() => match message {
                Some(message) => sink.put(message.payload),
                None => return,
            },
            Ok(()) = losses.changed() => sink.lagged(),
        }
    }
}

async fn prepare(
    options: &NatsOptions,
    losses: &Arc<watch::Sender<u64>>,
) -> Result<(Vec<ServerAddr>, async_nats::ConnectOptions), ConnectError> {
    let (addresses, login) = parse_addresses(options.url.expose_secret())?;
    let losses = Arc::clone(losses);
    let mut connect = async_nats::ConnectOptions::new()
        .name(&options.name)
        .client_capacity(CLIENT_CAPACITY)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .max_reconnects(None)
        .event_callback(move |event| {
            observe(&event, &losses);
            std::future::ready(())
        });
    let unreadable = |path: &PathBuf, source| ConnectError::Credentials { path: path.clone(), source };
    connect = match (&options.login, login) {
        (None, Login::None) => connect,
        (None, Login::Token(token)) => connect.token(token),
        (None, Login::Password { user, password }) => connect.user_and_password(user, password),
        (Some(NatsLogin::Token(token)), _) => connect.token(token.expose_secret().to_owned()),
        (Some(NatsLogin::Password { user, password }), _) => {
            connect.user_and_password(user.clone(), password.expose_secret().to_owned())
        }
        (Some(NatsLogin::NkeyFile(path)), _) => {
            let seed = tokio::fs::read_to_string(path).await.map_err(|error| unreadable(path, error))?;
            connect.nkey(seed.trim().to_owned())
        }
        (Some(NatsLogin::CredentialsFile(path)), _) => {
            connect.credentials_file(path).await.map_err(|error| unreadable(path, error))?
        }
    };
    if let Some(path) = &options.ca_file {
        connect = connect.add_root_certificates(path.clone());
    }
    Ok((addresses, connect))
}

fn observe(event: &Event, losses: &watch::Sender<u64>) {
    match event {
        Event::Disconnected => {
            tracing::warn!("lost the connection to NATS; commands and hints wait for it");
            losses.send_modify(|count| *count += 1);
        }
        Event::Connected => {
            tracing::info!("connected to NATS");
            // At the first connection nobody can have missed anything, unless it was waited for.
            losses.send_if_modified(|count| {
                *count += u64::from(*count > 0);
                *count > 0
            });
        }
        Event::SlowConsumer(_) => losses.send_modify(|count| *count += 1),
        Event::ServerError(error) => tracing::warn!(%error, "NATS reports an error"),
        Event::ClientError(error) => tracing::debug!(%error, "the NATS client reports an error"),
        Event::LameDuckMode | Event::Draining | Event::Closed => {}
    }
}

/// How the address says to log in.
#[derive(Debug, PartialEq, Eq)]
enum Login {
    None,
    Token(String),
    Password { user: String, password: String },
}

/// The client library takes no login from the address, so it is taken out here.
fn parse_addresses(text: &str) -> Result<(Vec<ServerAddr>, Login), ConnectError> {
    let mut login = Login::None;
    let mut addresses = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let address = part.parse::<ServerAddr>();
        let mut url = address.map_err(|error| ConnectError::InvalidUrl(error.to_string()))?.into_inner();
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        match (url.username(), url.password()) {
            ("", None) => {}
            (user, Some(password)) => {
                login = Login::Password { user: decode(user), password: decode(password) };
            }
            (token, None) => login = Login::Token(decode(token)),
        }
        let cleaned = url.set_username("").and_then(|()| url.set_password(None));
        cleaned.map_err(|()| ConnectError::InvalidUrl("it names no host".to_owned()))?;
        let address = ServerAddr::from_url(url);
        addresses.push(address.map_err(|error| ConnectError::InvalidUrl(error.to_string()))?);
    }
    if addresses.is_empty() {
        return Err(ConnectError::InvalidUrl("it is empty".to_owned()));
    }
    Ok((addresses, login))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_where_and_who() {
        let password =
            |user: &str, password: &str| Login::Password { user: user.into(), password: password.into() };
        let table = [
            ("nats://one:4222", "one:4222", Login::None),
            ("one", "one:4222", Login::None),
            ("nats://anna:p%40ss@one", "one:4222", password("anna", "p@ss")),
            ("nats://s3cret@one", "one:4222", Login::Token("s3cret".into())),
            ("tls://one:1, tls://two:2", "one:1 two:2", Login::None),
            ("nats://a:b@one,nats://two", "one:4222 two:4222", password("a", "b")),
        ];
        for (text, hosts, login) in table {
            let (addresses, found) = parse_addresses(text).unwrap();
            let found_hosts: Vec<_> =
                addresses.iter().map(|address| format!("{}:{}", address.host(), address.port())).collect();
            assert_eq!((found_hosts.join(" ").as_str(), &found), (hosts, &login), "{text}");
            assert!(addresses.iter().all(|address| !address.has_user_pass()), "{text}");
        }
        for text in ["", " , ", "http://one", "nats://one:port"] {
            assert!(parse_addresses(text).is_err(), "{text}");
        }
    }
}
