//! What happened at the hospital against what the receiver took, and the one line of the result.

use super::configuration::{DESTINATIONS, IN_FLIGHT};
use rounds_testkit::hospital::Change;
use rounds_testkit::oracle::{self, Arrival, Oracle, RecordVersion};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// The verdict on a whole drill.
pub(super) struct Verdict {
    kills: u32,
    changes: usize,
    by_destination: Vec<(&'static str, oracle::Verdict)>,
    recovery_p99: Duration,
}

impl Verdict {
    /// Judges each destination apart: one notification has the same id at both.
    pub(super) fn of(
        kills: u32,
        history: &[Change],
        arrivals: impl Fn(&str) -> Vec<Arrival>,
        recoveries: &[Duration],
    ) -> Self {
        let oracle = Oracle::new(told);
        let judge = |name| (name, oracle.judge(history, &arrivals(name)));
        Self {
            kills,
            changes: history.len(),
            by_destination: DESTINATIONS.into_iter().map(judge).collect(),
            recovery_p99: percentile(recoveries, 99).unwrap_or_default(),
        }
    }

    /// Whether the law was kept, and no more came twice than can have been under way at the kills.
    pub(super) fn is_clean(&self) -> bool {
        let lawful = |verdict: &oracle::Verdict| {
            verdict.is_clean() && verdict.redelivered.len() <= self.redelivered_bound()
        };
        self.by_destination.iter().all(|(_, each)| lawful(each))
    }

    /// How often one destination may have been told again.
    fn redelivered_bound(&self) -> usize {
        usize::try_from(self.kills)
            .unwrap_or(usize::MAX)
            .saturating_mul(IN_FLIGHT)
    }

    /// Whether nothing of the history is missing at any destination.
    pub(super) fn lost(&self) -> usize {
        self.sum(|verdict| verdict.lost.len())
    }

    /// For the person who watches: everything, by destination.
    pub(super) fn details(&self) -> Vec<String> {
        let bound = self.redelivered_bound();
        let each = self.by_destination.iter();
        each.map(|(name, verdict)| format!("{name}: {verdict}\n  redelivered at most: {bound}"))
            .collect()
    }

    fn sum(&self, count: impl Fn(&oracle::Verdict) -> usize) -> usize {
        self.by_destination
            .iter()
            .map(|(_, each)| count(each))
            .sum()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "drill kill: kills={} changes={} lost={} repeated_ids={} redelivered={} reordered={} recovery_ms_p99={}",
            self.kills,
            self.changes,
            self.lost(),
            self.sum(|verdict| verdict.repeated.len()),
            self.sum(|verdict| verdict.redelivered.len()),
            self.sum(|verdict| verdict.reordered.len()),
            self.recovery_p99.as_millis(),
        )
    }
}

/// Which version a body tells of. A body whose patient is not its record's tells of nothing: a lookup that a kill cut off must not leave a gap.
fn told(body: &Value) -> Option<RecordVersion> {
    let record = &body["record"];
    let patient = body["patient"]["id"].as_str()?;
    if record["patientID"].as_str()? != patient {
        return None;
    }
    Some(RecordVersion {
        record: record["id"].as_u64()?.to_string(),
        version: record["version"].as_u64()?,
    })
}

/// The smallest value that at least `percent` of all do not exceed; nothing of nothing.
pub(super) fn percentile(values: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::{Verdict, percentile, told};
    use crate::drill::configuration::{DESTINATIONS, IN_FLIGHT};
    use rounds_testkit::clock::system_clock;
    use rounds_testkit::hospital::{Change, Hospital};
    use rounds_testkit::oracle::Arrival;
    use serde_json::json;
    use std::time::Duration;

    fn arrival(change: &Change, id: &str) -> Arrival {
        let body = json!({ "record": *change.appointment, "patient": { "id": change.appointment.patient_id } });
        Arrival {
            notification_id: Some(id.to_owned()),
            at: change.at,
            body: body.to_string().into(),
        }
    }

    fn two_versions() -> [Change; 2] {
        let hospital = Hospital::new(1, system_clock());
        let booked = hospital.book_anything();
        let cancelled = hospital.cancel(booked.appointment.id);
        [booked, cancelled.expect("it is booked")]
    }

    #[test]
    fn the_percentile_is_a_value_that_was_there() {
        let millis = |values: &[u64]| -> Vec<Duration> {
            values.iter().copied().map(Duration::from_millis).collect()
        };
        let hundred: Vec<u64> = (1..=100).rev().collect();
        for (values, expected) in [
            (hundred.as_slice(), Some(99)),
            (&hundred[..50], Some(100)),
            (&[7], Some(7)),
            (&[], None),
        ] {
            let found = percentile(&millis(values), 99);
            assert_eq!(found, expected.map(Duration::from_millis));
        }
    }

    #[test]
    fn the_line_sums_both_destinations_and_again_is_allowed_within_the_bound() {
        let history = two_versions();
        let [first, second] = &history;
        let arrivals = |_: &str| {
            vec![
                arrival(first, "a"),
                arrival(second, "b"),
                arrival(second, "b"),
            ]
        };
        let verdict = Verdict::of(3, &history, arrivals, &[Duration::from_millis(41)]);
        assert_eq!(
            verdict.to_string(),
            "drill kill: kills=3 changes=2 lost=0 repeated_ids=0 redelivered=2 reordered=0 recovery_ms_p99=41"
        );
        assert!(verdict.is_clean());

        let often = |_: &str| vec![arrival(second, "b"); 1 + IN_FLIGHT + 1];
        assert!(!Verdict::of(1, &history, often, &[]).is_clean());
        assert!(Verdict::of(2, &history, often, &[]).is_clean());
    }

    #[test]
    fn what_went_wrong_at_one_destination_is_in_the_line() {
        let history = two_versions();
        let [first, second] = &history;
        let bad = |name: &str| {
            if name == DESTINATIONS[0] {
                vec![
                    arrival(second, "b"),
                    arrival(first, "a"),
                    arrival(first, "c"),
                ]
            } else {
                vec![arrival(first, "a")]
            }
        };
        let verdict = Verdict::of(1, &history, bad, &[]);
        assert_eq!(
            verdict.to_string(),
            "drill kill: kills=1 changes=2 lost=1 repeated_ids=1 redelivered=0 reordered=1 recovery_ms_p99=0"
        );
        assert!(!verdict.is_clean());
    }

    #[test]
    fn a_body_with_anothers_patient_tells_of_nothing() {
        let mut body = json!({ "record": { "id": 7, "version": 2, "patientID": "P1" }, "patient": { "id": "P1" } });
        let read = told(&body).expect("it is whole");
        assert_eq!((read.record.as_str(), read.version), ("7", 2));
        body["patient"] = json!(null);
        assert_eq!(told(&body), None);
        body["patient"] = json!({ "id": "P2" });
        assert_eq!(told(&body), None);
    }
}
