use super::*;
use proptest::prelude::*;

fn kind(address: &str) -> AddressKind {
    AddressKind::of(address.parse().expect("an address in a test"))
}

fn range(network: &str, prefix_bits: u8) -> AddressRange {
    AddressRange {
        address: network.parse().expect("an address in a test"),
        prefix_bits,
    }
}

fn public_only() -> AddressPolicy {
    AddressPolicy::PublicOnly { except: Vec::new() }
}

#[test]
fn each_range_ends_where_it_should() {
    use AddressKind::*;
    for (addresses, expected) in [
        (
            "8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.167.255.255",
            Public,
        ),
        (
            "192.0.1.0 192.0.3.0 198.17.255.255 198.20.0.0 223.255.255.255 11.0.0.0 126.255.255.255",
            Public,
        ),
        (
            "169.253.255.255 169.255.0.0 168.63.129.17 2606:4700::1111 2001:200:: 3ffe:ffff:: 2003::",
            Public,
        ),
        (
            "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 192.0.0.192 168.63.129.16",
            Metadata,
        ),
        (
            "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42",
            Metadata,
        ),
        (
            "169.254.0.0 169.254.255.255 fe80:: fe80::1 febf::1",
            LinkLocal,
        ),
        ("127.0.0.1 127.255.255.255 ::1", Loopback),
        (
            "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.1 fc00:: fdff::1 fec0::1",
            Private,
        ),
        ("100.64.0.0 100.127.255.255", CarrierShared),
        (
            "192.0.2.1 198.51.100.255 203.0.113.7 2001:db8::1 3fff::1",
            Documentation,
        ),
        ("198.18.0.0 198.19.255.255 2001:2::1", Benchmark),
        ("224.0.0.1 239.255.255.255 ff02::1", Multicast),
        ("255.255.255.255", Broadcast),
        ("0.0.0.0 0.1.2.3 ::", Unspecified),
        (
            "192.88.99.1 2002:808:808::1 2001::1 64:ff9b:1::808:808",
            Tunnel,
        ),
        (
            "240.0.0.1 192.0.0.1 100::1 5f00::1 2001:20::1 ::8.8.8.8 4000::1",
            Reserved,
        ),
    ] {
        for address in addresses.split(' ') {
            assert_eq!(kind(address), expected, "{address}");
        }
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_judged_as_what_it_is() {
    for (address, expected) in [
        ("::ffff:127.0.0.1", AddressKind::Loopback),
        ("::ffff:8.8.8.8", AddressKind::Public),
        ("64:ff9b::10.0.0.1", AddressKind::Private),
        ("64:ff9b::8.8.8.8", AddressKind::Public),
        ("::ffff:169.254.169.254", AddressKind::Metadata),
        ("64:ff9b::a9fe:a9fe", AddressKind::Metadata),
        ("64:ff9b:1::a9fe:a9fe", AddressKind::Metadata),
        ("2002:a9fe:a9fe::1", AddressKind::Metadata),
        ("2001:0:1:2:3:4:5601:5601", AddressKind::Metadata),
        ("::169.254.169.254", AddressKind::Metadata),
        ("::ffff:0:169.254.1.1", AddressKind::LinkLocal),
    ] {
        assert_eq!(kind(address), expected, "{address}");
    }
}

#[test]
fn an_allowed_range_opens_itself_and_nothing_else() {
    let policy = AddressPolicy::PublicOnly {
        except: vec![range("10.1.0.0", 16), range("fd12::", 16)],
    };
    for (address, allowed) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("64:ff9b::10.1.2.3", true),
        ("fd12::7", true),
        ("8.8.8.8", true),
        ("10.2.0.0", false),
        ("127.0.0.1", false),
        ("fd13::7", false),
    ] {
        let address = address.parse().expect("an address in a test");
        assert_eq!(policy.check(address).is_ok(), allowed, "{address}");
    }
}

#[test]
fn no_range_allows_metadata_and_no_operator_either() {
    let everything = AddressPolicy::PublicOnly {
        except: vec![range("0.0.0.0", 0), range("::", 0)],
    };
    for policy in [everything, AddressPolicy::NamedByOperator] {
        for address in [
            "169.254.169.254",
            "169.254.7.7",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
        ] {
            let address = address.parse().expect("an address in a test");
            assert!(policy.check(address).is_err(), "{address} with {policy:?}");
        }
        assert!(policy.check(Ipv4Addr::LOCALHOST.into()).is_ok());
        assert!(policy.check(Ipv4Addr::new(10, 0, 0, 1).into()).is_ok());
    }
}

#[test]
fn the_many_spellings_of_a_literal_are_one() {
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:7f00:1]",
    ] {
        let url = Url::parse(&format!("http://{host}:8080/hook")).expect("a URL in a test");
        let refusal = public_only().check_url(&url).expect_err(host);
        assert_eq!(refusal.kind, AddressKind::Loopback, "{host}");
    }
}

#[test]
fn a_refusal_names_the_address_and_its_kind() {
    let refusal = public_only()
        .check(Ipv4Addr::new(10, 1, 2, 3).into())
        .expect_err("it is private");
    assert_eq!(refusal.to_string(), "10.1.2.3 is a private address");
}

proptest! {
    /// The standard library knows most of these ranges by itself: where it says that an address is special, so do we.
    #[test]
    fn what_the_standard_library_calls_special_is_not_public(bits: u32) {
        let address = Ipv4Addr::from_bits(bits);
        let special = address.is_private() || address.is_loopback() || address.is_link_local()
            || address.is_broadcast() || address.is_documentation() || address.is_multicast()
            || address.is_unspecified();
        if special {
            prop_assert_ne!(AddressKind::of(address.into()), AddressKind::Public);
        }
        prop_assert_eq!(AddressKind::of(address.to_ipv6_mapped().into()), AddressKind::of(address.into()));
    }

    #[test]
    fn what_the_standard_library_calls_special_is_not_public_in_ipv6(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        let special = address.is_loopback() || address.is_multicast() || address.is_unspecified()
            || address.is_unique_local() || address.is_unicast_link_local();
        if special {
            prop_assert_ne!(AddressKind::of(address.into()), AddressKind::Public);
        }
    }
}
