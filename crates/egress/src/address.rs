//! Which addresses are out on the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether a packet to this address leaves for the public internet, after the special-purpose registries of
/// IANA (RFC 6890 and its successors). An address that carries an IPv4 one inside (IPv4-mapped, 6to4, NAT64) is
/// judged by that.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether a user's URL may lead there.
pub(crate) fn is_permitted(address: IpAddr, allow: &[IpNet]) -> bool {
    // A rule for 10.0.0.0/8 means the same host however it is written.
    let canonical = address.to_canonical();
    is_public(address) || allow.iter().any(|net| net.contains(&address) || net.contains(&canonical))
}

/// IPv4 networks that are not on the public internet.
const SPECIAL_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),       // "this network"
    ([10, 0, 0, 0], 8),      // private (RFC 1918)
    ([100, 64, 0, 0], 10),   // carrier-grade NAT; some clouds have their metadata service here
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local; 169.254.169.254 gives away a cloud machine's credentials
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 31, 196, 0], 24), // AS112
    ([192, 52, 193, 0], 24), // AMT
    ([192, 88, 99, 0], 24),  // 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([192, 175, 48, 0], 24), // AS112
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 3),     // multicast, reserved, broadcast
];

/// Networks inside IPv6's global unicast space (`2000::/3`) that are not on the public internet.
const SPECIAL_V6: &[([u16; 3], u32)] = &[
    ([0x2001, 0, 0], 23),         // protocol assignments: Teredo, ORCHID, benchmarks
    ([0x2001, 0xdb8, 0], 32),     // documentation
    ([0x2620, 0x4f, 0x8000], 48), // AS112
    ([0x3fff, 0, 0], 20),         // documentation
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let address = u32::from(address);
    !SPECIAL_V4.iter().any(|&(net, length)| (address ^ u32::from_be_bytes(net)) >> (32 - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = inner_v4(address) {
        return is_public_v4(inner);
    }
    // What is outside of the global unicast space is loopback, local, multicast or not given out yet; also NAT64
    // for local use (64:ff9b:1::/48) and segment routing (5f00::/16).
    let bits = u128::from(address);
    let special = |&([a, b, c], length): &([u16; 3], u32)| {
        (bits ^ u128::from(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))) >> (128 - length) == 0
    };
    bits >> 125 == 1 && !SPECIAL_V6.iter().any(special)
}

/// The IPv4 address that a packet to this address ends up at.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    // IPv4-mapped: the operating system connects to it. NAT64 (RFC 6052) and 6to4: a relay passes it on.
    let ([0, 0, 0, 0, 0, 0xffff, high, low]
    | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
    | [0x2002, high, low, ..]) = address.segments()
    else {
        return None;
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_judged_by_where_their_packets_go() {
        let private = "
            0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255
            127.0.0.1 127.1.2.3 127.255.255.255 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255
            192.0.0.1 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1 192.168.255.255
            192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255
            240.0.0.1 255.255.255.255
            :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
            64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 100::1 100:0:0:1::1
            2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:1ff::1
            2001:db8::1 2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1 2002:c0a8:1::1 2620:4f:8000::1
            3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1
        ";
        let public = "
            1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
            169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.1 192.0.3.0 192.167.255.255
            192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.1 203.0.112.1 203.0.114.1 223.255.255.255
            2001:200::1 2001:4860:4860::8888 2002:808:808::1 2606:4700:4700::1111 2a00:1450:4001::1
            3ffe::1 3fff:1000::1 64:ff9b::8.8.8.8 ::ffff:8.8.8.8
        ";
        for (list, expected) in [(private, false), (public, true)] {
            for text in list.split_whitespace() {
                assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
            }
        }
    }

    #[test]
    fn the_allow_list_lifts_the_filter_for_its_networks_only() {
        let allow: Vec<IpNet> =
            ["10.1.0.0/16", "fd00:1::/32"].iter().map(|net| net.parse().unwrap()).collect();
        let table = [
            ("10.1.2.3", true),
            ("10.2.2.3", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:10.2.2.3", false),
            ("fd00:1::7", true),
            ("fd00:2::7", false),
            ("8.8.8.8", true),
        ];
        for (text, expected) in table {
            assert_eq!(is_permitted(text.parse().unwrap(), &allow), expected, "{text}");
        }
    }
}
