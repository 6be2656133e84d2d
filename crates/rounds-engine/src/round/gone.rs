//! Tombstones: records that a change query shows in order to say that they are gone.
//!
//! A tombstone is often thin: an id and a date. What is told has the last state that is known of the record, with the
//! tombstone's own members laid over it, so that a mapping finds in it what it finds in every other change. A record
//! that nobody knew is told with the tombstone alone.

use super::Interruption;
use super::Round;
use super::failure;
use super::read::{self, Identity, ReadRecord};
use crate::Ports;
use rounds_domain::plan::Action;
use rounds_domain::{Document, Presence, RecordId, Version};
use rounds_map::{Json, JsonKind};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The absence of a record is a state like another. It is not that of any content.
pub(super) fn version_of_absence(last: Version) -> Version {
    let digest = Sha256::new()
        .chain_update("absent\0")
        .chain_update(last.0)
        .finalize();
    let mut version = [0; 16];
    version.copy_from_slice(&digest[..16]);
    Version(version)
}

impl Round<'_> {
    /// Lays the tombstones among these records over what is known of theirs.
    pub(super) async fn complete_tombstones(
        &mut self,
        records: &mut [ReadRecord],
    ) -> Result<(), Interruption> {
        complete(self.ports, self.action, records).await
    }
}

/// Lays the tombstones among these records over what is known of theirs.
pub(super) async fn complete(
    ports: &Ports,
    action: &Arc<Action>,
    records: &mut [ReadRecord],
) -> Result<(), Interruption> {
    let (places, ids): (Vec<usize>, Vec<RecordId>) = (records.iter().enumerate())
        .filter(|(_, record)| {
            record.presence == Presence::Gone && record.identity == Identity::Given
        })
        .map(|(place, record)| (place, record.id.clone()))
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    let known = ports.store.known_records(&action.name, &ids).await?;
    let action = Arc::clone(action);
    let pairs: Vec<_> = (known.into_iter().zip(ids).zip(&places))
        .filter_map(|((known, id), place)| {
            Some((*place, id, known?, records[*place].record.clone()))
        })
        .collect();
    let laid = ports.evaluator.run(move || {
        (pairs.into_iter())
            .filter_map(|(place, id, known, tombstone)| {
                let whole = laid_over(&known, &tombstone)?;
                let key = read::ordering_key_of(&action, &id, &whole);
                Some((place, key, Document::new(whole.to_bytes())))
            })
            .collect::<Vec<_>>()
    });
    let laid = laid
        .await
        .map_err(|error| failure::not_evaluated("reading records that are gone", error))?;
    for (place, key, record) in laid {
        records[place].ordering_key = key;
        records[place].record = record;
    }
    Ok(())
}

/// The known record with the tombstone's members in place of its own; None where one of them is no object.
fn laid_over(known: &Document, tombstone: &Document) -> Option<Json> {
    let known = Json::parse(known.bytes()).ok()?;
    let tombstone = Json::parse(tombstone.bytes()).ok()?;
    if known.kind() != JsonKind::Object || tombstone.kind() != JsonKind::Object {
        return None;
    }
    let kept = known
        .members()
        .filter(|(name, _)| tombstone.get(name).is_none());
    let members: Vec<(String, Json)> = kept
        .chain(tombstone.members())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Some(Json::object(members))
}
