//! The oracle: each sin has its word, and nothing else has.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rounds_testkit::hospital::{AppointmentId, Change};
use rounds_testkit::oracle::{Arrival, Oracle, Verdict};
use rounds_testkit::traffic::Traffic;
use serde_json::json;

use crate::{hospital, instant, ten_o_clock};

fn oracle() -> Oracle {
    Oracle::at_pointers("/record/id", "/record/version")
}

/// The notification `id` about `record` in `version`, taken `seconds` after ten o'clock.
fn arrival(id: &str, record: u64, version: u64, seconds: i64) -> Arrival {
    let body = json!({ "record": { "id": record, "version": version } }).to_string();
    Arrival {
        notification_id: Some(id.into()),
        at: ten_o_clock().advance(SignedDuration::from_secs(seconds)),
        body: body.into(),
    }
}

/// Appointment 1 is booked at ten, moved a second later and again; appointment 2 is booked.
fn history() -> Vec<Change> {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    hospital.book_anything();
    for _ in 0..2 {
        clock.advance(SignedDuration::from_secs(1));
        hospital
            .reschedule(AppointmentId(1), instant("2022-05-11T09:00:00Z"))
            .expect("it can be moved");
    }
    hospital.book_anything();
    hospital.history()
}

fn judge(arrivals: &[Arrival]) -> Verdict {
    oracle().judge(&history(), arrivals)
}

#[test]
fn all_told_once_and_in_order_is_clean() {
    let verdict = judge(&[
        arrival("a", 1, 1, 1),
        arrival("b", 1, 2, 2),
        arrival("c", 2, 1, 3),
        arrival("d", 1, 3, 12),
    ]);
    assert!(verdict.is_clean());
    assert_eq!(
        verdict.to_string(),
        "changes=4 notified=4 lost=0 repeated=0 reordered=0 superseded=0 redelivered=0"
    );
    let seconds: Vec<i64> = verdict
        .delays
        .sorted()
        .iter()
        .map(SignedDuration::as_secs)
        .collect();
    assert_eq!(seconds, [1, 1, 1, 10]);
    assert_eq!(
        (verdict.delays.p50(), verdict.delays.p99()),
        (
            Some(SignedDuration::from_secs(1)),
            Some(SignedDuration::from_secs(10))
        )
    );
}

#[test]
fn a_version_that_a_later_one_replaced_is_superseded_and_not_lost() {
    let arrivals = [arrival("d", 1, 3, 3), arrival("c", 2, 1, 3)];
    let verdict = judge(&arrivals);
    assert!(verdict.is_clean());
    assert_eq!(
        verdict.to_string(),
        "changes=4 notified=2 lost=0 repeated=0 reordered=0 superseded=2 redelivered=0\n  superseded: 1 v1, 1 v2"
    );
    let strict = oracle().every_version().judge(&history(), &arrivals);
    assert_eq!(
        (
            strict.lost.len(),
            strict.superseded.len(),
            strict.is_clean()
        ),
        (2, 0, false)
    );
}

#[test]
fn the_last_version_untold_is_lost_even_if_earlier_ones_came() {
    let verdict = judge(&[arrival("a", 1, 1, 1), arrival("b", 1, 2, 2)]);
    assert!(!verdict.is_clean());
    assert_eq!(
        verdict.to_string(),
        "changes=4 notified=2 lost=2 repeated=0 reordered=0 superseded=0 redelivered=0\n  lost: 1 v3, 2 v1"
    );
}

#[test]
fn one_id_twice_is_redelivered_and_two_ids_are_repeated() {
    let told = [arrival("a", 1, 3, 3), arrival("c", 2, 1, 3)];
    let redelivered = judge(&[told[0].clone(), told[1].clone(), told[0].clone()]);
    assert!(redelivered.is_clean());
    assert_eq!(redelivered.redelivered.len(), 1);

    let repeated = judge(&[told[0].clone(), told[1].clone(), arrival("z", 2, 1, 9)]);
    assert!(!repeated.is_clean());
    assert_eq!(
        repeated.to_string(),
        "changes=4 notified=2 lost=0 repeated=1 reordered=0 superseded=2 redelivered=0\n  superseded: 1 v1, 1 v2\n  repeated: 2 v1 as z"
    );
    let without_id = Arrival {
        notification_id: None,
        ..told[1].clone()
    };
    assert_eq!(
        judge(&[told[0].clone(), without_id.clone(), without_id])
            .repeated
            .len(),
        1
    );
}

