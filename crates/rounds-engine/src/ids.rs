//! Identifiers.

use crate::Ports;
use jiff::Timestamp;
use rounds_domain::{ContainerId, DeliveryId, InstanceId, RecordId};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new container's id: 48 bits of milliseconds and 80 bits of chance in Crockford's base 32, so that ids sort by the
/// time of their creation and do not collide between processes.
pub(crate) fn new_container_id(ports: &Ports) -> ContainerId {
    let milliseconds = u128::try_from(ports.clock.now().as_millisecond()).unwrap_or(0);
    let chance =
        (u128::from(ports.randomness.next_u64()) << 64) | u128::from(ports.randomness.next_u64());
    let bits = (milliseconds << 80) | (chance >> 48);
    let text: String = (0..26)
        .rev()
        .map(|place| {
            let digit = (bits >> (place * 5)) & 31;
            char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)])
        })
        .collect();
    ContainerId::new(format!("{}{text}", ContainerId::PREFIX))
}

/// What stands for a record in a log: eight digits of a hash of its identity, with the installation's name as salt.
pub(crate) fn record_mark(instance: &InstanceId, record: &RecordId) -> String {
    let mut hash = Sha256::new();
    hash.update(instance.as_str());
    hash.update([0]);
    hash.update(record.expose());
    let mut digits = [0; 4];
    digits.copy_from_slice(&hash.finalize()[..4]);
    format!("{:08x}", u32::from_be_bytes(digits))
}

/// What an attempt at a delivery is called: made of what is kept of it, so that a receiver's record and ours name the same.
pub fn attempt_id(delivery: &DeliveryId, started_at: Timestamp) -> String {
    let mut hash = Sha256::new();
    hash.update(delivery.notification.as_str());
    hash.update([0]);
    hash.update(delivery.destination.as_str());
    hash.update(started_at.as_nanosecond().to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid(u128::from_be_bytes(bytes), Version::Custom)
}

/// What a UUID's bits come from (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Chance: version 4.
    Random,
    /// A hash of our own: version 8.
    Custom,
}

/// A UUID of these bits, but for those that say which kind it is.
pub(crate) fn uuid(bits: u128, version: Version) -> String {
    let version = match version {
        Version::Random => 4,
        Version::Custom => 8,
    };
    let bits = bits & !(0xf << 76) | (version << 76);
    let bits = bits & !(0b11 << 62) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]);
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_of_which_kind_it_is() {
        for (bits, version, expected) in [
            (
                u128::MAX,
                Version::Random,
                "ffffffff-ffff-4fff-bfff-ffffffffffff",
            ),
            (0, Version::Random, "00000000-0000-4000-8000-000000000000"),
            (0, Version::Custom, "00000000-0000-8000-8000-000000000000"),
        ] {
            assert_eq!(uuid(bits, version), expected);
        }
    }
}
