//! What a setting may be, and what it is turned into.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::KeyRing;
use url::Url;

use crate::LOOPBACK;

/// How a text becomes a value.
pub(crate) trait Kind {
    type Value;
    /// `None` when the text is not allowed.
    fn parse(&self, text: &str) -> Option<Self::Value>;
    /// Completes "must be …".
    fn allowed(&self) -> String;
    /// The text as it may be shown; `None` when nothing of it may.
    fn shown(&self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
    /// Whether the value, or a part of it, is a secret.
    fn secret(&self) -> bool {
        false
    }
}

/// What happens when nobody sets a setting.
pub(crate) trait Rule {
    type Kind: Kind;
    type Value;
    fn kind(&self) -> &Self::Kind;
    /// The default in the form it would be set.
    fn default(&self) -> Option<&'static str>;
    /// What it means that there is no default.
    fn unset(&self) -> &'static str;
    fn finish(&self, value: Option<<Self::Kind as Kind>::Value>) -> Option<Self::Value>;
}

/// A setting with a default.
pub(crate) struct Or<K>(pub(crate) &'static str, pub(crate) K);

/// A setting that can be absent, and what that means.
pub(crate) struct Unset<K>(pub(crate) &'static str, pub(crate) K);

impl<K: Kind> Rule for Or<K> {
    type Kind = K;
    type Value = K::Value;
    fn kind(&self) -> &K {
        &self.1
    }
    fn default(&self) -> Option<&'static str> {
        Some(self.0)
    }
    fn unset(&self) -> &'static str {
        ""
    }
    fn finish(&self, value: Option<K::Value>) -> Option<K::Value> {
        value
    }
}

impl<K: Kind> Rule for Unset<K> {
    type Kind = K;
    type Value = Option<K::Value>;
    fn kind(&self) -> &K {
        &self.1
    }
    fn default(&self) -> Option<&'static str> {
        None
    }
    fn unset(&self) -> &'static str {
        self.0
    }
    fn finish(&self, value: Option<K::Value>) -> Option<Option<K::Value>> {
        Some(value)
    }
}

/// A whole number.
pub(crate) struct Number<T>(pub(crate) RangeInclusive<T>);

impl<T: FromStr + PartialOrd + fmt::Display> Kind for Number<T> {
    type Value = T;
    fn parse(&self, text: &str) -> Option<T> {
        text.parse().ok().filter(|number| self.0.contains(number))
    }
    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }
}

/// A time in seconds, with or without decimals; the bounds are in milliseconds.
pub(crate) struct Seconds(pub(crate) RangeInclusive<u64>);

impl Kind for Seconds {
    type Value = Duration;
    fn parse(&self, text: &str) -> Option<Duration> {
        let time = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
        let bounds = Duration::from_millis(*self.0.start())..=Duration::from_millis(*self.0.end());
        bounds.contains(&time).then_some(time)
    }
    fn allowed(&self) -> String {
        let shown = |millis: u64| Duration::from_millis(millis).as_secs_f64();
        format!("a number of seconds from {} to {}", shown(*self.0.start()), shown(*self.0.end()))
    }
}

/// A part of a whole.
pub(crate) struct Part;

impl Kind for Part {
    type Value = f64;
    fn parse(&self, text: &str) -> Option<f64> {
        text.parse().ok().filter(|part| (0.0..=1.0).contains(part))
    }
    fn allowed(&self) -> String {
        "a number from 0 to 1".to_owned()
    }
}

/// On or off.
pub(crate) struct Flag;

impl Kind for Flag {
    type Value = bool;
    fn parse(&self, text: &str) -> Option<bool> {
        match text {
            "true" | "on" | "yes" | "1" => Some(true),
            "false" | "off" | "no" | "0" => Some(false),
            _ => None,
        }
    }
    fn allowed(&self) -> String {
        "true or false".to_owned()
    }
}

/// One of several words.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T: Copy> Kind for Choice<T> {
    type Value = T;
    fn parse(&self, text: &str) -> Option<T> {
        self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }
    fn allowed(&self) -> String {
        self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ")
    }
}

/// Any text.
pub(crate) struct Text;

