//! Records that are gone: told only from a sweep that was complete.
//!
//! After its last page a sweep asks the store what it should have shown and has not. A record that has moved out of the
//! dates that the sweep looks at, or changed last before it begins to look, is not gone but out of sight. Of the rest, everything is told or nothing: if more than
//! the configured share is missing it is far more likely that the answer is wrong (a lost filter, a revoked permission, an empty
//! page with status 200) than that a clinic deleted a tenth of its appointments, so all of them are held back, counted and
//! logged, and the next sweep looks again.
//!
//! What to mind: this runs after all pages were committed as shown, and never after a page that failed.

use super::cursor::Position;
use super::failure::{self, failure};
use super::gone::version_of_absence;
use super::read::{self, Identity, ReadRecord, dates_of, day_of};
use super::{Interruption, Round};
use crate::ids::new_container_id;
use jiff::civil::Date;
use rounds_domain::plan::{Action, CursorRule, Deletions, Feed, Missed, Sweep, SweepScope};
use rounds_domain::{Change, MissedRecord, Presence, RecordId, Resolution, RoundEnd};
use rounds_map::Json;
use std::sync::Arc;

/// How many missed records are looked at at once.
const BATCH: usize = 500;
/// This many are never too many.
const ALWAYS_TOLD: u64 = 1;

/// What a sweep counted of its own answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Records with an identity.
    pub(super) records: u64,
}

impl Round<'_> {
    /// Tells what a complete sweep did not show any more.
    pub(super) async fn tell_absent(&mut self, seen: Seen) -> Result<(), Interruption> {
        let CursorRule::Sweep(sweep) = &self.feed.cursor else {
            return Ok(());
        };
        let Deletions::Told {
            hold_back_above_percent,
            missed,
        } = sweep.deletions
        else {
            return Ok(());
        };
        // What was shown must be in the store before it is asked what was not.
        self.commit_part(RoundEnd::Unfinished, None).await?;
        let gone = self.count_gone(missed).await?;
        let allowed = (seen.records + gone) * u64::from(hold_back_above_percent) / 100;
        if gone > allowed.max(ALWAYS_TOLD) {
            self.counts.held_back = gone;
            tracing::warn!(
                action = %self.action.name,
                feed = %self.feed.name,
                gone,
                shown = seen.records,
                hold_back_above_percent,
                "a sweep did not show many records that are known; none of them is told as deleted. If they are really gone, raise `hold_back`"
            );
            return Ok(());
        }
        if gone > 0 {
            self.tell_gone(missed).await?;
        }
        Ok(())
    }

    /// Counts what is gone, and notes what is only out of sight.
    async fn count_gone(&mut self, missed: Missed) -> Result<u64, Interruption> {
        let mut gone = 0;
        let mut after = None;
        loop {
            let Some(batch) = self.next_missed(missed, &mut after).await? else {
                return Ok(gone);
            };
            gone += u64::try_from(batch.gone.len()).unwrap_or(u64::MAX);
            if !batch.out_of_sight.is_empty() {
                let left = batch.out_of_sight;
                self.send_commit(RoundEnd::Unfinished, None, Vec::new(), Vec::new(), left)
                    .await?;
            }
        }
    }

    async fn tell_gone(&mut self, missed: Missed) -> Result<(), Interruption> {
        let mut after = None;
        while let Some(batch) = self.next_missed(missed, &mut after).await? {
            self.counts.deleted += u64::try_from(batch.gone.len()).unwrap_or(u64::MAX);
            self.send_commit(
                RoundEnd::Unfinished,
                None,
                batch.gone,
                Vec::new(),
                Vec::new(),
            )
            .await?;
        }
        Ok(())
    }

    async fn next_missed(
        &mut self,
        missed: Missed,
        after: &mut Option<RecordId>,
    ) -> Result<Option<Batch>, Interruption> {
        let found = self
            .ports
            .store
            .missed_records(&self.key, self.started_at, missed, after.as_ref(), BATCH)
            .await?;
        let Some(last) = found.last() else {
            return Ok(None);
        };
        *after = Some(last.id.clone());
        let (action, feed) = (Arc::clone(self.action), Arc::clone(self.feed));
        let dates = self.asked_dates;
        let sorted = self.ports.evaluator.run(move || {
            let mut gone = Vec::new();
            let mut out_of_sight = Vec::new();
            for missed in found {
                match read_missed(&action, &feed, dates, &missed) {
                    Some(record) => gone.push((missed.version, record)),
                    None => out_of_sight.push(missed.id),
                }
            }
            (gone, out_of_sight)
        });
        let (gone, out_of_sight) = sorted.await.map_err(|error| {
            failure(
                failure::EVALUATOR,
                format!("reading records that are gone: {error}"),
                "this is a fault of Rounds: please report it",
            )
        })?;
        let gone = gone
            .into_iter()
            .map(|(version, record)| Change {
                container: new_container_id(self.ports),
                record_id: record.id,
                version: version_of_absence(version),
                ordering_key: record.ordering_key,
                record: record.record,
                presence: Presence::Gone,
                read_at: self.started_at,
                resolution: Resolution::Tell,
            })
            .collect();
        Ok(Some(Batch { gone, out_of_sight }))
    }
}

struct Batch {
    gone: Vec<Change>,
    out_of_sight: Vec<RecordId>,
}

/// The record as it was seen last; None where it cannot be said to be gone: it has no identity of its own (its changed
/// self is another), or its date is not among those that were asked for.
fn read_missed(
    action: &Action,
    feed: &Feed,
    dates: Option<(Date, Date)>,
    missed: &MissedRecord,
) -> Option<ReadRecord> {
    let record = Json::parse(missed.record.bytes()).ok()?;
    if let (Some((from, to)), Some(range)) = (dates, dates_of(feed)) {
        let day = day_of(range, &record)?;
        if day < from || day > to {
            return None;
        }
    }
    let read = read::record(action, feed, &record);
    (read.identity == Identity::Given && !is_before_sweep(feed, read.position)).then_some(read)
}

/// Whether a record is dated before what a sweep by the change query asks for.
fn is_before_sweep(feed: &Feed, position: Position) -> bool {
    match (&feed.cursor, position) {
        (
            CursorRule::Sweep(Sweep {
                scope: SweepScope::ChangesSince { since, .. },
                ..
            }),
            Position::At(at),
        ) => at < *since,
        _ => false,
    }
}
