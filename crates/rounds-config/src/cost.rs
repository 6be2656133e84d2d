//! What a plan will cost: requests per hour and day, against what each EHR allows.
//!
//! Every round is at least one request; further pages and lookups come with changes, and how many there will be is not
//! known: a sweep that asks for everything has many pages, and a list of partitions that is asked for has as many as it has. So the figures are a floor, counted for the busiest hour and the busiest day that the schedule can have:
//! windows are looked at minute by minute over a week, cron fields as if a day matched that they can match.

use jiff::Timestamp;
use jiff::civil::Weekday;
use rounds_domain::plan::{
    Action, Cadence, Connection, CursorRule, Feed, FeedRole, Holds, Partitions, Plan, Rate,
    Schedule, Sweep, SweepScope, TimeCursor, Window,
};
use rounds_domain::{ActionName, ConnectionName, LookupName};
use std::collections::BTreeMap;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MINUTES_A_DAY: usize = 24 * 60;
/// Up to when a sweep from some day on asks at least: a configuration has no clock.
const A_RECENT_DAY: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// What one connection is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionCost {
    /// Which.
    pub connection: ConnectionName,
    /// By its actions, in the order of the plan.
    pub actions: Vec<ActionCost>,
    /// In the busiest hour, at least.
    pub requests_per_hour: f64,
    /// On the busiest day, at least.
    pub requests_per_day: f64,
    /// What its limits let through; None if it declares none.
    pub allowed: Option<Allowance>,
}

/// What one action asks.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionCost {
    /// Which.
    pub action: ActionName,
    /// In the busiest hour, those of its sweeps included. Each round is at least one request.
    pub rounds_per_hour: f64,
    /// On the busiest day.
    pub rounds_per_day: f64,
    /// How many of them its sweeps make.
    pub sweep_rounds_per_day: f64,
    /// Requests in the busiest hour: one for each round, for each slice of a span that is too long for one, and for
    /// each of its partitions where the configuration lists them.
    pub requests_per_hour: f64,
    /// Requests on the busiest day.
    pub requests_per_day: f64,
    /// These are asked on top, once for each change, as far as their answers are not shared.
    pub lookups_per_change: Vec<LookupName>,
}

/// What the limits of a connection let through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// In any hour.
    pub requests_per_hour: f64,
    /// On any day.
    pub requests_per_day: f64,
    /// How much of the tightest limit is used up by rounds alone; 100 is all.
    pub share_percent: f64,
}

/// The cost of every connection that some action asks, by name.
pub fn cost(plan: &Plan) -> Vec<ConnectionCost> {
    let mut actions: BTreeMap<&ConnectionName, Vec<ActionCost>> = BTreeMap::new();
    for action in &plan.actions {
        actions
            .entry(&action.connection)
            .or_default()
            .push(action_cost(action));
    }
    let of = |(name, actions): (&ConnectionName, Vec<ActionCost>)| {
        let requests_per_hour: f64 = actions.iter().map(|action| action.requests_per_hour).sum();
        let requests_per_day = actions.iter().map(|action| action.requests_per_day).sum();
        let connection = plan.connections.get(name);
        ConnectionCost {
            connection: name.clone(),
            actions,
            requests_per_hour,
            requests_per_day,
            allowed: connection
                .and_then(|connection| allowance(connection, requests_per_hour, requests_per_day)),
        }
    };
    actions.into_iter().map(of).collect()
}

fn action_cost(action: &Action) -> ActionCost {
    let mut cost = ActionCost {
        action: action.name.clone(),
        rounds_per_hour: 0.0,
        rounds_per_day: 0.0,
        sweep_rounds_per_day: 0.0,
        requests_per_hour: 0.0,
        requests_per_day: 0.0,
        lookups_per_change: (action.lookups.iter())
            .map(|lookup| lookup.name.clone())
            .collect(),
    };
    for feed in action.feeds() {
        let (per_hour, per_day) = rounds(&feed.schedule);
        let requests = requests_per_round(feed);
        cost.rounds_per_hour += per_hour;
        cost.rounds_per_day += per_day;
        cost.requests_per_hour += per_hour * requests;
        cost.requests_per_day += per_day * requests;
        if feed.role != FeedRole::Changes {
            cost.sweep_rounds_per_day += per_day;
        }
    }
    cost
}

/// One for each slice of each partition, as far as it is known how many there are.
fn requests_per_round(feed: &Feed) -> f64 {
    let partitions = match &feed.partitions {
        Some(Partitions::Listed(listed)) => {
            f64::from(u32::try_from(listed.len()).unwrap_or(u32::MAX))
        }
        Some(Partitions::Asked(_)) | None => 1.0,
    };
    partitions * slices_per_round(feed)
}

/// Into how many slices a span is cut that is longer than one request may ask for.
fn slices_per_round(feed: &Feed) -> f64 {
    let of_time = |span: f64, rule: &TimeCursor| {
        let Some(longest) = rule.longest_window else {
            return 1.0;
        };
        // Neighbours share a granule.
        let further = longest.saturating_sub(rule.granularity).as_secs_f64();
        (span / further.max(1.0)).ceil().max(1.0)
    };
    match &feed.cursor {
        CursorRule::Time(rule) => {
            let since_the_last = match &feed.schedule.cadence {
                Cadence::Every(interval) => *interval,
                Cadence::At(_) => Duration::ZERO,
            };
            of_time((rule.overlap + since_the_last).as_secs_f64(), rule)
        }
        CursorRule::Sweep(Sweep { scope, .. }) => match scope {
            SweepScope::Everything => 1.0,
            SweepScope::ChangesSince { since, written } => {
                of_time(A_RECENT_DAY.duration_since(*since).as_secs_f64(), written)
            }
            SweepScope::Dates(range) => {
                let days = f64::from(range.to_days.saturating_sub(range.from_days));
                // Neighbours share a day.
                let further = range
                    .longest_days
                    .map(|longest| f64::from((longest - 1).max(1)));
                further.map_or(1.0, |further| (days / further).ceil().max(1.0))
            }
        },
        CursorRule::Number(_) | CursorRule::Token(_) | CursorRule::Queue(_) => 1.0,
    }
}

