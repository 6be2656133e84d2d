//! Slices against an EHR that is as unhelpful as one can be: it leaves both bounds out and compares what is written.

use super::*;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rounds_domain::plan::{TimeFormat, TimeSource};
use rounds_map::Filter;

const NAIVE: &str = "%Y-%m-%dT%H:%M:%S";

fn rule(format: &str, zone: &str, granularity: Duration, longest: Duration) -> TimeCursor {
    TimeCursor {
        format: TimeFormat::Strftime(format.to_owned()),
        zone: TimeZone::get(zone).expect("a zone"),
        granularity,
        overlap: granularity,
        settle: Duration::ZERO,
        source: TimeSource::Field,
        longest_window: Some(longest),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn slices(from: Timestamp, until: Timestamp, rule: &TimeCursor) -> Vec<Asked> {
    let mut asked = vec![first_of_time(from, until, rule).expect("can be written")];
    while let Rest::Until(whole) = &asked[asked.len() - 1].rest {
        let closed = asked[asked.len() - 1].until.expect("a bound");
        asked.push(following(closed, whole, rule).expect("can be written"));
        assert!(asked.len() < 5_000, "it does not end");
    }
    asked
}

fn local(asked: &Asked, name: &str, format: &str) -> DateTime {
    let text = asked.scope.get(name).expect("is there");
    let text = text.as_str().expect("text").to_owned();
    let parsed = jiff::fmt::strtime::parse(format, &text).expect("can be read");
    parsed
        .to_datetime()
        .or_else(|_| parsed.to_date().map(|day| day.at(0, 0, 0, 0)))
        .expect("a local time")
}

/// Spans over both changes of the clocks, over none, and of odd lengths.
fn spans() -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let starts = [
        "2026-03-07T22:17:03.5Z",
        "2026-03-08T06:59:59Z",
        "2026-10-31T04:00:00Z",
        "2026-11-01T05:30:00Z",
        "2026-11-01T06:30:00Z",
        "2026-06-15T12:00:00Z",
    ];
    let hours = [0, 1, 5, 30, 24 * 4 + 7];
    starts.into_iter().flat_map(move |start| {
        hours
            .into_iter()
            .map(move |hours| (at(start), at(start) + SignedDuration::from_hours(hours)))
    })
}

#[test]
fn whatever_an_ehr_does_with_its_bounds_every_moment_is_in_a_slice() {
    const HOUR: Duration = Duration::from_hours(1);
    for (format, granularity, longest) in [
        (NAIVE, Duration::from_secs(1), HOUR * 3),
        (NAIVE, Duration::from_secs(1), HOUR),
        (NAIVE, Duration::from_secs(1), Duration::from_mins(7)),
        ("%Y-%m-%dT%H:%M", Duration::from_mins(1), HOUR * 24 * 7),
        ("%m/%d/%Y", HOUR * 24, HOUR * 24 * 4),
    ] {
        for zone in ["UTC", "America/New_York", "Australia/Lord_Howe"] {
            let rule = rule(format, zone, granularity, longest);
            for (from, until) in spans() {
                let asked = slices(from, until, &rule);
                check(&asked, from, until, &rule, format);
            }
        }
    }
}

fn check(asked: &[Asked], from: Timestamp, until: Timestamp, rule: &TimeCursor, format: &str) {
    let whole = instant::write(until, rule).expect("can be written").instant;
    assert_eq!(
        asked[asked.len() - 1].until,
        Some(whole),
        "it ends where the span does"
    );
    for (slice, next) in asked.iter().zip(&asked[1..]) {
        let (closed, upper) = (slice.until.expect("a bound"), next.until.expect("a bound"));
        assert!(
            closed < upper && upper <= whole,
            "each gets further, none too far"
        );
        let expected = instant::write(earlier(closed, rule.granularity), rule);
        assert_eq!(next.lower, Some(expected.expect("can be written").instant));
    }
    // In steps that meet the bounds' own seconds too.
    let mut moment = from;
    let end = earlier(whole, rule.granularity);
    while moment < end {
        let wall = moment.to_zoned(rule.zone.clone()).datetime();
        let shown = asked.iter().any(|slice| {
            let cut = |at: DateTime| match rule.granularity.as_secs() {
                86_400 => at.date().at(0, 0, 0, 0),
                _ => at,
            };
            // By days an EHR that leaves its bounds out compares days.
            local(slice, "cursor", format) <= wall && cut(wall) <= local(slice, "until", format)
        });
        assert!(
            shown,
            "{moment} of {from}..{until} is in no slice: {asked:?}"
        );
        moment = later(moment, Duration::from_secs(1_197));
    }
    for slice in asked {
        let (Some(lower), Some(upper), Some(longest)) =
            (slice.lower, slice.until, rule.longest_window)
        else {
            panic!("bounds")
        };
        let wall = local(slice, "until", format).duration_since(local(slice, "cursor", format));
        let elapsed = upper.duration_since(lower);
        let longest = SignedDuration::try_from(longest).expect("short");
        // Only where an hour comes twice can no shorter slice be written that gets any further.
        let has_repetition = longest < SignedDuration::from_hours(4);
        assert!(
            has_repetition || (wall <= longest && elapsed <= longest),
            "{wall:?} {elapsed:?} {slice:?}"
        );
    }
}

#[test]
fn a_week_in_which_clocks_change_is_a_week_by_both_measures() {
    let week = Duration::from_hours(7 * 24);
    let rule = rule(NAIVE, "America/New_York", Duration::from_secs(1), week);
    // Clocks go forward on 8 March: seven days on the wall are an hour less, so the elapsed week would be longer on the wall.
    let forward = slices(
        at("2026-03-05T05:00:00Z"),
        at("2026-04-01T00:00:00Z"),
        &rule,
    );
    assert_eq!(
        local(&forward[0], "until", NAIVE),
        DateTime::constant(2026, 3, 12, 0, 0, 0, 0)
    );
    // Back on 1 November: seven days on the wall are an hour more.
    let back = slices(
        at("2026-10-29T04:00:00Z"),
        at("2026-12-01T00:00:00Z"),
        &rule,
    );
    assert_eq!(
        local(&back[0], "until", NAIVE),
        DateTime::constant(2026, 11, 4, 23, 0, 0, 0)
    );
}

#[test]
fn without_a_limit_there_is_one_slice() {
    let rule = TimeCursor {
        longest_window: None,
        ..rule(NAIVE, "UTC", Duration::from_secs(1), Duration::ZERO)
    };
    let asked = slices(Timestamp::UNIX_EPOCH, at("2026-01-01T00:00:00Z"), &rule);
    assert_eq!(asked.len(), 1);
}

#[test]
fn days_are_sliced_so_that_both_ends_may_be_left_out_or_taken_in() {
    for longest in [2, 3, 20, 61, 400] {
        let range = DateRange {
            from_days: 0,
            to_days: 0,
            zone: TimeZone::UTC,
            format: "%Y-%m-%d".to_owned(),
            field: Filter::compile(".day").expect("a filter"),
            longest_days: Some(longest),
        };
        let whole = (Date::constant(2026, 1, 15), Date::constant(2026, 3, 16));
        let mut asked = vec![first_of_dates(whole, &range).expect("can be written")];
        while let Rest::From(day) = asked[asked.len() - 1].rest {
            asked.push(days(day, whole, &range).expect("can be written"));
            assert!(asked.len() < 100, "it does not end");
        }
        let day = |slice: &Asked, name| local(slice, name, "%Y-%m-%d").date();
        assert_eq!(day(&asked[0], "from"), whole.0);
        assert_eq!(day(&asked[asked.len() - 1], "to"), whole.1);
        for slice in &asked {
            assert_eq!(slice.dates, Some(whole));
            let length = day(slice, "to").since(day(slice, "from")).expect("a span");
            assert!(length.get_days() < longest);
        }
        for pair in asked.windows(2) {
            assert_eq!(day(&pair[0], "to"), day(&pair[1], "from"));
        }
    }
}
