//! Records that are gone: told only from sweeps that were complete, and only after a second look.
//!
//! After its last page a sweep asks the store what it should have shown and has not. A record that has moved out of the
//! dates that the sweep looks at, or changed last before it begins to look, is not gone but out of sight. Of the rest it is known
//! only that this one answer did not have them: a record that moved between two pages, a replica that is behind, a lost filter look the
//! same. So each is looked for a second time before it is told: by its own address where that can be made from the search (FHIR's read),
//! otherwise by the next complete sweep.
//!
//! If more than the configured share is gone at once it is still more likely that the answers are wrong (a revoked permission, an empty
//! page with status 200) than that a clinic deleted a tenth of its appointments, so they are held back, counted and logged. What is held
//! does not hold back what goes later: that is judged by itself. It is told when so many of the others have come back that it is
//! no more than the share, or when a person says so (`rounds deletions`).
//!
//! What to mind: this runs after all pages were committed as shown, and never after a page that failed.

mod second_look;

use super::cursor::Position;
use super::failure;
use super::gone::version_of_absence;
use super::read::{self, Identity, ReadRecord, dates_of, day_of};
use super::{Interruption, Round};
use crate::ids::new_container_id;
use jiff::civil::Date;
use rounds_domain::plan::{Action, CursorRule, Deletions, Feed, Missed, Sweep, SweepScope};
use rounds_domain::{
    Absence, Change, MissedRecord, Presence, RecordId, Resolution, RoundEnd, Suspicion,
};
use rounds_map::Json;
use second_look::Looked;
use std::collections::HashSet;
use std::sync::Arc;

/// How many missed records are looked at at once.
const BATCH: usize = 500;
/// This many are never too many: a share of a short list is soon used up.
const ALWAYS_TOLD: u64 = 10;

/// What a sweep counted of its own answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Records with an identity.
    pub(super) records: u64,
}

/// What a sweep has missed.
#[derive(Default)]
struct Tally {
    /// Missed for the second time.
    again: u64,
    /// Held back before, and missed again.
    held: u64,
    /// What a person said is gone.
    released: u64,
    /// Missed for the first time, by their ids; not more than can be looked for.
    first: Vec<RecordId>,
    /// What was looked for by its address, and is gone.
    gone: HashSet<RecordId>,
}

/// Which of the missed records are told.
#[derive(Clone, Copy)]
enum Told {
    /// All that were looked for twice, and those that are held back too.
    WithHeld,
    /// Those that were looked for twice.
    New,
    /// None but those that a person released.
    Released,
}

