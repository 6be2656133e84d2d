use super::*;
use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;
use rounds_domain::plan::WeekdayRange;
use rounds_domain::{ActionName, FeedName};

fn changes_of(action: &str) -> FeedKey {
    FeedKey::whole(ActionName::new(action), FeedName::new("changes"))
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn schedule(cadence: Cadence, windows: Vec<Window>, zone: &str) -> Schedule {
    Schedule {
        cadence,
        windows,
        zone: TimeZone::get(zone).expect("a zone"),
    }
}

fn every(seconds: u64) -> Cadence {
    Cadence::Every(Duration::from_secs(seconds))
}

fn cron(text: &str) -> Cadence {
    Cadence::At(Box::new(text.parse().expect("a cron expression")))
}

fn ticks<'a>(schedule: &'a Schedule, action: &str) -> Ticks<'a> {
    Ticks::new(schedule, &changes_of(action), &InstanceId::new("instance"))
}

fn count_from(ticks: &Ticks<'_>, from: &str, to: &str) -> Vec<String> {
    let (mut moment, end) = (at(from), at(to));
    let mut found = Vec::new();
    while let Some(next) = ticks.next_after(moment).filter(|next| *next <= end) {
        found.push(next.to_string());
        moment = next;
    }
    found
}

#[test]
fn an_interval_keeps_its_grid_and_has_no_gap_over_a_clock_change() {
    let schedule = schedule(every(15), vec![], "America/New_York");
    let ticks = ticks(&schedule, "appointments");
    // Both clock changes of 2026 in New York lie within these spans.
    for (from, to) in [
        ("2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z"),
        ("2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"),
    ] {
        assert_eq!(count_from(&ticks, from, to).len(), 2 * 60 * 4);
        assert_eq!(ticks.count(at(from), at(to)), 2 * 60 * 4);
    }
}

#[test]
fn starts_of_many_actions_are_spread_and_differ_between_installations() {
    // Case 61: prometheus/prometheus#1393.
    let schedule = schedule(every(60), vec![], "UTC");
    let mut per_second = [0_u32; 60];
    for number in 0..1_000 {
        let next = ticks(&schedule, &format!("action-{number}"))
            .next_after(at("2026-01-01T00:00:00Z"))
            .expect("a tick");
        let second = next.as_second().rem_euclid(60);
        per_second[usize::try_from(second).expect("a second")] += 1;
    }
    // The mean is 1,000 / 60, about 17.
    assert!(
        per_second.iter().all(|count| *count <= 50),
        "{per_second:?}"
    );

    let action = changes_of("appointments");
    let here = Ticks::new(&schedule, &action, &InstanceId::new("here"));
    let there = Ticks::new(&schedule, &action, &InstanceId::new("there"));
    assert_ne!(here.offset, there.offset);
}

#[test]
fn a_cron_time_comes_once_a_day_over_both_clock_changes() {
    for (time, from, to) in [
        ("30 1 * * *", "2026-11-01T04:00:00Z", "2026-11-02T04:59:00Z"),
        ("30 1 * * *", "2026-03-08T05:00:00Z", "2026-03-09T03:59:00Z"),
    ] {
        let schedule = schedule(cron(time), vec![], "America/New_York");
        let found = count_from(&ticks(&schedule, "a"), from, to);
        assert_eq!(found.len(), 1, "{time}: {found:?}");
    }
}

#[test]
fn windows_hold_back_what_falls_outside_them() {
    let office = Window {
        days: Some(WeekdayRange {
            first: Weekday::Monday,
            last: Weekday::Friday,
        }),
        from: time(7, 0, 0, 0),
        to: Some(time(19, 0, 0, 0)),
    };
    let schedule = schedule(cron("0 * * * *"), vec![office], "America/New_York");
    let ticks = ticks(&schedule, "a");
    // 2026-01-02 is a Friday; 19:00 in New York is midnight UTC.
    let next = ticks
        .next_after(at("2026-01-02T23:00:00Z"))
        .expect("a tick");
    assert_eq!(next, at("2026-01-05T12:00:00Z"));
    assert_eq!(
        ticks.count(at("2026-01-05T05:00:00Z"), at("2026-01-06T05:00:00Z")),
        12
    );
}

#[test]
fn a_window_over_midnight_and_one_of_all_day_have_no_hole_at_midnight() {
    let night = Window {
        days: None,
        from: time(22, 0, 0, 0),
        to: Some(time(6, 0, 0, 0)),
    };
    let nightly = schedule(every(30), vec![night], "UTC");
    let found = count_from(
        &ticks(&nightly, "a"),
        "2026-01-01T23:59:00Z",
        "2026-01-02T00:01:00Z",
    );
    assert_eq!(found.len(), 4);

    let all_day = Window {
        days: None,
        from: Time::midnight(),
        to: None,
    };
    let daily = schedule(every(30), vec![all_day], "UTC");
    let found = count_from(
        &ticks(&daily, "a"),
        "2026-01-01T23:59:00Z",
        "2026-01-02T00:01:00Z",
    );
    assert_eq!(found.len(), 4);
}

#[test]
fn a_range_of_days_may_wrap_over_the_week() {
    let range = WeekdayRange {
        first: Weekday::Saturday,
        last: Weekday::Monday,
    };
    for (day, expected) in [
        (Weekday::Friday, false),
        (Weekday::Saturday, true),
        (Weekday::Sunday, true),
        (Weekday::Monday, true),
        (Weekday::Tuesday, false),
    ] {
        assert_eq!(range.contains(day), expected, "{day:?}");
    }
}

/// Wherever the interval's own ticks lie: a round a day within an hour is a round a day.
#[test]
fn a_tick_outside_of_a_window_shorter_than_the_interval_is_made_when_it_opens() {
    let hour = |days| Window {
        days,
        from: time(7, 0, 0, 0),
        to: Some(time(8, 0, 0, 0)),
    };
    let working_days = Some(WeekdayRange {
        first: Weekday::Monday,
        last: Weekday::Friday,
    });
    for action in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let daily = schedule(every(86_400), vec![hour(None)], "America/New_York");
        let found = count_from(
            &ticks(&daily, action),
            "2026-03-01T00:00:00Z",
            "2026-03-31T00:00:00Z",
        );
        assert_eq!(found.len(), 30, "{action}: {found:?}");
        let weekly = schedule(every(86_400), vec![hour(working_days)], "UTC");
        // Monday the 2nd to Sunday the 15th.
        let found = count_from(
            &ticks(&weekly, action),
            "2026-03-02T00:00:00Z",
            "2026-03-16T00:00:00Z",
        );
        let days: std::collections::BTreeSet<&str> = found.iter().map(|tick| &tick[..10]).collect();
        assert_eq!(days.len(), 10, "{action}: {found:?}");
        assert!(
            found.iter().all(|tick| tick[11..].starts_with("07:")),
            "{found:?}"
        );
    }
    // Shorter intervals come within the window as they lie.
    let often = schedule(every(600), vec![hour(None)], "UTC");
    let found = count_from(
        &ticks(&often, "a"),
        "2026-03-02T00:00:00Z",
        "2026-03-03T00:00:00Z",
    );
    assert_eq!(found.len(), 6, "{found:?}");
}
