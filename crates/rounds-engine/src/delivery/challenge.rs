//! Redox's endpoint challenge: an endpoint proves itself before the first notification is sent to it.

use crate::Ports;
use rounds_domain::Version;
use rounds_domain::plan::{Challenge, Destination};
use rounds_domain::ports::{DestinationNote, DestinationState, StoreError};
use sha2::{Digest, Sha256};

/// Whether notifications may be sent to an endpoint.
pub(super) enum Proof {
    /// They may.
    Given,
    /// Not yet: it was asked and did not prove itself.
    Failed,
}

/// Asks the endpoint to prove itself, unless it did so at this URL before or need not.
pub(super) async fn prove(
    ports: &Ports,
    destination: &Destination,
    state: &DestinationState,
) -> Result<Proof, StoreError> {
    if destination.challenge == Challenge::None {
        return Ok(Proof::Given);
    }
    let mark = mark_of(destination);
    if state
        .verified
        .as_ref()
        .is_some_and(|(verified, _)| *verified == mark)
    {
        return Ok(Proof::Given);
    }
    let challenge = format!(
        "{:016x}{:016x}",
        ports.randomness.next_u64(),
        ports.randomness.next_u64()
    );
    match ports
        .destinations
        .challenge(&destination.name, challenge)
        .await
    {
        Ok(()) => {
            tracing::info!(destination = %destination.name, "the endpoint answered the challenge");
            let note = DestinationNote::Verified(mark, ports.clock.now());
            ports
                .store
                .note_destination(&destination.name, note)
                .await?;
            Ok(Proof::Given)
        }
        Err(failure) => {
            tracing::warn!(
                destination = %destination.name,
                code = %failure.code,
                "the endpoint did not prove itself, so nothing is sent to it: {failure}"
            );
            Ok(Proof::Failed)
        }
    }
}

/// A mark of the endpoint: another URL has to prove itself anew.
fn mark_of(destination: &Destination) -> String {
    let digest = Sha256::digest(destination.url.as_str());
    let mut mark = [0; 16];
    mark.copy_from_slice(&digest[..16]);
    Version(mark).to_string()
}
