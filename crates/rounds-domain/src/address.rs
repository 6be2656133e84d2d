//! Which addresses may be dialled.
//!
//! A destination's URL may come from someone who should not reach what Rounds can reach: the metadata service of a
//! cloud machine hands out credentials to whoever asks, and a hospital's inner network trusts its neighbours. So a
//! destination is dialled only at public addresses, unless its operator allows more, and metadata and link-local
//! addresses are never dialled, for anybody. An EHR is named by the operator and often private, so for it only the
//! latter holds.
//!
//! How it works: an address is brought to its plain form first (an IPv6 address that merely carries an IPv4 one is
//! judged by what it carries), then the first matching row of a table names its kind. The ranges are those of the IANA
//! special-purpose registries (RFC 6890 and what came after it); the metadata addresses are those that the cloud
//! providers document.
//!
//! What to mind: the check belongs in three places. Literals in a URL never reach a resolver, and names must be judged
//! by the very addresses that are then dialled: both where it is dialled, in `rounds-http`. And what a configuration says of literals is the
//! same judgement, made before anything runs.

use crate::plan::AddressRange;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Which addresses may be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressPolicy {
    /// For what the operator names himself, an EHR: anything but metadata and link-local addresses.
    NamedByOperator,
    /// For destinations: public addresses only, and those that are allowed by range. No range allows a metadata or
    /// link-local address.
    PublicOnly {
        /// What may be dialled all the same.
        except: Vec<AddressRange>,
    },
}

/// What sort of address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// Anyone may have it.
    Public,
    /// A cloud provider's service that hands out what the machine may know.
    Metadata,
    /// Valid on the local link only (`169.254.0.0/16`, `fe80::/10`).
    LinkLocal,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, unique local).
    Private,
    /// Shared between a carrier and its customers (100.64.0.0/10).
    CarrierShared,
    /// For examples in documents.
    Documentation,
    /// For benchmarks of network devices.
    Benchmark,
    /// A group, not a machine.
    Multicast,
    /// Everyone on the link.
    Broadcast,
    /// No address (0.0.0.0/8, ::).
    Unspecified,
    /// IPv6 that carries IPv4 to a relay (6to4, Teredo, local NAT64): where it ends is not for us to know.
    Tunnel,
    /// Kept back for something else.
    Reserved,
}

/// An address that may not be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {}", .kind.in_words())]
pub struct AddressRefusal {
    /// The address as it was given or resolved.
    pub address: IpAddr,
    /// What sort of address it is.
    pub kind: AddressKind,
}

impl AddressRefusal {
    /// How to mend it.
    pub const fn hint(&self) -> &'static str {
        match self.kind {
            AddressKind::Metadata | AddressKind::LinkLocal => {
                "metadata and link-local addresses are never dialled; use another address"
            }
            _ => {
                "list the range under allow_addresses of the destination if it is meant to be reached"
            }
        }
    }
}

impl AddressKind {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Metadata => "a cloud metadata address",
            Self::LinkLocal => "a link-local address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::CarrierShared => "a carrier's shared address",
            Self::Documentation => "a documentation address",
            Self::Benchmark => "a benchmark address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "a broadcast address",
            Self::Unspecified => "an unspecified address",
            Self::Tunnel => "a tunnel address",
            Self::Reserved => "a reserved address",
        }
    }

    /// Whether nobody may allow it.
    pub const fn is_never_dialled(self) -> bool {
        matches!(self, Self::Metadata | Self::LinkLocal)
    }

    /// What sort of address this is.
    pub fn of(address: IpAddr) -> Self {
        match plain(address) {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => match tunnelled(address).map(of_v4) {
                Some(inner) if inner.is_never_dialled() => inner,
                _ => of_v6(address),
            },
        }
    }
}

impl AddressPolicy {
    /// Whether this address may be dialled.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefusal> {
        let kind = AddressKind::of(address);
        let dialled = match self {
            _ if kind.is_never_dialled() => false,
            Self::NamedByOperator => true,
            Self::PublicOnly { except } => {
                kind == AddressKind::Public
                    || except
                        .iter()
                        .any(|range| range.contains(address) || range.contains(plain(address)))
            }
        };
        if dialled {
            Ok(())
        } else {
            Err(AddressRefusal { address, kind })
        }
    }

    /// Whether a URL may be dialled, as far as it says: a URL with a name passes here and is judged when it is resolved.
    pub fn check_url(&self, url: &Url) -> Result<(), AddressRefusal> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// The IPv4 address in an IPv6 one, where dialling the one is dialling the other: IPv4-mapped (RFC 4291) and the
