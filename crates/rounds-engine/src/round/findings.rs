//! What a round says beside its records: what a person should look at.
//!
//! Seen once is kept until it is disproved. A kind that shows in records is disproved by a day of rounds whose records do not show it;
//! one round is no evidence, because what was odd an hour ago may only lie outside of what is asked for now.

use super::RoundOutcome;
use crate::watch::Watch;
use jiff::{SignedDuration, Timestamp};
use rounds_domain::plan::{Action, Feed};
use rounds_domain::{
    Code, Cursor, FeedKey, FeedState, Finding, FindingUpdate, RoundCounts, RoundEnd, Sighting,
};
use std::time::Duration;

/// One answer shows two states of one identity.
const AMBIGUOUS: Code = Code::new("R0370");
/// Two partitions show records under one identity.
const SHARED: Code = Code::new("R0371");
/// The dates may be of another zone.
const ZONE: Code = Code::new("R0372");
/// Dates lie in the future.
const FUTURE: Code = Code::new("R0373");
/// Dates cannot be read.
const UNDATED: Code = Code::new("R0374");
/// Records have no identity.
const UNIDENTIFIED: Code = Code::new("R0375");
/// Records do not say when they were made.
const UNSAID_MADE: Code = Code::new("R0378");
/// Conditions fail on records.
const UNDECIDED: Code = Code::new("R0379");
/// The feed has never shown a record.
const NEVER_SHOWN: Code = Code::new("R0386");
/// What was shown is not shown again.
const NOT_SHOWN_AGAIN: Code = Code::new("R0387");
/// Signs are no characters.
const MENDED: Code = Code::new("R0376");

/// How long what shows in records is kept after it was last seen.
const DISPROVED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How far zones are from UTC, with some minutes around it.
const ZONES_APART: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(44)..=Duration::from_mins(14 * 60 + 16);

/// What a round shows of the zone of its dates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Zone {
    /// Nothing.
    #[default]
    Unseen,
    /// The latest date is close to the EHR's clock.
    Right,
    /// It is as far from it as zones are from each other.
    Doubtful(Box<Sighting>),
}

impl Zone {
    /// What it shows that the latest date lies so far behind the EHR's clock. Only a first round is evidence of a wrong zone: later
    /// ones show what happens to change.
    pub(super) fn of(behind: Option<SignedDuration>, is_first: bool) -> Self {
        let Some(behind) = behind else {
            return Self::Unseen;
        };
        let apart = behind.unsigned_abs();
        if apart < *ZONES_APART.start() {
            return Self::Right;
        }
        if !is_first || !ZONES_APART.contains(&apart) {
            return Self::Unseen;
        }
        let minutes = apart.as_secs() / 60;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let (side, otherwise) = if behind.is_negative() {
            ("ahead of", "")
        } else {
            ("behind", "if the feed changes more often than that, ")
        };
        Self::Doubtful(Box::new(Sighting {
            code: ZONE,
            records: 0,
            message: format!(
                "the latest date that the EHR showed is {hours} h {minutes} min {side} its clock"
            ),
            hint: format!(
                "{otherwise}its dates are local times of another zone, and `zone` of the cursor has to say of which"
            ),
        }))
    }

    /// Of several partitions: one that is right proves it.
    pub(super) fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Unseen, _) | (Self::Doubtful(_), Self::Right) => other,
            (Self::Right | Self::Doubtful(_), _) => self,
        }
    }
}

/// What a round says of a feed that was in this state before: what its records show, what messages show of the mapping, and whether it has ever
/// shown anything.
pub(super) fn of_round(
    watch: &Watch,
    (action, feed): (&Action, &Feed),
    (counts, zone, end): (&RoundCounts, &Zone, &RoundEnd),
    before: Option<&FeedState>,
    now: Timestamp,
) -> FindingUpdate {
    let former = before.map_or(&[][..], |state| &state.findings);
    let mut update = update(counts, zone, end, former, now);
    if feed.name == action.changes.name {
        watch.add_to(&mut update, &action.name, former);
    }
    add_silence(&mut update, counts, end, before, now);
    update
}

/// What its records show of a feed of which this was known.
fn update(
    counts: &RoundCounts,
    zone: &Zone,
    end: &RoundEnd,
    former: &[Finding],
    now: Timestamp,
) -> FindingUpdate {
    let mut seen = of_records(counts);
    if let Zone::Doubtful(sighting) = zone {
        seen.push(Sighting::clone(sighting));
    }
    let is_evidence = *end == RoundEnd::Succeeded && counts.records > 0;
    let is_disproved = |finding: &&Finding| match finding.sighting.code {
        ZONE => *zone == Zone::Right,
        code => {
            is_evidence
                && !seen.iter().any(|sighting| sighting.code == code)
                && now.duration_since(finding.last_seen_at) >= DISPROVED_AFTER
        }
    };
    let gone = former.iter().filter(is_disproved);
    FindingUpdate {
        gone: gone.map(|finding| finding.sighting.code).collect(),
        seen,
    }
}

