//! What a seed means: which APIs there are, what they promise, and the configuration that a user would write for them.
//!
//! Everything is drawn so that it keeps the contract of its feed: a record that comes late comes within the overlap, or within
//! the horizon if there is a trailing sweep, or whenever it likes if there is a reconciling one. Then the oracle may demand
//! everything. The configuration is YAML and goes through the same reader as a user's.

use jiff::Timestamp;
use rounds_testkit::random::Random;
use std::time::Duration;

/// What a seed means.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// When the world begins.
    pub(crate) start: Timestamp,
    /// How far the source's clock is ahead of ours; behind it where negative.
    pub(crate) skew_seconds: i64,
    /// Whether answers have a `Date`. Without it Rounds goes by our clock, so the clocks must not differ then.
    pub(crate) sends_date: bool,
    /// How long things change and go wrong.
    pub(crate) trouble: Duration,
    /// How often things go wrong, in a thousand requests or attempts.
    pub(crate) faults_per_mille: u64,
    /// About how many edges a process lives; None: it is never killed.
    pub(crate) edges_per_life: Option<u64>,
    /// Whether the store is a file that is closed and opened again with each life.
    pub(crate) disk: Disk,
    pub(crate) actions: Vec<ActionScenario>,
    pub(crate) destinations: Vec<String>,
}

/// Where the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Memory,
    File,
}

/// One polled API.
#[derive(Debug, Clone)]
pub(crate) struct ActionScenario {
    pub(crate) name: String,
    pub(crate) every: Duration,
    pub(crate) query: Query,
    pub(crate) overlap: Duration,
    pub(crate) settle: Duration,
    pub(crate) wire: Wire,
    pub(crate) paging: Paging,
    pub(crate) page: usize,
    pub(crate) order: Order,
    pub(crate) is_order_declared: bool,
    pub(crate) start: Start,
    pub(crate) version: VersionBy,
    pub(crate) key: KeyBy,
    pub(crate) has_lookup: bool,
    pub(crate) trailing: Option<Trailing>,
    pub(crate) reconcile: Option<Reconcile>,
    pub(crate) records: u64,
    pub(crate) edits: u64,
}

/// What the change query goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    /// A date of the record.
    Field,
    /// The source's clock.
    Clock,
    /// A number in a change log.
    Number,
    /// A token that stands for such a number.
    Token,
    /// Nothing: everything each time.
    Everything,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// RFC 3339 with milliseconds.
    Rfc3339,
    /// Local time of New York, whole seconds, no offset.
    NaiveNewYork,
    /// UTC, whole minutes.
    Minutes,
    /// Milliseconds since 1970.
    Milliseconds,
}

/// How pages follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    Single,
    /// The server keeps the result still and gives links into it, which expire.
    KeptResult,
    /// A token after the last record, over the live table.
    LiveToken,
    Offset,
    PageNumber,
}

/// In which order records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
    Shuffled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Now,
    Beginning,
}

/// What tells states of a record apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionBy {
    Field,
    Content,
}

/// Whose order is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyBy {
    Record,
    Patient,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Trailing {
    pub(crate) every: Duration,
    pub(crate) horizon: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Reconcile {
    pub(crate) every: Duration,
    pub(crate) tells_deletions: bool,
    /// It asks in its own way, not by the change query.
    pub(crate) has_own_request: bool,
}

impl Scenario {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = Random::from_seed(seed);
        // Some worlds begin just before New York changes its clocks.
        let starts = [
            "2026-05-01T10:00:00Z",
            "2026-11-01T04:40:00Z",
            "2026-03-08T05:50:00Z",
            "2026-12-31T22:30:00Z",
        ];
        let start = pick(&mut random, &starts)
            .parse()
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let destinations = 1 + random.below(2);
        let actions = 1 + random.below(3);
        let skew_seconds = match random.below(4) {
            0 => between(&mut random, 1, 900),
            1 => -between(&mut random, 1, 900),
            _ => 0,
        };
        Self {
            start,
            skew_seconds,
            sends_date: skew_seconds != 0 || random.below(4) > 0,
            trouble: Duration::from_mins(100 + random.below(60)),
            faults_per_mille: pick(&mut random, &[0, 20, 60, 150]),
            edges_per_life: pick(&mut random, &[None, Some(15), Some(60), Some(250)]),
            disk: if seed % 16 == 5 {
                Disk::File
            } else {
                Disk::Memory
            },
            actions: (0..actions)
                .map(|number| ActionScenario::draw(number, &mut random))
                .collect(),
            destinations: (0..destinations)
                .map(|number| format!("app{number}"))
                .collect(),
        }
    }
}

