//! The HTTP client for media: the library asks for `https://{host}`, the test server's host speaks plain HTTP.

use crate::error::Error;
use crate::server::{Server, http_client};
use async_trait::async_trait;
use std::collections::HashMap;
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpResponse};

/// An HTTP client that reaches the media hosts of one server, and nothing that is not on it.
#[derive(Debug, Clone)]
pub struct MediaClient {
    client: reqwest::Client,
    plain_host: String,
}

impl MediaClient {
    /// A client for the media hosts of `server`: plain HTTP where it speaks that, TLS without a look at the
    /// certificate elsewhere.
    pub fn new(server: &Server) -> Result<Self, Error> {
        Ok(Self { client: http_client()?, plain_host: server.media_host() })
    }

    fn reachable(&self, url: &str) -> String {
        match url.strip_prefix("https://") {
            Some(rest) if rest.starts_with(&self.plain_host) => format!("http://{rest}"),
            _ => url.to_owned(),
        }
    }
}

#[async_trait]
impl HttpClient for MediaClient {
    async fn execute(&self, request: HttpRequest) -> whatsapp_rust::anyhow::Result<HttpResponse> {
        let url = self.reachable(&request.url);
        let mut outgoing =
            if request.method == "POST" { self.client.post(url) } else { self.client.get(url) };
        for (name, value) in headers(&request.headers) {
            outgoing = outgoing.header(name, value);
        }
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        }
        let response = outgoing.send().await?;
        let status_code = response.status().as_u16();
        Ok(HttpResponse { status_code, body: response.bytes().await?.to_vec() })
    }
}

fn headers(headers: &HashMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
