//! What NetworkPolicies let through, judged as a cluster would.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::rendered;
use crate::manifests::{list, the};

/// Whether a policy lets its pods connect to an address, in the cluster or not, on a port.
fn lets_out(policy: &Value, to: &str, port: u64) -> bool {
    let Ok(address) = to.parse::<IpAddr>() else { return false };
    let inside = |block: &Value| block.as_str().and_then(|text| text.parse::<IpNet>().ok());
    list(policy, "/spec/egress").iter().any(|rule| {
        let ports = list(rule, "/ports");
        let port_fits = ports.is_empty() || ports.iter().any(|allowed| allowed["port"] == json!(port));
        let peers = list(rule, "/to");
        let peer_fits = peers.is_empty()
            || peers.iter().filter_map(|peer| peer.get("ipBlock")).any(|block| {
                inside(&block["cidr"]).is_some_and(|net| net.contains(&address))
                    && !list(block, "/except").iter().filter_map(inside).any(|net| net.contains(&address))
            });
        port_fits && peer_fits
    })
}

pub(super) fn check() {
    let private = [
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "127.0.0.1",
        "100.64.3.4",
        "0.0.0.0",
        "224.0.0.1",
        "fd00::1",
        "fe80::1",
        "::1",
        "64:ff9b::a01:203",
    ];
    let public = ["93.184.216.34", "1.1.1.1", "2606:4700::1111"];
    let objects = rendered("distributed", &[]);
    for ending in ["-webhook-dispatcher", "-api", "-session-runner"] {
        let policy = the(&objects, "NetworkPolicy", ending);
        for port in [80, 443, 8443] {
            for address in private {
                assert!(!lets_out(policy, address, port), "{ending} reaches {address}:{port}");
            }
            for address in public {
                assert!(lets_out(policy, address, port), "{ending} does not reach {address}:{port}");
            }
        }
        // What it needs itself.
        for port in [53, 5432, 4222] {
            assert!(lets_out(policy, "10.1.2.3", port), "{ending} does not reach port {port}");
        }
        assert!(!lets_out(policy, "10.1.2.3", 6443), "{ending} has nothing to ask Kubernetes");
    }
    let migration = the(&objects, "NetworkPolicy", "-migration");
    assert!(lets_out(migration, "10.1.2.3", 5432) && !lets_out(migration, "1.1.1.1", 443));

    let objects = rendered("distributed-full", &[]);
    let policy = the(&objects, "NetworkPolicy", "-webhook-dispatcher");
    let table = [
        ("10.20.3.4", 443, true),
        ("10.21.3.4", 443, false),
        ("fd00:20::1", 443, true),
        ("10.9.0.7", 6432, true),
        ("10.9.1.7", 6432, false),
        ("10.9.0.7", 5432, false),
        ("10.0.0.1", 6443, false),
    ];
    for (address, port, expected) in table {
        assert_eq!(lets_out(policy, address, port), expected, "{address}:{port}");
    }
    assert!(lets_out(the(&objects, "NetworkPolicy", "-session-runner"), "10.0.0.1", 6443));
}
