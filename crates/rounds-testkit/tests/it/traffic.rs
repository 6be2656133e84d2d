//! Traffic: lively, repeatable, and obedient.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::SignedDuration;
use rounds_testkit::hospital::ChangeKind;
use rounds_testkit::traffic::{ChangeEvent, Traffic};

use crate::{hospital, ten_o_clock};

fn day(seed: u64, steps: usize) -> Vec<ChangeEvent> {
    let clock = ten_o_clock();
    let mut traffic = Traffic::new(hospital(&clock), seed);
    let step = |_| {
        clock.advance(SignedDuration::from_secs(30));
        traffic.step(|_id| true)
    };
    (0..steps).map(step).collect()
}

#[test]
fn the_same_seed_makes_the_same_day() {
    assert_eq!(day(5, 50), day(5, 50));
    assert_ne!(day(5, 50), day(6, 50));
}

#[test]
fn all_kinds_of_change_happen_and_each_is_described() {
    let mut kinds = BTreeMap::new();
    for (index, event) in day(5, 200).iter().enumerate() {
        assert_eq!(event.sequence, index as u64 + 1);
        assert!(event.to_string().starts_with(&format!(
            "#{} {} {}: ",
            event.sequence, event.appointment_id, event.kind
        )));
        *kinds.entry(event.kind.to_string()).or_insert(0) += 1;
    }
    let names: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(names, ["booked", "cancelled", "no-show", "rescheduled"]);
    assert!(kinds.values().all(|count| *count >= 10), "{kinds:?}");
}

#[test]
fn a_record_that_may_not_be_touched_is_left_alone() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    let mut traffic = Traffic::new(hospital.clone(), 5);
    for _ in 0..100 {
        let event = traffic.step(|id| id.0.is_multiple_of(2));
        assert!(
            event.kind == ChangeKind::Booked || event.appointment_id.0.is_multiple_of(2),
            "{event}"
        );
    }
    assert!(
        hospital
            .history()
            .iter()
            .any(|change| change.kind != ChangeKind::Booked)
    );
    assert_eq!(traffic.step(|_id| false).kind, ChangeKind::Booked);
}

#[tokio::test(start_paused = true)]
#[expect(
    clippy::disallowed_methods,
    reason = "the paused clock is the test's own"
)]
async fn a_change_comes_each_interval() {
    let traffic = Traffic::new(hospital(&ten_o_clock()), 5);
    let start = tokio::time::Instant::now();
    let mut times = Vec::new();
    let mut events = std::pin::pin!(traffic.every(Duration::from_secs(2), |_id| true).take(3));
    while events.next().await.is_some() {
        times.push(start.elapsed().as_secs());
    }
    assert_eq!(times, [2, 4, 6]);
}