#[test]
fn a_lower_version_after_a_higher_is_reordered() {
    let verdict = judge(&[
        arrival("d", 1, 3, 3),
        arrival("a", 1, 1, 4),
        arrival("c", 2, 1, 4),
        arrival("b", 1, 2, 5),
    ]);
    assert!(!verdict.is_clean());
    assert_eq!(
        verdict.to_string(),
        "changes=4 notified=4 lost=0 repeated=0 reordered=2 superseded=0 redelivered=0\n  reordered: 1 v1 after v3, 1 v2 after v3"
    );
}

#[test]
fn what_makes_no_sense_is_said_too() {
    let garbage = Arrival {
        notification_id: None,
        at: Timestamp::UNIX_EPOCH,
        body: "<html>".into(),
    };
    let verdict = judge(&[
        arrival("d", 1, 3, 3),
        arrival("d", 2, 1, 3),
        arrival("c", 2, 1, 3),
        arrival("e", 3, 1, 3),
        arrival("f", 1, 4, 3),
        garbage,
    ]);
    assert!(!verdict.is_clean());
    assert_eq!(
        (
            verdict.reused.len(),
            verdict.unknown.len(),
            verdict.unreadable
        ),
        (1, 2, vec![None])
    );
}

#[test]
fn ids_and_versions_may_be_text_in_a_mapped_body() {
    let oracle = Oracle::at_pointers("/Visit/VisitNumber", "/Meta/Version");
    let body = json!({ "Visit": { "VisitNumber": "2" }, "Meta": { "Version": "1" } }).to_string();
    let arrival = Arrival {
        notification_id: None,
        at: ten_o_clock().now(),
        body: body.into(),
    };
    assert_eq!(oracle.judge(&history(), &[arrival]).notified, 1);
}

/// A history of chance, told perfectly.
fn told_perfectly(seed: u64, steps: usize) -> (Vec<Change>, Vec<Arrival>) {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    let mut traffic = Traffic::new(hospital.clone(), seed);
    for _ in 0..steps {
        clock.advance(SignedDuration::from_millis(100));
        traffic.step(|_id| true);
    }
    let history = hospital.history();
    let told = history
        .iter()
        .map(|change| {
            arrival(
                &change.sequence.to_string(),
                change.appointment.id.0,
                change.appointment.version,
                60,
            )
        })
        .collect();
    (history, told)
}

proptest! {
    #[test]
    fn nothing_told_perfectly_is_blamed(seed: u64, steps in 0_usize..60) {
        let (history, told) = told_perfectly(seed, steps);
        let verdict = oracle().every_version().judge(&history, &told);
        prop_assert!(verdict.is_clean());
        prop_assert_eq!((verdict.changes, verdict.notified), (steps, steps));
    }

    #[test]
    fn a_missing_notification_is_lost_or_superseded_and_nothing_else(seed: u64, steps in 1_usize..60, missing: prop::sample::Index) {
        let (history, mut told) = told_perfectly(seed, steps);
        let missing = missing.index(steps);
        told.remove(missing);
        let gone = &history[missing].appointment;
        let is_last = history[missing + 1..].iter().all(|change| change.appointment.id != gone.id);
        let verdict = oracle().judge(&history, &told);
        prop_assert_eq!((verdict.lost.len(), verdict.superseded.len()), if is_last { (1, 0) } else { (0, 1) });
        prop_assert_eq!(verdict.notified, steps - 1);
        prop_assert!(verdict.repeated.is_empty() && verdict.reordered.is_empty() && verdict.unknown.is_empty());
    }

    #[test]
    fn a_swap_is_reordered_exactly_if_both_are_of_one_record(seed: u64, steps in 2_usize..60, first: prop::sample::Index) {
        let (history, mut told) = told_perfectly(seed, steps);
        let first = first.index(steps - 1);
        told.swap(first, first + 1);
        let same_record = history[first].appointment.id == history[first + 1].appointment.id;
        let verdict = oracle().judge(&history, &told);
        prop_assert_eq!(verdict.reordered.len(), usize::from(same_record));
        prop_assert_eq!((verdict.notified, verdict.lost.len()), (steps, 0));
    }
}
