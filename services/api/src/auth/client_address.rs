//! The address of a client behind proxies.
//!
//! Each proxy appends the address that it was connected from to `X-Forwarded-For`; whatever stands before that was
//! said by the client itself. So the list is read from its end, for as long as it was written by proxies that the
//! operator trusts.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The first address from `peer` back that is no trusted proxy.
pub(super) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let mut address = peer;
    let mut before = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .rev()
        .flat_map(|value| value.as_bytes().rsplit(|&byte| byte == b','));
    while is_proxy(address) {
        // A proxy that says nothing readable is the last one that is known.
        let Some(said) = before.next().and_then(parse) else { break };
        address = said;
    }
    address
}

/// The client came over HTTPS, as the trusted proxy in front says.
pub(super) fn is_https(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    let believed =
        peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(&peer.to_canonical())));
    let said = headers.get_all(FORWARDED_PROTO).iter().next_back();
    // Of several proxies, the one in front of the others knows.
    let first = said.and_then(|said| said.as_bytes().split(|&byte| byte == b',').next());
    believed && first.is_some_and(|word| word.trim_ascii().eq_ignore_ascii_case(b"https"))
}

/// `192.0.2.1`, `2001:db8::1`, and the forms with a port that some proxies write.
fn parse(said: &[u8]) -> Option<IpAddr> {
    let said = str::from_utf8(said).ok()?.trim();
    let bare = said.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(said);
    bare.parse().ok().or_else(|| said.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_that_it_was_https() {
        let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
        let table = [
            (Some("10.0.0.1"), Some("https"), true),
            (Some("10.0.0.1"), Some("HTTPS, http"), true),
            (Some("10.0.0.1"), Some("http"), false),
            (Some("10.0.0.1"), None, false),
            (Some("192.0.2.1"), Some("https"), false),
            (None, Some("https"), false),
        ];
        for (peer, said, expected) in table {
            let mut headers = HeaderMap::new();
            headers.extend(
                said.map(|said| (header::HeaderName::from_static(FORWARDED_PROTO), said.parse().unwrap())),
            );
            let peer = peer.map(|peer| peer.parse().unwrap());
            assert_eq!(is_https(peer, &headers, &trusted), expected, "{peer:?} {said:?}");
        }
    }

    #[test]
    fn the_list_is_read_back_to_the_first_who_is_not_trusted() {
        let table: [(&str, &[&str], &str); 14] = [
            // Nobody in front: what the client says of itself is worth nothing.
            ("203.0.113.9", &["10.0.0.1"], "203.0.113.9"),
            ("203.0.113.9", &[], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // A forged beginning.
            ("10.0.0.1", &["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["10.9.9.9, 198.51.100.7,10.0.0.2 , 10.0.0.3"], "198.51.100.7"),
            ("10.0.0.1", &["10.0.0.3"], "10.0.0.3"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("fd00::1", &["2001:db8::5"], "2001:db8::5"),
            ("10.0.0.1", &["[2001:db8::5]:443"], "2001:db8::5"),
            ("10.0.0.1", &["198.51.100.7:5000"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7, "], "10.0.0.1"),
        ];
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (peer, said, expected) in table {
            let mut headers = HeaderMap::new();
            for line in said {
                headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
            }
            let found = of(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {said:?}");
            assert_eq!(of(peer.parse().unwrap(), &headers, &[]), peer.parse::<IpAddr>().unwrap());
        }
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(
            of("10.0.0.1".parse().unwrap(), &headers, &trusted),
            "10.0.0.1".parse::<IpAddr>().unwrap()
        );
    }
}
