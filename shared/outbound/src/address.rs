//! Which addresses requests may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Refusal;

/// Addresses of the machine and of the cloud it runs in: link-local (which holds the metadata service
/// of AWS, Azure and Google), and the fixed addresses of metadata services outside it. No
/// configuration opens them.
const NEVER: &[(IpNet, &str)] = &[
    (v4(169, 254, 0, 0, 16), "link-local and metadata"),
    (v4(100, 100, 100, 200, 32), "metadata"),
    (v4(168, 63, 129, 16, 32), "metadata"),
    (v4(192, 0, 0, 192, 32), "metadata"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), "metadata"),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), "metadata"),
];

/// Ranges that are not on the public internet (IANA special-purpose registries for IPv4 and IPv6).
const SPECIAL: &[(IpNet, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relays"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved and broadcast"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "IPv4-compatible"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "local NAT64"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discard"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "protocol assignments and Teredo"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "documentation"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "documentation"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "segment routing"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// The only part of IPv6 that is handed out for the public internet (RFC 4291, section 2.4).
const GLOBAL_V6: IpNet = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(parts: [u16; 8], prefix: u8) -> IpNet {
    let [a, b, c, d, e, f, g, h] = parts;
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix))
}

/// The public internet, and what the configuration adds to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressPolicy {
    allowed: Vec<IpNet>,
}

impl AddressPolicy {
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether requests may go to `ip`.
    pub(crate) fn check(&self, ip: IpAddr) -> Result<(), Refusal> {
        let forbidden = |range| Err(Refusal::Forbidden { ip, range });
        let reached = reached(ip);
        // A tunnel address is refused for what is inside it, even where the tunnel itself is allowed.
        let inside = [Some(ip), Some(reached), inside_6to4(ip)];
        if let Some(range) = inside.into_iter().flatten().find_map(|ip| range_of(NEVER, ip)) {
            return forbidden(range);
        }
        if self.allowed.iter().any(|net| net.contains(&ip) || net.contains(&reached)) {
            return Ok(());
        }
        match range_of(SPECIAL, reached) {
            Some(range) => forbidden(range),
            None if reached.is_ipv6() && !GLOBAL_V6.contains(&reached) => forbidden("unassigned"),
            None => Ok(()),
        }
    }
}

fn range_of(table: &[(IpNet, &'static str)], ip: IpAddr) -> Option<&'static str> {
    table.iter().find(|(net, _)| net.contains(&ip)).map(|(_, range)| *range)
}

/// The address that a packet to `ip` reaches in the end: IPv4 inside an IPv4-mapped (RFC 4291) or a
/// NAT64 address (RFC 6052), else `ip` itself.
fn reached(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let nat64 = v6.octets()[..12] == NAT64.octets()[..12];
    if nat64 { last_four(v6.octets()).into() } else { ip }
}

fn last_four(octets: [u8; 16]) -> Ipv4Addr {
    let [.., a, b, c, d] = octets;
    Ipv4Addr::new(a, b, c, d)
}

/// The IPv4 address inside a 6to4 address (RFC 3056).
fn inside_6to4(ip: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = ip else { return None };
    let [0x20, 0x02, a, b, c, d, ..] = v6.octets() else { return None };
    Some(Ipv4Addr::new(a, b, c, d).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn policy(allowed: &[&str]) -> AddressPolicy {
        AddressPolicy::new(allowed.iter().map(|net| net.parse().unwrap()).collect())
    }

    #[test]
    fn every_range_that_is_not_public_is_forbidden_at_both_its_ends() {
        for (net, range) in NEVER.iter().chain(SPECIAL) {
            for ip in [net.network(), net.broadcast()] {
                assert!(policy(&[]).check(ip).is_err(), "{ip} is {range}");
            }
        }
    }

    #[test]
    fn what_lies_just_outside_the_ranges_is_public() {
        let public = [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2003::1",
            "2600::1",
            "2a00::1",
            "3ffe::1",
        ];
        for text in public {
            assert!(policy(&[]).check(ip(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn known_ways_around_a_guard_are_closed() {
        let forbidden = [
            "0.0.0.0",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "169.254.170.2",
            "255.255.255.255",
            "100.100.100.200",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "100::1",
            "5f00::1",
            "2001:db8::1",
            "3fff::1",
            "fec0::1",
            "4000::1",
            "1::1",
        ];
        for text in forbidden {
            assert!(policy(&[]).check(ip(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_that_only_wraps_another_shares_its_verdict() {
        for text in ["::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(policy(&[]).check(ip(text)).is_ok(), "{text}");
        }
        assert!(policy(&["127.0.0.0/8"]).check(ip("::ffff:127.0.0.1")).is_ok());
        assert!(policy(&["10.0.0.0/8"]).check(ip("64:ff9b::a00:1")).is_ok());
    }

    #[test]
    fn a_range_is_opened_by_listing_it_and_nothing_else_is() {
        let policy = policy(&["10.1.0.0/16", "fd12::/16"]);
        for (text, fine) in [
            ("10.1.2.3", true),
            ("10.2.0.1", false),
            ("fd12::1", true),
            ("fd13::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(policy.check(ip(text)).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn link_local_and_metadata_stay_forbidden_even_when_everything_is_listed() {
        let policy = policy(&["0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10", "fd00::/8"]);
        let never = [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "fd00:ec2::254",
            "168.63.129.16",
        ];
        for text in never {
            assert!(policy.check(ip(text)).is_err(), "{text}");
        }
        assert!(policy.check(ip("10.0.0.1")).is_ok());
    }

    proptest! {
        #[test]
        fn the_standard_librarys_own_classes_are_never_dialled(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let inner = v4.is_private() || v4.is_loopback() || v4.is_link_local()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_multicast()
                || v4.is_unspecified();
            if inner {
                prop_assert!(policy(&[]).check(v4.into()).is_err());
            }
        }

        #[test]
        fn a_wrapped_address_never_fares_better_than_the_one_inside(bits in any::<u32>()) {
            let policy = policy(&["10.0.0.0/8"]);
            let v4 = Ipv4Addr::from_bits(bits);
            let nat64 = Ipv6Addr::from_bits(NAT64.to_bits() | u128::from(bits));
            let six_to_four = Ipv6Addr::from_bits((0x2002 << 112) | (u128::from(bits) << 80));
            let inside = policy.check(v4.into()).is_ok();
            prop_assert_eq!(policy.check(v4.to_ipv6_mapped().into()).is_ok(), inside);
            prop_assert_eq!(policy.check(nat64.into()).is_ok(), inside);
            prop_assert!(policy.check(six_to_four.into()).is_err());
        }

        #[test]
        fn no_ipv6_address_outside_the_global_part_is_dialled(bits in any::<u128>()) {
            let v6 = Ipv6Addr::from_bits(bits);
            if bits >> 125 != 1 && reached(v6.into()).is_ipv6() {
                prop_assert!(policy(&[]).check(v6.into()).is_err());
            }
        }

        #[test]
        fn listing_a_range_never_opens_link_local(host in any::<u16>(), prefix in 0_u8..=32) {
            let ip = Ipv4Addr::from_bits(0xa9fe_0000 | u32::from(host));
            let net = IpNet::new(ip.into(), prefix).unwrap();
            prop_assert!(AddressPolicy::new(vec![net]).check(ip.into()).is_err());
        }
    }
}
