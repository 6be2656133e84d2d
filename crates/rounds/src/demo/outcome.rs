//! What the demo found.

use crate::output::{Align, Columns, Report, duration_in_words};
use rounds_testkit::oracle::Verdict;
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// The demo's result. Its JSON has exactly these keys.
#[derive(Debug, Serialize)]
pub struct DemoOutcome {
    /// Changes made at the EHR.
    pub changes: usize,
    /// Changes that arrived.
    pub notified: usize,
    /// Changes that did not.
    pub lost: usize,
    /// Changes that arrived under more than one notification id.
    pub repeated: usize,
    /// Changes that arrived after a later one of their record.
    pub reordered: usize,
    /// Requests for patients.
    pub lookups: usize,
    /// All requests that the EHR got, lookups included.
    pub requests: u64,
    /// From a change to its arrival: half of them took no longer. None if nothing arrived.
    pub delay_ms_p50: Option<i64>,
    /// 99 of 100 took no longer.
    pub delay_ms_p99: Option<i64>,
    /// The oracle's own words.
    #[serde(skip)]
    pub verdict: Verdict,
}

impl DemoOutcome {
    pub(super) fn new(verdict: Verdict, requests: u64, lookups: usize) -> Self {
        let millis = |delay: Option<jiff::SignedDuration>| {
            delay.map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))
        };
        Self {
            changes: verdict.changes,
            notified: verdict.notified,
            lost: verdict.lost.len(),
            repeated: verdict.repeated.len(),
            reordered: verdict.reordered.len(),
            lookups,
            requests,
            delay_ms_p50: millis(verdict.delays.p50()),
            delay_ms_p99: millis(verdict.delays.p99()),
            verdict,
        }
    }

    /// Whether every change arrived exactly once and in order, and nothing else did.
    pub fn is_clean(&self) -> bool {
        self.verdict.is_clean() && self.notified == self.changes
    }
}

impl Report for DemoOutcome {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let delay = |millis: Option<i64>| {
            let millis = millis.and_then(|millis| u64::try_from(millis).ok());
            millis.map_or_else(
                || "-".to_owned(),
                |millis| duration_in_words(Duration::from_millis(millis)),
            )
        };
        let mut table = Columns::new(&[("", Align::Left), ("", Align::Right)]);
        for (what, value) in [
            ("changes made at the EHR", self.changes.to_string()),
            ("notified", self.notified.to_string()),
            ("lost", self.lost.to_string()),
            ("repeated", self.repeated.to_string()),
            ("out of order", self.reordered.to_string()),
            ("requests made", self.requests.to_string()),
            ("of them lookups", self.lookups.to_string()),
            ("delay, p50", delay(self.delay_ms_p50)),
            ("delay, p99", delay(self.delay_ms_p99)),
        ] {
            table.row([what.to_owned(), value]);
        }
        table.write(out, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rounds_testkit::oracle::RecordVersion;

    #[test]
    fn the_json_has_exactly_the_documented_keys() {
        let json = serde_json::to_string(&DemoOutcome::new(Verdict::default(), 3, 1));
        assert_eq!(
            json.expect("it serializes"),
            r#"{"changes":0,"notified":0,"lost":0,"repeated":0,"reordered":0,"lookups":1,"requests":3,"delay_ms_p50":null,"delay_ms_p99":null}"#
        );
    }

    #[test]
    fn whatever_is_wrong_is_not_clean() {
        let what = RecordVersion {
            record: "1".to_owned(),
            version: 1,
        };
        let one = Verdict {
            changes: 1,
            notified: 1,
            ..Verdict::default()
        };
        assert!(DemoOutcome::new(one.clone(), 1, 0).is_clean());
        let wrong = [
            Verdict {
                notified: 0,
                ..one.clone()
            },
            Verdict {
                lost: vec![what.clone()],
                ..one.clone()
            },
            Verdict {
                unknown: vec![what.clone()],
                ..one.clone()
            },
            Verdict {
                reused: vec![what],
                ..one.clone()
            },
            Verdict {
                unreadable: vec![None],
                ..one
            },
        ];
        for verdict in wrong {
            assert!(
                !DemoOutcome::new(verdict.clone(), 1, 0).is_clean(),
                "{verdict}"
            );
        }
    }
}
