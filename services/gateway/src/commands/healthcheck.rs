//! `wa-gateway healthcheck`: asks a running process whether it is able to serve.

use std::{net::SocketAddr, path::Path, time::Duration};

use clap::ValueEnum;
use config::Config;
use egress::{EgressOptions, Policy, Request};

use super::{Failure, block_on, print};

const DEADLINE: Duration = Duration::from_secs(5);

/// Which process is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    All,
    Api,
    SessionRunner,
    WebhookDispatcher,
}

pub(crate) fn run(role: Option<Role>, url: Option<String>, file: Option<&Path>) -> Result<(), Failure> {
    if let Some(url) = url {
        return block_on(ask(vec![url]));
    }
    let config = Config::load(file).map_err(Failure::settings)?;
    let api = config.listen().map(|listen| listen.address);
    let addresses = match role {
        Some(Role::All | Role::Api) => vec![api.map_err(Failure::settings)?],
        Some(Role::SessionRunner | Role::WebhookDispatcher) => vec![config.http.health],
        // What keeps an API from starting is nothing to the others.
        None => api.into_iter().chain([config.http.health]).collect(),
    };
    block_on(ask(addresses
        .into_iter()
        .map(|address| format!("http://{}/ready", on_this_machine(address)))
        .collect()))
}

/// Takes the first that answers at its word.
async fn ask(urls: Vec<String>) -> Result<(), Failure> {
    let client = egress::Client::new(EgressOptions::default()).map_err(Failure::running)?;
    let mut failure = None;
    for url in urls {
        let request = Request::new(Policy::Trusted, http::Method::GET, url).deadline(DEADLINE);
        match client.request(request).await {
            Ok(response) => {
                let body = String::from_utf8_lossy(&response.body);
                return if response.status.is_success() { print(body) } else { Err(Failure::running(body)) };
            }
            Err(error) => drop(failure.get_or_insert_with(|| Failure::running(error))),
        }
    }
    Err(failure.unwrap_or_else(|| Failure::running("nothing runs here")))
}

fn on_this_machine(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}
