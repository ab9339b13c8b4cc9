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