fn of_records(counts: &RoundCounts) -> Vec<Sighting> {
    let all = [
        (
            AMBIGUOUS,
            counts.ambiguous,
            ("comes", "come"),
            "twice in one answer, in states of which nothing says which is the newer; the known one stands",
            "check that `id` is unique, or name a `field` with the date of a change",
        ),
        (
            SHARED,
            counts.elsewhere,
            ("is", "are"),
            "shown by two partitions under one identity",
            "if the EHR counts them in each partition anew, write `ids: per_partition`; if they went from one partition to the other, nothing is wrong",
        ),
        (
            FUTURE,
            counts.future_dated,
            ("is", "are"),
            "dated later than the EHR's own clock, which is told and does not move the cursor",
            "check `zone` and `time` of the cursor, and the EHR's clock",
        ),
        (
            UNDATED,
            counts.undated,
            ("has", "have"),
            "no date that can be read where `field` points",
            "check `field` and `time` of the cursor; a record without a date is told and does not move the cursor",
        ),
        (
            UNSAID_MADE,
            counts.unsaid_made,
            ("has", "have"),
            "no time that can be read where `created` points, so whether they were there before is not known",
            "check `created`, which is written as `time` and `zone` of the cursor say; records that need not say it are left out with `// empty`",
        ),
        (
            UNDECIDED,
            counts.undecided,
            ("is", "are"),
            "told as there because `skip` or `gone` failed",
            "write the condition for records of every kind, such as `(.status // \"\") | startswith(\"x\")`",
        ),
        (
            UNIDENTIFIED,
            counts.unidentified,
            ("has", "have"),
            "no identity, which is kept as a dead container",
            "check `id`; what is no record belongs into `skip`",
        ),
    ];
    let records = all.into_iter().filter(|(_, count, ..)| *count > 0);
    let records = records.map(|(code, records, (one, many), words, hint)| {
        let subject = match records {
            1 => format!("record {one}"),
            _ => format!("records {many}"),
        };
        Sighting {
            code,
            records,
            message: format!("{records} {subject} {words}"),
            hint: hint.to_owned(),
        }
    });
    let signs = counts.mended_signs;
    let said = match signs {
        1 => "1 sign in the answers is no character; it".to_owned(),
        _ => format!("{signs} signs in the answers are no characters; each"),
    };
    let mended = (signs > 0).then(|| Sighting {
        code: MENDED,
        records: 0,
        message: format!("{said} is read as U+FFFD"),
        hint: "tell the EHR's operator: its answers are not all UTF-8".to_owned(),
    });
    records.chain(mended).collect()
}

/// How long a feed may be silent before anybody wonders. A night and a day are usual.
const SILENT_AT_FIRST: SignedDuration = SignedDuration::from_hours(24);

/// Adds to the findings of a round whether the feed has ever shown a record. What it was before the round is `state`.
fn add_silence(
    update: &mut FindingUpdate,
    counts: &RoundCounts,
    end: &RoundEnd,
    state: Option<&FeedState>,
    now: Timestamp,
) {
    if *end != RoundEnd::Succeeded {
        return;
    }
    let Some(state) = state else {
        return;
    };
    if counts.records > 0 {
        if codes(&state.findings).contains(&NEVER_SHOWN) && !update.gone.contains(&NEVER_SHOWN) {
            update.gone.push(NEVER_SHOWN);
        }
        return;
    }
    let is_old = (state.began_at).is_some_and(|began| now.duration_since(began) >= SILENT_AT_FIRST);
    if is_old && state.shown == Some(0) {
        update.seen.push(Sighting {
            code: NEVER_SHOWN,
            records: 0,
            message: format!(
                "no record has been shown in {} rounds",
                state.rounds.saturating_add(1)
            ),
            hint: "look at what it asks for and what comes back: `rounds poll ACTION --dry-run`; a filter, `records` or the account's rights may hide everything".to_owned(),
        });
    }
}

