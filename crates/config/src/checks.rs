//! Settings that depend on each other.

use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret as _, SecretString};

use crate::{Config, DatabaseTarget, EVERYWHERE, LOOPBACK, Problem};

/// Where the API listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// Address and port.
    pub address: SocketAddr,
    /// Only this machine can connect, because there is no admin password: say so in the log.
    pub local_only: bool,
}

/// The gateway would be open to others with the password that everybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "HOST={host} lets other machines connect, but the admin's password is the default. Set ADMIN_PASSWORD to a \
     password of your own, or leave HOST out to listen on 127.0.0.1 only"
)]
pub struct Exposed {
    /// The address that was asked for.
    pub host: IpAddr,
}

pub(crate) fn listen(
    host: Option<IpAddr>,
    port: u16,
    password: Option<&SecretString>,
) -> Result<ListenAddress, Exposed> {
    // Setting the default is as good as leaving it.
    let protected = password.is_some_and(|password| password.expose_secret() != "admin");
    match host {
        Some(host) if !protected && !host.to_canonical().is_loopback() => Err(Exposed { host }),
        Some(host) => Ok(ListenAddress { address: (host, port).into(), local_only: false }),
        None => {
            let host = if protected { EVERYWHERE } else { LOOPBACK };
            Ok(ListenAddress { address: (host, port).into(), local_only: !protected })
        }
    }
}

pub(crate) fn conflicts(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut shorter = |one: (&str, std::time::Duration), other: (&str, std::time::Duration)| {
        if one.1 >= other.1 {
            let (short, long) = (one.1.as_secs_f64(), other.1.as_secs_f64());
            let text = format!("{} ({short}) must be shorter than {} ({long})", one.0, other.0);
            problems.push(Problem::Conflict(text));
        }
    };
    let runner = &config.runner;
    shorter(("RUNNER_RENEW_SECONDS", runner.renew), ("RUNNER_FENCE_SECONDS", runner.fence));
    shorter(("RUNNER_FENCE_SECONDS", runner.fence), ("RUNNER_LEASE_SECONDS", runner.lease));
    shorter(
        ("SEND_WAIT_SECONDS", config.send.wait),
        ("REQUEST_TIMEOUT_SECONDS", config.http.request_timeout),
    );
    let nats = &config.nats;
    if nats.user.is_some() != nats.password.is_some() {
        problems.push(Problem::Conflict("NATS_USER and NATS_PASSWORD go together".to_owned()));
    }
    let logins = [
        ("NATS_USER", nats.user.is_some()),
        ("NATS_TOKEN", nats.token.is_some()),
        ("NATS_NKEY_FILE", nats.nkey_file.is_some()),
        ("NATS_CREDENTIALS_FILE", nats.credentials_file.is_some()),
    ];
    let logins: Vec<_> = logins.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect();
    if logins.len() > 1 {
        problems.push(Problem::Conflict(format!("only one of {} can be set", logins.join(", "))));
    }
    let webhooks = &config.webhooks;
    if webhooks.concurrency_per_endpoint > webhooks.concurrency {
        let (one, all) = (webhooks.concurrency_per_endpoint, webhooks.concurrency);
        problems.push(Problem::Conflict(format!(
            "WEBHOOK_CONCURRENCY_PER_ENDPOINT ({one}) must not be more than WEBHOOK_CONCURRENCY ({all})"
        )));
    }
    let kubernetes = &config.kubernetes;
    if kubernetes.min > kubernetes.max {
        let (min, max) = (kubernetes.min, kubernetes.max);
        problems.push(Problem::Conflict(format!(
            "AUTOSCALE_MIN ({min}) must not be more than AUTOSCALE_MAX ({max})"
        )));
    }
    problems
}

/// What is missing for a process that is one of several.
pub(crate) fn one_of_several(config: &Config, role: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut needs = |there: bool, text: String| {
        if !there {
            problems.push(Problem::Conflict(text));
        }
    };
    needs(
        matches!(config.database(), DatabaseTarget::Postgres(_)),
        format!(
            "`wa-gateway {role}` is one of several processes, and SQLite serves only one: set DATABASE_URL to a \
             PostgreSQL database (postgres://…), or run everything in one process with `wa-gateway all`"
        ),
    );
    needs(
        config.nats.url.is_some(),
        format!(
            "`wa-gateway {role}` talks to the other processes over NATS: set NATS_URL (nats://…), or run everything \
             in one process with `wa-gateway all`"
        ),
    );
    needs(
        config.access.secret_keys.is_some(),
        format!(
            "`wa-gateway {role}` must open what the other processes seal: set SECRET_KEYS to the same keys \
             everywhere (`openssl rand -base64 32`)"
        ),
    );
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_password_only_this_machine_can_connect() {
        let address =
            |text: &str, local_only| Ok(ListenAddress { address: text.parse().unwrap(), local_only });
        let exposed = |text: &str| Err(Exposed { host: text.parse().unwrap() });
        let table = [
            (None, None, address("127.0.0.1:5001", true)),
            (None, Some("admin"), address("127.0.0.1:5001", true)),
            (None, Some("s3cret"), address("0.0.0.0:5001", false)),
            (Some("127.0.0.1"), None, address("127.0.0.1:5001", false)),
            (Some("127.8.8.8"), None, address("127.8.8.8:5001", false)),
            (Some("::1"), None, address("[::1]:5001", false)),
            (Some("::ffff:127.0.0.1"), None, address("[::ffff:127.0.0.1]:5001", false)),
            (Some("0.0.0.0"), None, exposed("0.0.0.0")),
            (Some("0.0.0.0"), Some("admin"), exposed("0.0.0.0")),
            (Some("::"), None, exposed("::")),
            (Some("192.168.1.2"), None, exposed("192.168.1.2")),
            (Some("0.0.0.0"), Some("s3cret"), address("0.0.0.0:5001", false)),
            (Some("::"), Some("s3cret"), address("[::]:5001", false)),
        ];
        for (host, password, expected) in table {
            let password = password.map(SecretString::from);
            let found = listen(host.map(|host| host.parse().unwrap()), 5001, password.as_ref());
            assert_eq!(found, expected, "{host:?}");
        }
        let said = Exposed { host: EVERYWHERE }.to_string();
        assert!(said.contains("Set ADMIN_PASSWORD"), "{said}");
    }
}