impl ActionScenario {
    fn draw(number: u64, random: &mut Random) -> Self {
        let query = pick(
            random,
            &[
                Query::Field,
                Query::Field,
                Query::Field,
                Query::Clock,
                Query::Number,
                Query::Token,
                Query::Everything,
            ],
        );
        let is_by_time = matches!(query, Query::Field | Query::Clock);
        let wire = pick(
            random,
            &[
                Wire::Rfc3339,
                Wire::Rfc3339,
                Wire::NaiveNewYork,
                Wire::Minutes,
                Wire::Milliseconds,
            ],
        );
        let every = Duration::from_secs(pick(random, &[20, 30, 60, 180]));
        let overlap = Duration::from_secs(pick(random, &[90, 120, 300, 600]));
        let order = pick(
            random,
            &[Order::Ascending, Order::Descending, Order::Shuffled],
        );
        let paging = pick(
            random,
            &[
                Paging::Single,
                Paging::KeptResult,
                Paging::LiveToken,
                Paging::Offset,
                Paging::PageNumber,
            ],
        );
        // A place means nothing where the order is another each time, and a live token follows the order of its key.
        let order = match (paging, query) {
            (Paging::LiveToken, _) | (_, Query::Number | Query::Token) => Order::Ascending,
            (Paging::Offset | Paging::PageNumber, _) if order == Order::Shuffled => {
                Order::Ascending
            }
            _ => order,
        };
        let trailing = (is_by_time && random.below(3) == 0).then(|| Trailing {
            every: Duration::from_secs(pick(random, &[120, 300])),
            horizon: Duration::from_mins(pick(random, &[20, 45])),
        });
        let reconcile = (random.below(3) == 0 && query != Query::Everything).then(|| {
            let by_place = matches!(paging, Paging::Offset | Paging::PageNumber);
            Reconcile {
                every: Duration::from_mins(pick(random, &[7, 20])),
                tells_deletions: random.below(3) > 0,
                has_own_request: !is_by_time || by_place || random.below(2) == 0,
            }
        });
        Self {
            name: format!("a{number}"),
            every,
            query,
            overlap,
            settle: if is_by_time && random.below(4) == 0 {
                Duration::from_secs(pick(random, &[15, 45]))
            } else {
                Duration::ZERO
            },
            wire,
            paging,
            page: usize::try_from(2 + random.below(9)).unwrap_or(2),
            order,
            // A live token follows the log, in which what shows up late is late.
            is_order_declared: query == Query::Field
                && paging != Paging::LiveToken
                && order == Order::Ascending
                && random.below(2) == 0,
            start: pick(random, &[Start::Now, Start::Beginning]),
            version: pick(random, &[VersionBy::Field, VersionBy::Content]),
            key: pick(random, &[KeyBy::Record, KeyBy::Record, KeyBy::Patient]),
            has_lookup: random.below(2) == 0,
            trailing,
            reconcile,
            records: 5 + random.below(40),
            edits: 30 + random.below(120),
        }
    }

    /// The smallest step that a time on the wire has.
    pub(crate) fn granularity(&self) -> Duration {
        match self.wire {
            Wire::Rfc3339 | Wire::Milliseconds => Duration::from_millis(1),
            Wire::NaiveNewYork => Duration::from_secs(1),
            Wire::Minutes => Duration::from_mins(1),
        }
    }

    /// How late a change may show up so that some feed must still find it.
    pub(crate) fn longest_lateness(&self) -> Duration {
        if self.reconcile.is_some() || self.query == Query::Everything {
            return Duration::from_mins(70);
        }
        if !matches!(self.query, Query::Field | Query::Clock) {
            // A change log tells a change when it is there.
            return Duration::ZERO;
        }
        let covered = self
            .trailing
            .map_or(self.overlap, |trailing| trailing.horizon);
        // A date is cut to the wire's step, a `Date` header to a second.
        covered.saturating_sub(self.granularity() + Duration::from_secs(5))
    }
}

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    let index = usize::try_from(random.below(choices.len() as u64)).unwrap_or(0);
    choices[index]
}

fn between(random: &mut Random, least: u64, most: u64) -> i64 {
    i64::try_from(least + random.below(most - least)).unwrap_or(0)
}