impl Round<'_> {
    /// Tells what complete sweeps did not show any more.
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
        let mut tally = self.count_missed(missed).await?;
        self.look_again(&mut tally).await?;
        let new = tally.again + count(tally.gone.len());
        let known = seen.records + new + tally.held;
        let allowed = (known * u64::from(hold_back_above_percent) / 100).max(ALWAYS_TOLD);
        let told = if new + tally.held <= allowed {
            Told::WithHeld
        } else if new <= allowed {
            Told::New
        } else {
            Told::Released
        };
        self.counts.held_back = match told {
            Told::WithHeld => 0,
            Told::New => tally.held,
            Told::Released => tally.held + new,
        };
        if self.counts.held_back > 0 {
            tracing::warn!(
                action = %self.action.name,
                feed = %self.feed.name,
                held_back = self.counts.held_back,
                shown = seen.records,
                hold_back_above_percent,
                "sweeps do not show many records that are known; they are not told as deleted. `rounds deletions list` shows them, `release` tells them, `forget` lets them be"
            );
        }
        if new + tally.held + tally.released > 0 {
            self.tell_gone(missed, told, &tally.gone).await?;
        }
        Ok(())
    }

    /// Counts what is missed, and notes what is missed for the first time and what is only out of sight.
    async fn count_missed(&mut self, missed: Missed) -> Result<Tally, Interruption> {
        let mut tally = Tally::default();
        let mut after = None;
        while let Some(batch) = self.next_missed(missed, &mut after).await? {
            let mut marks: Vec<(RecordId, Absence)> = (batch.out_of_sight.into_iter())
                .map(|id| (id, Absence::OutOfSight))
                .collect();
            for missed in batch.missed {
                match missed.suspicion {
                    Suspicion::None => {
                        let id = missed.change.record_id;
                        if tally.first.len() <= second_look::MOST {
                            tally.first.push(id.clone());
                        }
                        marks.push((id, Absence::Unseen));
                    }
                    // A round that goes on after a crash finds its own marks.
                    Suspicion::Unseen(at) if at >= self.started_at => {}
                    Suspicion::Unseen(_) => tally.again += 1,
                    Suspicion::Held => tally.held += 1,
                    Suspicion::Released => tally.released += 1,
                }
            }
            self.mark(marks).await?;
        }
        Ok(tally)
    }

    /// Looks for what is missed for the first time by its own address, where it has one that is known and there are not too many.
    async fn look_again(&mut self, tally: &mut Tally) -> Result<(), Interruption> {
        let first = std::mem::take(&mut tally.first);
        if first.len() > second_look::MOST {
            return Ok(());
        }
        for id in first {
            match second_look::look(self, &id).await {
                Looked::Gone => _ = tally.gone.insert(id),
                // It is there, and this sweep does not show such records.
                Looked::There => self.mark(vec![(id, Absence::OutOfSight)]).await?,
                Looked::Undecided => {}
            }
        }
        Ok(())
    }

    async fn tell_gone(
        &mut self,
        missed: Missed,
        told: Told,
        gone: &HashSet<RecordId>,
    ) -> Result<(), Interruption> {
        let mut after = None;
        while let Some(batch) = self.next_missed(missed, &mut after).await? {
            let mut changes = Vec::new();
            let mut held = Vec::new();
            for missed in batch.missed {
                let is_new = match missed.suspicion {
                    Suspicion::Unseen(at) => {
                        at < self.started_at || gone.contains(&missed.change.record_id)
                    }
                    _ => false,
                };
                match (missed.suspicion, told) {
                    (Suspicion::Released, _) | (Suspicion::Held, Told::WithHeld) => {
                        changes.push(missed.change);
                    }
                    (_, Told::WithHeld | Told::New) if is_new => changes.push(missed.change),
                    (_, Told::Released) if is_new => {
                        held.push((missed.change.record_id, Absence::Held));
                    }
                    _ => {}
                }
            }
            self.mark(held).await?;
            if !changes.is_empty() {
                self.counts.deleted += count(changes.len());
                self.send_commit(RoundEnd::Unfinished, None, changes, Vec::new(), Vec::new())
                    .await?;
            }
        }
        Ok(())
    }

    async fn mark(&mut self, marks: Vec<(RecordId, Absence)>) -> Result<(), Interruption> {
        if !marks.is_empty() {
            self.send_commit(RoundEnd::Unfinished, None, Vec::new(), Vec::new(), marks)
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
            let mut missed = Vec::new();
            let mut out_of_sight = Vec::new();
            for one in found {
                match read_missed(&action, &feed, dates, &one) {
                    Some(record) => missed.push((one.suspicion, one.version, record)),
                    None => out_of_sight.push(one.id),
                }
            }
            (missed, out_of_sight)
        });
        let (missed, out_of_sight) = sorted
            .await
            .map_err(|error| failure::not_evaluated("reading records that are gone", error))?;
        let missed = missed
            .into_iter()
            .map(|(suspicion, version, record)| MissedChange {
                suspicion,
                change: Change {
                    container: new_container_id(self.ports),
                    record_id: record.id,
                    version: version_of_absence(version),
                    ordering_key: record.ordering_key,
                    record: record.record,
                    presence: Presence::Gone,
                    origin: rounds_domain::Origin::default(),
                    read_at: self.started_at,
                    resolution: Resolution::Tell,
                },
            })
            .collect();
        Ok(Some(Batch {
            missed,
            out_of_sight,
        }))
    }
}

struct Batch {
    missed: Vec<MissedChange>,
    out_of_sight: Vec<RecordId>,
}

/// A record that was missed, as the change that it would be.
struct MissedChange {
    suspicion: Suspicion,
    change: Change,
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
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
    let read = read::record(action, feed, None, &record).ok()?;
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
