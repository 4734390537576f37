//! Where a contact finds its server: in this process, or behind the control API of another one.

use crate::error::Error;
use crate::tls;
use fake_whatsapp::{FakeWhatsApp, Linked};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// A server contacts can be linked to.
#[derive(Debug, Clone)]
pub enum Server {
    /// In this process.
    Here(FakeWhatsApp),
    /// In another process.
    Elsewhere(Remote),
}

/// A server in another process.
#[derive(Debug, Clone)]
pub struct Remote {
    client: reqwest::Client,
    control_url: String,
    addresses: Addresses,
}

#[derive(Debug, Clone, Deserialize)]
struct Addresses {
    chat_url: String,
    chat_tls_url: Option<String>,
    media_host: String,
}

impl From<&FakeWhatsApp> for Server {
    fn from(server: &FakeWhatsApp) -> Self {
        Self::Here(server.clone())
    }
}

impl From<&Server> for Server {
    fn from(server: &Server) -> Self {
        server.clone()
    }
}

impl Server {
    /// A server by the address of its control API, such as `http://127.0.0.1:7701`.
    pub async fn remote(control_url: &str) -> Result<Self, Error> {
        let client = http_client()?;
        let control_url = control_url.trim_end_matches('/').to_owned();
        let addresses = client.get(&control_url).send().await.map_err(Error::client)?;
        let addresses = addresses.json().await.map_err(Error::client)?;
        Ok(Self::Elsewhere(Remote { client, control_url, addresses }))
    }

    pub(crate) fn chat_url(&self) -> String {
        match self {
            Self::Here(server) => server.chat_url(),
            Self::Elsewhere(remote) => remote.addresses.chat_url.clone(),
        }
    }

    pub(crate) fn chat_tls_url(&self) -> Option<String> {
        match self {
            Self::Here(server) => server.chat_tls_url(),
            Self::Elsewhere(remote) => remote.addresses.chat_tls_url.clone(),
        }
    }

    pub(crate) fn media_host(&self) -> String {
        match self {
            Self::Here(server) => server.media_host(),
            Self::Elsewhere(remote) => remote.addresses.media_host.clone(),
        }
    }

    pub(crate) async fn scan(&self, number: &str, qr: &str) -> Result<Linked, Error> {
        match self {
            Self::Here(server) => Ok(server.scan(Some(number), qr).await?),
            Self::Elsewhere(remote) => remote.post("/scan", json!({"phone": number, "qr": qr})).await,
        }
    }

    pub(crate) async fn enter_code(
        &self,
        number: &str,
        code: &str,
        within: Duration,
    ) -> Result<Linked, Error> {
        match self {
            Self::Here(server) => {
                server.wait_code_requested(number, within).await?;
                Ok(server.enter_code(number, code).await?)
            }
            Self::Elsewhere(remote) => {
                remote.post("/pair-code", json!({"phone": number, "code": code})).await
            }
        }
    }
}

impl Remote {
    async fn post(&self, path: &str, body: serde_json::Value) -> Result<Linked, Error> {
        let request = self.client.post(format!("{}{path}", self.control_url)).json(&body);
        let answer =
            request.send().await.and_then(reqwest::Response::error_for_status).map_err(Error::client)?;
        answer.json().await.map_err(Error::client)
    }
}

/// A client that trusts any certificate, as the test server's is signed by nobody.
#[expect(clippy::disallowed_methods, reason = "a test client that talks to the test server only")]
pub(crate) fn http_client() -> Result<reqwest::Client, Error> {
    tls::install_provider();
    reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().map_err(Error::client)
}