/// well-known NAT64 prefix (RFC 6052), which DNS64 gives for public hosts too.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => last_32_bits(v6).into(),
            _ => address,
        },
        IpAddr::V4(_) => address,
    }
}

/// The IPv4 address that a tunnel would lead to: 6to4 (RFC 3056), Teredo (RFC 4380, inverted), local NAT64 (RFC 8215),
/// and the old forms in `::/8`.
fn tunnelled(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(
            (u32::from(high) << 16) | u32::from(low),
        )),
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!last_32_bits(address).to_bits())),
        [0x64, 0xff9b, 1, ..] | [0..=0xff, ..] => Some(last_32_bits(address)),
        _ => None,
    }
}

fn last_32_bits(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// First match wins. No match is public.
const V4_RANGES: &[([u8; 4], u32, AddressKind)] = &[
    // AWS, Google, Azure and others; the two after it are AWS's for containers.
    ([169, 254, 169, 254], 32, AddressKind::Metadata),
    ([169, 254, 170, 2], 32, AddressKind::Metadata),
    ([169, 254, 170, 23], 32, AddressKind::Metadata),
    ([169, 254, 0, 0], 16, AddressKind::LinkLocal),
    // Alibaba, Oracle's former one, Azure's platform endpoint.
    ([100, 100, 100, 200], 32, AddressKind::Metadata),
    ([192, 0, 0, 192], 32, AddressKind::Metadata),
    ([168, 63, 129, 16], 32, AddressKind::Metadata),
    ([0, 0, 0, 0], 8, AddressKind::Unspecified),
    ([10, 0, 0, 0], 8, AddressKind::Private),
    ([172, 16, 0, 0], 12, AddressKind::Private),
    ([192, 168, 0, 0], 16, AddressKind::Private),
    ([127, 0, 0, 0], 8, AddressKind::Loopback),
    ([100, 64, 0, 0], 10, AddressKind::CarrierShared),
    ([192, 0, 0, 0], 24, AddressKind::Reserved),
    ([192, 0, 2, 0], 24, AddressKind::Documentation),
    ([198, 51, 100, 0], 24, AddressKind::Documentation),
    ([203, 0, 113, 0], 24, AddressKind::Documentation),
    ([192, 88, 99, 0], 24, AddressKind::Tunnel),
    ([198, 18, 0, 0], 15, AddressKind::Benchmark),
    ([224, 0, 0, 0], 4, AddressKind::Multicast),
    ([255, 255, 255, 255], 32, AddressKind::Broadcast),
    ([240, 0, 0, 0], 4, AddressKind::Reserved),
];

/// First match wins. No match is public within `2000::/3`, which is all that was ever given out, and reserved elsewhere.
const V6_RANGES: &[([u16; 8], u32, AddressKind)] = &[
    // AWS, Google, Scaleway.
    ([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, AddressKind::Metadata),
    (
        [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254],
        128,
        AddressKind::Metadata,
    ),
    (
        [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42],
        128,
        AddressKind::Metadata,
    ),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, AddressKind::LinkLocal),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, AddressKind::Private),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, AddressKind::Private),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, AddressKind::Multicast),
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, AddressKind::Unspecified),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, AddressKind::Loopback),
    (
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0],
        32,
        AddressKind::Documentation,
    ),
    (
        [0x3fff, 0, 0, 0, 0, 0, 0, 0],
        20,
        AddressKind::Documentation,
    ),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, AddressKind::Tunnel),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, AddressKind::Tunnel),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, AddressKind::Tunnel),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, AddressKind::Benchmark),
    // The rest of the IETF's protocol assignments.
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, AddressKind::Reserved),
    ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, AddressKind::Public),
    ([0, 0, 0, 0, 0, 0, 0, 0], 0, AddressKind::Reserved),
];

fn of_v4(address: Ipv4Addr) -> AddressKind {
    V4_RANGES
        .iter()
        .find(|(network, prefix_bits, _)| {
            let difference = Ipv4Addr::from(*network).to_bits() ^ address.to_bits();
            difference.leading_zeros() >= *prefix_bits
        })
        .map_or(AddressKind::Public, |(_, _, kind)| *kind)
}

fn of_v6(address: Ipv6Addr) -> AddressKind {
    V6_RANGES
        .iter()
        .find(|(network, prefix_bits, _)| {
            let difference = Ipv6Addr::from(*network).to_bits() ^ address.to_bits();
            difference.leading_zeros() >= *prefix_bits
        })
        .map_or(AddressKind::Reserved, |(_, _, kind)| *kind)
}

#[cfg(test)]
mod tests;
