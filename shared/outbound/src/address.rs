//! Which addresses requests may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Refusal;

/// Addresses of the machine and of the cloud it runs in: link-local (which holds the metadata
/// service of AWS, Azure and Google), and the fixed addresses of metadata services outside it. No
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
        // A tunnel address is refused for what is inside it, even where the tunnel itself is
        // allowed.
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
mod tests;
