use super::*;
use proptest::prelude::*;
use rounds_domain::plan::Spans;

fn rate(requests: u32, per: Duration) -> Rate {
    Rate {
        spans: Spans::OfTheClock(TimeZone::UTC),
        ..Rate::rolling(requests, per)
    }
}

/// The grants that a client gets which asks again as soon as it may, from this instant on.
fn granted(rate: &Rate, zone: &TimeZone, from: Timestamp, count: usize) -> Vec<Timestamp> {
    let mut grants = VecDeque::new();
    let mut now = Duration::from_hours(1000);
    let wall = |now: Duration| from + now.saturating_sub(Duration::from_hours(1000));
    while grants.len() < count {
        match room_at(rate, zone, &grants, now, wall(now)) {
            Some(later) => now = later.max(now + Duration::from_millis(1)),
            None => grants.push_back(now),
        }
    }
    grants.into_iter().map(wall).collect()
}

#[test]
fn an_hour_is_used_up_and_the_next_one_begins_a_little_later() {
    let hour = Duration::from_hours(1);
    let from: Timestamp = "2026-11-23T10:59:00Z".parse().expect("an instant");
    let shown: Vec<String> = granted(&rate(2, hour), &TimeZone::UTC, from, 5)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        [
            "2026-11-23T10:59:00Z",
            "2026-11-23T10:59:00Z",
            "2026-11-23T11:00:02Z",
            "2026-11-23T11:00:02Z",
            "2026-11-23T12:00:02Z",
        ]
    );
}

#[test]
fn a_day_ends_where_the_zone_says() {
    let day = Duration::from_hours(24);
    let denver = TimeZone::get("America/Denver").expect("a zone");
    // The clocks go back on the first of November: that day has 25 hours.
    let from: Timestamp = "2026-11-01T06:30:00Z".parse().expect("an instant");
    let shown: Vec<String> = granted(&rate(1, day), &denver, from, 2)
        .iter()
        .map(|at| at.to_zoned(denver.clone()).datetime().to_string())
        .collect();
    assert_eq!(shown, ["2026-11-01T00:30:00", "2026-11-02T00:00:02"]);
}

proptest! {
    /// Whatever the EHR's clock shows within the margin, no span of its clock gets more than the rate.
    #[test]
    fn no_span_of_a_clock_that_is_a_little_off_has_too_many(
        requests in 1_u32..6,
        from_second in 0_i64..100_000,
        off_ms in -1_999_i64..=1_999,
    ) {
        let minute = Duration::from_mins(1);
        let from = Timestamp::from_second(1_790_000_000 + from_second).expect("an instant");
        let grants = granted(&rate(requests, minute), &TimeZone::UTC, from, 30);
        let mut counted = std::collections::BTreeMap::<i64, u32>::new();
        for grant in grants {
            let by_the_ehr = grant.as_millisecond() + off_ms;
            *counted.entry(by_the_ehr.div_euclid(60_000)).or_default() += 1;
        }
        prop_assert!(counted.values().all(|count| *count <= requests), "{counted:?}");
    }
}
