//! `/metrics`, on an address of its own: what it tells is not for everybody who may use the API.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use telemetry::Scraper;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::StartError;

/// Those who scrape are few.
const MAX_CONNECTIONS: usize = 64;

/// Answers those who scrape, until it is closed.
pub struct MetricsEndpoint {
    serving: JoinSet<()>,
    stop: CancellationToken,
}

impl MetricsEndpoint {
    /// Listens, and answers from now on.
    pub fn open(address: SocketAddr, scraper: Scraper) -> Result<Self, StartError> {
        let cannot =
            |error| StartError::Running(format!("METRICS_ADDR: cannot listen on {address}: {error}"));
        let listener = std::net::TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let listener = TcpListener::from_std(listener).map_err(cannot)?;
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, scraper, stop.clone()));
        Ok(Self { serving, stop })
    }

    /// Answers nobody any more.
    pub async fn close(mut self) {
        self.stop.cancel();
        while self.serving.join_next().await.is_some() {}
    }
}

async fn serve(listener: TcpListener, scraper: Scraper, stop: CancellationToken) {
    let settings = api::Settings {
        max_connections: MAX_CONNECTIONS,
        drain_wait: Duration::from_secs(1),
        ..api::Settings::default()
    };
    let router = Router::new().route("/metrics", get(scrape)).with_state(scraper);
    api::serve(listener, router, &settings, stop).await;
}

async fn scrape(State(scraper): State<Scraper>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, Scraper::content_type())], scraper.text())
}
