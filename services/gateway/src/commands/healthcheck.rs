//! `wa-gateway healthcheck`: asks a running gateway whether it is able to serve.

use std::{net::SocketAddr, path::Path, time::Duration};

use config::Config;
use egress::{EgressOptions, Policy, Request};

use super::{Failure, block_on, print};

const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(file).map_err(Failure::settings)?;
    let mut address: SocketAddr = config.listen().map_err(Failure::settings)?.address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    block_on(async {
        let client = egress::Client::new(EgressOptions::default()).map_err(Failure::running)?;
        let url = format!("http://{address}/ready");
        let request = Request::new(Policy::Trusted, http::Method::GET, url).deadline(DEADLINE);
        let response = client.request(request).await.map_err(Failure::running)?;
        let body = String::from_utf8_lossy(&response.body);
        if response.status.is_success() { print(body) } else { Err(Failure::running(body)) }
    })
}
