//! What a seed means: which APIs there are, what they promise, and the configuration that a user would write for them.
//!
//! Everything is drawn so that it keeps the contract of its feed: a record that comes late comes within the overlap, or within
//! the horizon if there is a trailing sweep, or whenever it likes if there is a reconciling one. Then the oracle may demand
//! everything. The configuration is YAML and goes through the same reader as a user's.

use jiff::Timestamp;
use rounds_testkit::random::Random;
use std::fmt::Write;
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
    pub(crate) has_version: bool,
    pub(crate) by_patient: bool,
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

    /// The configuration that a user would write for it.
    pub(crate) fn yaml(&self) -> String {
        let mut text = String::from(
            "connections:\n  ehr: { base_url: \"https://ehr.example/api\" }\nactions:\n",
        );
        let to = self.destinations.join(", ");
        for action in &self.actions {
            action.write_yaml(&to, &mut text);
        }
        text.push_str("destinations:\n");
        for name in &self.destinations {
            // Writing to a String does not fail.
            let _written = writeln!(
                text,
                "  {name}: {{ url: \"https://{name}.example/hooks\", retry: {{ waits: [{}] }} }}",
                MANY_WAITS
            );
        }
        text
    }
}

/// More tries than a simulation has faults: nothing is to be given up.
const MANY_WAITS: &str = "5s, 5s, 10s, 10s, 20s, 20s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, \
     1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, \
     2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m";

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
            has_version: random.below(2) == 0,
            by_patient: random.below(3) == 0,
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

    fn write_yaml(&self, to: &str, text: &mut String) {
        let name = &self.name;
        let every = self.every.as_secs();
        let (zone, format) = match self.wire {
            Wire::Rfc3339 => ("UTC", "rfc3339"),
            Wire::NaiveNewYork => ("America/New_York", "%Y-%m-%dT%H:%M:%S"),
            Wire::Minutes => ("UTC", "%Y-%m-%dT%H:%MZ"),
            Wire::Milliseconds => ("UTC", "epoch_milliseconds"),
        };
        let (overlap, settle) = (self.overlap.as_secs(), self.settle.as_secs());
        let order = if self.is_order_declared {
            ", order: ascending"
        } else {
            ""
        };
        let time = |field: &str| {
            format!(
                "query: {{ since: \"{{{{ cursor }}}}\" }}\n      cursor: {{ time: \"{format}\", zone: {zone}, overlap: {overlap}s, settle: {settle}s{field} }}"
            )
        };
        let cursor = match self.query {
            Query::Field => time(&format!(", field: .changed{order}")),
            Query::Clock => time(""),
            Query::Number => {
                "query: { after: \"{{ cursor }}\" }\n      cursor: { number: .last }".to_owned()
            }
            Query::Token => {
                "query: { token: \"{{ cursor }}\" }\n      cursor: { token: .token }".to_owned()
            }
            Query::Everything => "query: {}".to_owned(),
        };
        let size = self.page;
        let paging = match self.paging {
            Paging::Single => String::new(),
            Paging::KeptResult => "      paging: { next_link: .next }\n".to_owned(),
            Paging::LiveToken => {
                "      paging: { token: { parameter: page, from: .more } }\n".to_owned()
            }
            Paging::Offset => {
                format!("      paging: {{ offset: {{ parameter: offset, size: {size} }} }}\n")
            }
            Paging::PageNumber => {
                format!(
                    "      paging: {{ page_number: {{ parameter: number, first: 1, size: {size} }} }}\n"
                )
            }
        };
        let start = match self.start {
            Start::Now => "now",
            Start::Beginning => "beginning",
        };
        let version = if self.has_version {
            "      version: .version\n"
        } else {
            ""
        };
        let order_by = if self.by_patient {
            "      order_by: = .record.patient\n"
        } else {
            ""
        };
        // Writing to a String does not fail.
        let _written = write!(
            text,
            "  {name}:\n    connection: ehr\n    every: {every}s\n    timeout: 15s\n    changes:\n      get: /{name}\n      {cursor}\n      start: {start}\n{paging}      records: .items[]\n      id: .id\n{version}",
        );
        if let Some(trailing) = self.trailing {
            let _written = writeln!(
                text,
                "    trailing: {{ every: {}s, horizon: {}s }}",
                trailing.every.as_secs(),
                trailing.horizon.as_secs()
            );
        }
        if let Some(reconcile) = self.reconcile {
            let deletions = if reconcile.tells_deletions {
                "told"
            } else {
                "ignored"
            };
            let own = if reconcile.has_own_request {
                format!("get: /{name}/all, paging: {{ next_link: .next }}, ")
            } else {
                String::new()
            };
            let _written = writeln!(
                text,
                "    reconcile: {{ every: {}s, {own}deletions: {deletions}, hold_back: 100% }}",
                reconcile.every.as_secs()
            );
        }
        if self.has_lookup {
            let _written = writeln!(
                text,
                "    lookups:\n      patient: {{ get: \"/patient/{{{{ record.patient }}}}\", when_missing: park }}"
            );
        }
        let patient = if self.has_lookup {
            ", patient: = .patient.name"
        } else {
            ""
        };
        let _written = writeln!(
            text,
            "    notify:\n{order_by}      body: {{ action: = .change.action, id: = .record.id, version: = .record.version, kind: = .change.kind{patient} }}\n    retry: {{ waits: [{MANY_WAITS}] }}\n    to: [{to}]",
        );
    }
}

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    let index = usize::try_from(random.below(choices.len() as u64)).unwrap_or(0);
    choices[index]
}

fn between(random: &mut Random, least: u64, most: u64) -> i64 {
    i64::try_from(least + random.below(most - least)).unwrap_or(0)
}
