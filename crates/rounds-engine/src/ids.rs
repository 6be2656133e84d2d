//! New identifiers.

use crate::Ports;
use rounds_domain::ContainerId;

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
