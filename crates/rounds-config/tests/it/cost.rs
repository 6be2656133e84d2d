//! What a plan costs.

use crate::SMALL;
use rounds_config::{ConnectionCost, Sources, cost, load};

fn cost_of(changes: &[(&str, &str)]) -> ConnectionCost {
    let mut text = SMALL.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "nothing to replace: {from}");
        text = text.replacen(from, to, 1);
    }
    let plan = load(&Sources::from_text("rounds.yaml", text))
        .plan
        .expect("a plan");
    let mut costs = cost(&plan);
    assert_eq!(costs.len(), 1);
    costs.remove(0)
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 0.001
}

#[test]
fn an_interval_is_counted_around_the_clock() {
    let cost = cost_of(&[("every: 1m", "every: 7m 30s")]);
    assert!(
        close(cost.requests_per_hour, 8.0) && close(cost.requests_per_day, 192.0),
        "{cost:?}"
    );
    let lookups: Vec<_> = cost.actions[0]
        .lookups_per_change
        .iter()
        .map(|name| name.as_str().to_owned())
        .collect();
    assert_eq!(lookups, ["patient"]);
    let allowed = cost.allowed.expect("limits are declared");
    assert!(
        close(allowed.requests_per_hour, 36_000.0) && close(allowed.requests_per_day, 864_000.0),
        "{allowed:?}"
    );
}

#[test]
fn windows_count_on_the_busiest_day() {
    let between =
        "every: 10m\n    between: [\"Mon-Fri 08:00-12:00\", \"Fri 11:00-13:30\", \"22:00-01:00\"]";
    let cost = cost_of(&[("every: 1m", between)]);
    // Friday: 0:00-1:00, 8:00-13:30, 22:00-24:00 are 8.5 hours of 6 rounds.
    assert!(
        close(cost.requests_per_hour, 6.0) && close(cost.requests_per_day, 51.0),
        "{cost:?}"
    );
}

#[test]
fn cron_fields_count_where_they_match() {
    let cost = cost_of(&[(
        "every: 1m",
        "at: \"*/15 7-19 * * 1-5\"\n    between: 08:00-24:00",
    )]);
    assert!(
        close(cost.requests_per_hour, 4.0) && close(cost.requests_per_day, 48.0),
        "{cost:?}"
    );
}

#[test]
fn the_tightest_limit_counts_on_its_own_span() {
    let share = |rate: &str| {
        let allowed = cost_of(&[("every: 1m", "every: 2m"), ("rate: 10/s", rate)])
            .allowed
            .expect("limits");
        (
            allowed.share_percent,
            allowed.requests_per_hour,
            allowed.requests_per_day,
        )
    };
    assert_eq!(share("rate: [10/s, 60/h]"), (50.0, 60.0, 1_440.0));
    assert_eq!(share("rate: 1440/d"), (50.0, 1_440.0, 1_440.0));
    assert_eq!(share("rate: 1/m"), (50.0, 60.0, 1_440.0));
}

#[test]
fn without_limits_nothing_is_compared() {
    assert_eq!(cost_of(&[("rate: 10/s, ", "")]).allowed, None);
}

#[test]
fn sweeps_are_counted_with_their_action_and_by_themselves() {
    let sweeps = "every: 1m\n    trailing: { every: 10m, between: 08:00-20:00, horizon: 2h }\n    reconcile: every 12h";
    let cost = cost_of(&[("every: 1m", sweeps)]);
    let action = &cost.actions[0];
    // 6 an hour for 12 hours, and 2 on the whole day.
    assert!(close(action.sweep_rounds_per_day, 74.0), "{action:?}");
    assert!(close(action.rounds_per_day, 1_440.0 + 74.0), "{action:?}");
    assert!(
        close(cost.requests_per_hour, 60.0 + 6.0 + 1.0 / 12.0),
        "{cost:?}"
    );
    assert!(close(cost_of(&[]).actions[0].sweep_rounds_per_day, 0.0));
}

#[test]
fn slices_of_each_partition_and_each_sweep_are_counted() {
    let query = "query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }";
    let dates = "query: { from: \"{{ from }}\", to: \"{{ to }}\" }\n      dates: { from: -30d, to: 300d, longest: 31d, field: .start }";
    let per_hour = |changes: &[(&str, &str)]| cost_of(changes).requests_per_hour;
    let by_hour = ("every: 1m", "every: 1h");
    assert!(close(per_hour(&[by_hour, (query, dates)]), 11.0));
    let partitioned = format!("for_each: [1, 2, 3]\n      {dates}")
        .replace("{{ from }}", "{{ from }}/{{ partition }}");
    assert!(close(per_hour(&[by_hour, (query, &partitioned)]), 33.0));
    // The hour and the overlap are asked for in slices of half an hour.
    let window = "query: { changedsince: \"{{ cursor }}\", to: \"{{ until }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m, window: { longest: 30m } }";
    assert!(close(per_hour(&[by_hour, (query, window)]), 3.0));
    assert!(close(per_hour(&[(query, window)]), 60.0));
}