/// Rounds in the busiest hour and on the busiest day.
fn rounds(schedule: &Schedule) -> (f64, f64) {
    let windows = &schedule.windows;
    let (mut busiest_hour, mut busiest_day) = (0.0_f64, 0.0_f64);
    let per_minute = ticks_by_minute(&schedule.cadence);
    for day in Weekday::Monday.cycle_forward().take(7) {
        let open = open_minutes(windows, day);
        let rounds = |minutes: std::ops::Range<usize>| -> f64 {
            minutes
                .filter(|minute| open[*minute])
                .map(|minute| per_minute[minute])
                .sum()
        };
        busiest_day = busiest_day.max(rounds(0..MINUTES_A_DAY));
        for hour in 0..24 {
            busiest_hour = busiest_hour.max(rounds(hour * 60..(hour + 1) * 60));
        }
    }
    match &schedule.cadence {
        // The sum over minutes is the same but for rounding.
        Cadence::Every(interval) if windows.is_empty() => {
            (per(HOUR, *interval), per(DAY, *interval))
        }
        // What falls outside of windows shorter than the interval is made when one opens.
        Cadence::Every(interval) => {
            let openings = f64::from(u32::try_from(windows.len()).unwrap_or(u32::MAX));
            let made_up = |span| per(span, *interval).min(openings);
            (
                busiest_hour.max(made_up(HOUR)),
                busiest_day.max(made_up(DAY)),
            )
        }
        Cadence::At(_) => (busiest_hour, busiest_day),
    }
}

fn per(span: Duration, interval: Duration) -> f64 {
    span.as_secs_f64() / interval.as_secs_f64().max(0.001)
}

/// How many ticks fall into each minute of a day.
fn ticks_by_minute(cadence: &Cadence) -> Vec<f64> {
    match cadence {
        Cadence::Every(interval) => vec![per(Duration::from_mins(1), *interval); MINUTES_A_DAY],
        Cadence::At(cron) => {
            let matches = |hour: usize, minute: usize| {
                let number = |value: usize| u32::try_from(value).unwrap_or(0);
                let hour = cron.pattern.hour_match(number(hour)).unwrap_or(true);
                hour && cron.pattern.minute_match(number(minute)).unwrap_or(true)
            };
            (0..MINUTES_A_DAY)
                .map(|at| if matches(at / 60, at % 60) { 1.0 } else { 0.0 })
                .collect()
        }
    }
}

/// Which minutes of a weekday are within some window. No window means all.
pub(crate) fn open_minutes(windows: &[Window], day: Weekday) -> Vec<bool> {
    let mut open = vec![windows.is_empty(); MINUTES_A_DAY];
    let before = day.previous();
    for window in windows {
        let begins = |day: Weekday| window.days.is_none_or(|days| days.contains(day));
        let from = minute(window.from);
        let to = window.to.map_or(MINUTES_A_DAY, minute);
        let over_midnight = window.to.is_some() && to <= from;
        if begins(day) {
            open[from..if over_midnight { MINUTES_A_DAY } else { to }].fill(true);
        }
        if over_midnight && begins(before) {
            open[..to].fill(true);
        }
    }
    open
}

fn minute(time: jiff::civil::Time) -> usize {
    let number = |value: i8| usize::try_from(value).unwrap_or(0);
    number(time.hour()) * 60 + number(time.minute())
}

fn allowance(connection: &Connection, per_hour: f64, per_day: f64) -> Option<Allowance> {
    // What holds in a part of the week only is kept by the gate, and says nothing of the whole week.
    let always = |rate: &&Rate| rate.holds == Holds::Always;
    let rates: Vec<&Rate> = connection.limits.rates.iter().filter(always).collect();
    let least = |span| {
        rates
            .iter()
            .map(|rate| allowed_in(rate, span))
            .reduce(f64::min)
    };
    let share = |rate: &&Rate| {
        asked_in(rate.per, per_hour, per_day) / f64::from(rate.requests.max(1)) * 100.0
    };
    Some(Allowance {
        requests_per_hour: least(HOUR)?,
        requests_per_day: least(DAY)?,
        share_percent: rates.iter().map(share).fold(0.0, f64::max),
    })
}

/// How many requests a rate lets through in a span of time.
fn allowed_in(rate: &Rate, span: Duration) -> f64 {
    f64::from(rate.requests) * (span.as_secs_f64() / rate.per.as_secs_f64().max(0.001)).max(1.0)
}

/// How many requests are made in a span of time, spread evenly over the busiest hour or the busiest day.
fn asked_in(span: Duration, per_hour: f64, per_day: f64) -> f64 {
    let hours = span.as_secs_f64() / HOUR.as_secs_f64();
    if span <= HOUR {
        per_hour * hours
    } else if span <= DAY {
        (per_hour * hours).min(per_day)
    } else {
        per_day * (hours / 24.0)
    }
}