impl Kind for Text {
    type Value = String;
    fn parse(&self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
    fn allowed(&self) -> String {
        "text".to_owned()
    }
}

/// A part of a NATS subject.
pub(crate) struct SubjectPrefix;

impl Kind for SubjectPrefix {
    type Value = String;
    fn parse(&self, text: &str) -> Option<String> {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let valid = text.split('.').all(|token| !token.is_empty() && token.chars().all(part));
        valid.then(|| text.to_owned())
    }
    fn allowed(&self) -> String {
        "letters, digits, dashes and underscores, in parts separated by dots".to_owned()
    }
}

/// A text that is nobody's business; the bounds are in bytes.
pub(crate) struct Secret(pub(crate) RangeInclusive<usize>);

impl Kind for Secret {
    type Value = SecretString;
    fn parse(&self, text: &str) -> Option<SecretString> {
        self.0.contains(&text.len()).then(|| text.into())
    }
    fn allowed(&self) -> String {
        format!("{} to {} bytes long", self.0.start(), self.0.end())
    }
    fn shown(&self, _: &str) -> Option<String> {
        None
    }
    fn secret(&self) -> bool {
        true
    }
}

/// The key ring.
pub(crate) struct Keys;

impl Kind for Keys {
    type Value = KeyRing;
    fn parse(&self, text: &str) -> Option<KeyRing> {
        KeyRing::parse(&text.into()).ok()
    }
    fn allowed(&self) -> String {
        "different keys of 32 bytes in base64 (`openssl rand -base64 32`), separated by commas".to_owned()
    }
    fn shown(&self, _: &str) -> Option<String> {
        None
    }
    fn secret(&self) -> bool {
        true
    }
}

/// A file or a folder.
pub(crate) struct File;

impl Kind for File {
    type Value = PathBuf;
    fn parse(&self, text: &str) -> Option<PathBuf> {
        Some(text.into())
    }
    fn allowed(&self) -> String {
        "a path".to_owned()
    }
}

/// An address of this machine.
pub(crate) struct Address;

impl Kind for Address {
    type Value = IpAddr;
    fn parse(&self, text: &str) -> Option<IpAddr> {
        if text == "localhost" { Some(LOOPBACK) } else { text.parse().ok() }
    }
    fn allowed(&self) -> String {
        "an IP address of this machine, such as 127.0.0.1, 0.0.0.0 or ::".to_owned()
    }
}

/// An address and a port.
pub(crate) struct Socket;

impl Kind for Socket {
    type Value = SocketAddr;
    fn parse(&self, text: &str) -> Option<SocketAddr> {
        text.parse().ok()
    }
    fn allowed(&self) -> String {
        "an IP address and a port, such as 0.0.0.0:9464".to_owned()
    }
}

/// A list of networks.
pub(crate) struct Networks;

impl Kind for Networks {
    type Value = Vec<IpNet>;
    fn parse(&self, text: &str) -> Option<Vec<IpNet>> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).ok()).collect()
    }
    fn allowed(&self) -> String {
        "networks such as 10.1.0.0/16 or addresses, separated by commas".to_owned()
    }
}

/// One URL, or several, with one of these schemes. May carry a login.
pub(crate) struct Urls {
    pub(crate) schemes: &'static [&'static str],
    pub(crate) several: bool,
}

impl Kind for Urls {
    type Value = SecretUrl;
    fn parse(&self, text: &str) -> Option<SecretUrl> {
        let valid = |part: &str| Url::parse(part).is_ok_and(|url| self.schemes.contains(&url.scheme()));
        let fits = if self.several { text.split(',').map(str::trim).all(valid) } else { valid(text) };
        fits.then(|| SecretUrl(text.into()))
    }
    fn allowed(&self) -> String {
        let schemes: Vec<_> = self.schemes.iter().map(|scheme| format!("{scheme}:")).collect();
        let what = if self.several { "one or more URLs (separated by commas)" } else { "a URL" };
        format!("{what} that starts with {}", schemes.join(" or "))
    }
    fn shown(&self, text: &str) -> Option<String> {
        Some(SecretUrl(text.into()).redacted())
    }
    fn secret(&self) -> bool {
        true
    }
}

/// A URL that may carry a login. Prints itself without.
#[derive(Clone)]
pub struct SecretUrl(SecretString);

impl SecretUrl {
    /// All of it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// All of it, to hand it on.
    #[must_use]
    pub const fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Scheme, host and path; `***` where a login was; no query, which can hold a password as well.
    #[must_use]
    pub fn redacted(&self) -> String {
        let parts: Vec<_> = self.expose().split(',').map(|part| redact(part.trim())).collect();
        parts.join(",")
    }

    /// The file that a `sqlite:` URL names.
    pub(crate) fn sqlite_path(&self) -> Option<PathBuf> {
        let rest = self.expose().strip_prefix("sqlite:")?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        Some(rest.split('?').next().unwrap_or_default().into())
    }
}

fn redact(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return "***".to_owned() };
    let login = !url.username().is_empty() || url.password().is_some();
    url.set_query(None);
    url.set_fragment(None);
    if login && url.set_password(None).and_then(|()| url.set_username("***")).is_err() {
        return "***".to_owned();
    }
    url.to_string()
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// Which traces are kept: OpenTelemetry's samplers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceSampler {
    /// What goes on with a trace does as that one does.
    pub parent_based: bool,
    /// What of the others.
    pub others: Sampled,
}

/// What is kept of the traces that begin here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    All,
    None,
    /// The part that `OTEL_TRACES_SAMPLER_ARG` says.
    Part,
}

impl TraceSampler {
    pub(crate) const NAMES: &[(&str, Self)] = &[
        ("parentbased_traceidratio", Self { parent_based: true, others: Sampled::Part }),
        ("parentbased_always_on", Self { parent_based: true, others: Sampled::All }),
        ("parentbased_always_off", Self { parent_based: true, others: Sampled::None }),
        ("traceidratio", Self { parent_based: false, others: Sampled::Part }),
        ("always_on", Self { parent_based: false, others: Sampled::All }),
        ("always_off", Self { parent_based: false, others: Sampled::None }),
    ];
}

/// When SQLite's commits are durable (`SQLITE_SYNCHRONOUS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// When the caller hears of them.
    Full,
    /// Soon after: a crash of the machine, not of the process, can undo the last of them.
    Normal,
}

/// How log lines look (`LOG_FORMAT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}
