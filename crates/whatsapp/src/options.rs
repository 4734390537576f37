//! How to reach WhatsApp.

use std::{fmt, sync::Arc, time::Duration};

use url::Url;

use crate::owner::{Pace, Unpaced};

/// The version of WhatsApp Web that the client says it is: the one that the library was released with. WhatsApp
/// accepts versions for months; when it no longer does, sessions become [`Happened::Outdated`](crate::Happened::Outdated).
pub const DEFAULT_VERSION: (u32, u32, u32) = (2, 3000, 1_042_742_319);

/// How to reach WhatsApp, and how to appear there.
#[derive(Clone)]
pub struct Options {
    /// The WebSocket address, if not WhatsApp's own. `wss://`; with the feature `fake-whatsapp` also `ws://`.
    pub url: Option<Url>,
    /// One-time keys that are published at a time: what WhatsApp Web publishes. Fewer save a test's time.
    pub prekeys: usize,
    /// How the device is called in the phone's list of linked devices. Used when a session is linked.
    pub device_name: String,
    /// The version of WhatsApp Web to be. Fixed, so that no request is made to look it up.
    pub version: (u32, u32, u32),
    /// How long a message that was written to the socket may wait for WhatsApp's acknowledgement.
    pub ack_timeout: Duration,
    /// How long one file may take to the media host or from it.
    pub media_timeout: Duration,
    /// The first delay before a reconnect; it doubles with every failure.
    pub reconnect_first: Duration,
    /// The longest delay before a reconnect.
    pub reconnect_cap: Duration,
    /// Waited for before every connect.
    pub pace: Arc<dyn Pace>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: None,
            prekeys: 812,
            device_name: "wa-gateway".to_owned(),
            version: DEFAULT_VERSION,
            ack_timeout: Duration::from_secs(20),
            media_timeout: Duration::from_mins(30),
            reconnect_first: Duration::from_secs(1),
            reconnect_cap: Duration::from_mins(1),
            pace: Arc::new(Unpaced),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("url", &self.url.as_ref().map(Url::as_str))
            .field("prekeys", &self.prekeys)
            .field("device_name", &self.device_name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Options that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// WhatsApp is reached through TLS; only builds for tests know how to do without.
    #[error(
        "WHATSAPP_URL must start with `wss://`; plain `ws://` needs a build with the feature fake-whatsapp"
    )]
    Plain,
    #[error("WHATSAPP_URL must start with `wss://`, not with `{0}://`")]
    Scheme(String),
}

impl Options {
    /// The address to connect to, if not WhatsApp's own.
    pub(crate) fn checked_url(&self) -> Result<Option<&Url>, OptionsError> {
        let Some(url) = &self.url else { return Ok(None) };
        match url.scheme() {
            "wss" => Ok(Some(url)),
            "ws" if cfg!(feature = "fake-whatsapp") => Ok(Some(url)),
            "ws" => Err(OptionsError::Plain),
            other => Err(OptionsError::Scheme(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(url: &str) -> Result<(), OptionsError> {
        let options = Options { url: Some(url.parse().unwrap()), ..Options::default() };
        options.checked_url().map(|_| ())
    }

    #[test]
    fn only_test_builds_do_without_tls() {
        assert_eq!(checked("wss://web.whatsapp.com/ws/chat"), Ok(()));
        let plain = if cfg!(feature = "fake-whatsapp") { Ok(()) } else { Err(OptionsError::Plain) };
        assert_eq!(checked("ws://127.0.0.1:7700/ws/chat"), plain);
        assert_eq!(checked("https://web.whatsapp.com"), Err(OptionsError::Scheme("https".to_owned())));
    }
}