/// Adds whether the EHR shows again what it showed last. A query from a record's date on has to show that record, unless it is
/// gone by now. It does not where the instant is written in another zone than it is read in: then the EHR is asked for what comes hours
/// later, and shows nothing as long as nobody notices.
pub(super) fn add_not_shown_again(
    update: &mut FindingUpdate,
    watch: &Watch,
    feed: &FeedKey,
    counts: &RoundCounts,
    (from, to): (Option<&Cursor>, Option<&Cursor>),
    before: Option<&FeedState>,
) {
    if counts.records + counts.skipped > 0 {
        if let Some(to) = to.filter(|to| Some(*to) != from) {
            watch.left_at(feed, to);
        }
        let is_known =
            before.is_some_and(|state| codes(&state.findings).contains(&NOT_SHOWN_AGAIN));
        if is_known && !update.gone.contains(&NOT_SHOWN_AGAIN) {
            update.gone.push(NOT_SHOWN_AGAIN);
        }
        return;
    }
    if from.is_some_and(|from| watch.is_left_at(feed, from)) {
        update.seen.push(Sighting {
            code: NOT_SHOWN_AGAIN,
            records: 0,
            message: "asked from the date of the last record on, the EHR does not show that record again".to_owned(),
            hint: "check `zone` and `time` of the cursor: asked in another zone, the EHR shows changes hours late or never. If the record was deleted, or is left out by what else the request asks for, nothing is wrong with the zone, and only a `reconcile` sees such records go".to_owned(),
        });
    }
}

/// The codes of what is known.
pub(super) fn codes(known: &[Finding]) -> Vec<Code> {
    known.iter().map(|finding| finding.sighting.code).collect()
}

/// Says what is new, once.
pub(crate) fn log(feed: &FeedKey, outcome: &RoundOutcome) {
    for sighting in &outcome.findings {
        let (action, feed, code) = (&feed.action, &feed.feed, sighting.code);
        let (message, hint) = (&sighting.message, &sighting.hint);
        if outcome.known_findings.contains(&code) {
            tracing::debug!(%action, %feed, %code, hint, "round: {message}");
        } else {
            tracing::warn!(%action, %feed, %code, hint, "round: {message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: Code, seconds: i64) -> Finding {
        let at = Timestamp::constant(seconds, 0);
        Finding {
            sighting: Sighting {
                code,
                records: 1,
                message: String::new(),
                hint: String::new(),
            },
            first_seen_at: at,
            last_seen_at: at,
        }
    }

    fn gone(counts: RoundCounts, zone: &Zone, end: &RoundEnd, hours: i64) -> Vec<Code> {
        let former = [finding(AMBIGUOUS, 0), finding(ZONE, 0)];
        let now = Timestamp::constant(hours * 3600, 0);
        update(&counts, zone, end, &former, now).gone
    }

    #[test]
    fn what_shows_in_records_is_disproved_by_a_day_of_records_without_it() {
        let some = RoundCounts {
            records: 5,
            ..RoundCounts::default()
        };
        let (none, again) = (
            RoundCounts::default(),
            RoundCounts {
                ambiguous: 1,
                ..some
            },
        );
        let good = RoundEnd::Succeeded;
        assert_eq!(gone(some, &Zone::Unseen, &good, 24), [AMBIGUOUS]);
        assert_eq!(gone(some, &Zone::Unseen, &good, 23), [], "too early");
        assert_eq!(gone(none, &Zone::Unseen, &good, 48), [], "no evidence");
        assert_eq!(gone(again, &Zone::Unseen, &good, 48), [], "seen again");
        let unfinished = RoundEnd::Unfinished;
        assert_eq!(gone(some, &Zone::Unseen, &unfinished, 48), [], "a part");
        assert_eq!(gone(none, &Zone::Right, &good, 1), [ZONE]);
    }

    #[test]
    fn only_a_distance_of_a_zone_in_a_first_round_is_doubtful() {
        let minutes = SignedDuration::from_mins;
        let doubtful = |behind, is_first| match Zone::of(Some(behind), is_first) {
            Zone::Doubtful(sighting) => Some(sighting.message),
            Zone::Unseen | Zone::Right => None,
        };
        assert_eq!(
            doubtful(minutes(301), true).as_deref(),
            Some("the latest date that the EHR showed is 5 h 1 min behind its clock")
        );
        assert_eq!(
            doubtful(minutes(-120), true).as_deref(),
            Some("the latest date that the EHR showed is 2 h 0 min ahead of its clock")
        );
        assert_eq!(doubtful(minutes(301), false), None);
        assert_eq!(doubtful(minutes(20 * 60), true), None);
        assert_eq!(Zone::of(Some(minutes(-43)), false), Zone::Right);
        assert_eq!(Zone::of(None, true), Zone::Unseen);
    }
}
