//! Name resolution that passes only what the policy permits, so that nothing lies between the check of an
//! address and the connection to it.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::address::is_permitted;

/// Threads that may wait for the system's resolver, which cannot be interrupted.
const LOOKUPS: usize = 128;

/// Resolves through the system, and leaves out what is not permitted.
pub(crate) struct Resolver {
    /// `None`: no filter.
    allow: Option<Arc<[IpNet]>>,
    lookups: Arc<Semaphore>,
}

/// The name leads only to addresses that a user's URL may not reach.
#[derive(Debug, thiserror::Error)]
#[error("{address} is not a public address")]
pub(crate) struct BlockedAddress {
    pub(crate) address: IpAddr,
}

/// The name leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
pub(crate) struct Unresolved(#[source] pub(crate) Option<std::io::Error>);

impl Resolver {
    pub(crate) fn new(allow: Option<Arc<[IpNet]>>) -> Self {
        Self { allow, lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = self.allow.clone();
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let found = spawn_blocking(move || {
                // Kept until the thread is free again, even when nobody waits for the answer any more.
                let _permit = permit;
                (name.as_str(), 0).to_socket_addrs()
            })
            .await?;
            let found = found.map_err(|error| Unresolved(Some(error)))?;
            let addresses = filter(found.collect(), allow.as_deref())?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn filter(
    mut found: Vec<SocketAddr>,
    allow: Option<&[IpNet]>,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let Some(first) = found.first().map(SocketAddr::ip) else { return Err(Unresolved(None).into()) };
    if let Some(allow) = allow {
        found.retain(|address| is_permitted(address.ip(), allow));
        if found.is_empty() {
            return Err(BlockedAddress { address: first }.into());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn only_permitted_addresses_pass() {
        let nothing: &[IpNet] = &[];
        let mixed = addresses(&["127.0.0.1", "8.8.8.8", "::1"]);
        assert_eq!(filter(mixed.clone(), Some(nothing)).unwrap(), addresses(&["8.8.8.8"]));
        assert_eq!(filter(mixed.clone(), None).unwrap(), mixed);

        let blocked = filter(addresses(&["10.0.0.1", "::1"]), Some(nothing)).unwrap_err();
        let blocked = blocked.downcast::<BlockedAddress>().unwrap();
        assert_eq!(blocked.address, "10.0.0.1".parse::<IpAddr>().unwrap());
        assert!(filter(Vec::new(), None).unwrap_err().is::<Unresolved>());
    }
}
