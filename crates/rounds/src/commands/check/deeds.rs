//! What an action will do, in words.

use crate::output::duration_in_words;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rounds_config::ConnectorUse;
use rounds_domain::plan::{
    Action, Baseline, BodyRule, Cadence, Connection, CursorRule, Deletions, Expect, Feed, FeedRole,
    Links, Log, LogOrder, Meaning, OrderBy, Paging, PagingRule, Partitions, Queue, Schedule, Start,
    Sweep, SweepScope, TimeCursor, TimeFormat, TimeSource, VersionRule, WhenMissing, Window,
};
use rounds_domain::{FeedKey, InstanceId};
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// What an action will do.
#[derive(Debug, Serialize)]
pub struct ActionDeeds {
    /// Its name.
    pub action: String,
    /// Which EHR it asks.
    pub connection: String,
    /// What it begins with, if that is of a connector.
    pub connector: Option<ConnectorDeeds>,
    /// How often.
    pub cadence: String,
    /// The interval, if it has one.
    pub every_seconds: Option<f64>,
    /// Only within these windows; empty means always.
    pub between: Vec<String>,
    /// The zone of cron fields and windows.
    pub zone: Option<String>,
    /// When the next round is due; none before the first start.
    pub next_round_at: Option<Timestamp>,
    /// Over what it is asked, if it has partitions.
    pub partitions: Option<String>,
    /// How it knows where it stands.
    pub cursor: CursorDeeds,
    /// Where the first round starts.
    pub start: String,
    /// How pages are followed.
    pub pages: String,
    /// Further change queries that tell of the same records.
    pub also: Vec<SweepDeeds>,
    /// What finds that which the change query does not show.
    pub sweeps: Vec<SweepDeeds>,
    /// Where the EHR may push the same records.
    pub receives: Option<String>,
    /// Answers that rules call good or empty: nothing more is asked of them.
    pub believes: Vec<String>,
    /// What makes a version of a record.
    pub version: &'static str,
    /// The lookups, in their order, with what a missing record means.
    pub lookups: Vec<LookupDeeds>,
    /// What is sent.
    pub body: String,
    /// Whose order is kept.
    pub order: &'static str,
    /// To whom.
    pub destinations: Vec<String>,
}

/// The instant by which a cursor's text is shown: an afternoon in which no field equals another.
const SAMPLE: Timestamp = Timestamp::constant(1_795_626_247, 0);

/// What an action begins with.
#[derive(Debug, Serialize)]
pub struct ConnectorDeeds {
    /// The connector.
    pub connector: String,
    /// Its action.
    pub uses: String,
    /// How it is polled.
    pub strategy: &'static str,
    /// How sure that is.
    pub certainty: &'static str,
}

impl From<&ConnectorUse> for ConnectorDeeds {
    fn from(used: &ConnectorUse) -> Self {
        Self {
            connector: used.connector.clone(),
            uses: used.uses.clone(),
            strategy: used.strategy.in_words(),
            certainty: used.certainty.in_words(),
        }
    }
}

/// How an action knows where it stands.
#[derive(Debug, Serialize)]
pub struct CursorDeeds {
    /// `time`, `number`, `token` or `none`.
    pub kind: &'static str,
    /// In words.
    pub words: String,
    /// What it would ask for if it stood at a sample instant; None where it does not stand at instants.
    pub sample: Option<String>,
    /// How far before the cursor is asked again, if it is a time: at least one granule.
    pub effective_overlap_seconds: Option<f64>,
}

/// A sweep beside the change query.
#[derive(Debug, Serialize)]
pub struct SweepDeeds {
    /// Its name, as `rounds poll --feed` takes it.
    pub feed: String,
    /// How often.
    pub cadence: String,
    /// What it looks at, in words.
    pub words: String,
}

/// One lookup.
#[derive(Debug, Serialize)]
pub struct LookupDeeds {
    /// Its name.
    pub lookup: String,
    /// How many records its answer may hold: `one` or `many`.
    pub expect: &'static str,
    /// What a 404 or 410 means: `null`, `park` or `drop`.
    pub when_missing: &'static str,
}

impl ActionDeeds {
    pub(super) fn of(
        action: &Action,
        connection: Option<&Connection>,
        used: Option<&ConnectorUse>,
        instance: Option<&InstanceId>,
        now: Timestamp,
    ) -> Self {
        let changes = &action.changes;
        let schedule = &changes.schedule;
        let inbound = connection.and_then(|connection| connection.receive.as_ref());
        let is_zoned = matches!(schedule.cadence, Cadence::At(_)) || !schedule.windows.is_empty();
        Self {
            action: action.name.to_string(),
            connection: action.connection.to_string(),
            connector: used.map(ConnectorDeeds::from),
            cadence: cadence(schedule),
            every_seconds: match &schedule.cadence {
                Cadence::Every(every) => Some(every.as_secs_f64()),
                Cadence::At(_) => None,
            },
            between: schedule.windows.iter().map(window).collect(),
            zone: schedule
                .zone
                .iana_name()
                .filter(|_| is_zoned)
                .map(str::to_owned),
            next_round_at: instance.and_then(|instance| {
                let key = FeedKey::whole(action.name.clone(), changes.name.clone());
                rounds_engine::next_tick_at(schedule, &key, instance, now)
            }),
            partitions: changes.partitions.as_ref().map(partitions),
            cursor: CursorDeeds {
                sample: rounds_engine::sample_request(changes, SAMPLE),
                ..cursor(&changes.cursor)
            },
            start: start(action),
            pages: pages(&changes.paging),
            also: action.also.iter().map(|feed| also(feed)).collect(),
            sweeps: action.sweeps.iter().map(|feed| sweep(feed)).collect(),
            believes: believes(action, connection),
            receives: inbound.filter(|_| action.receive.is_some()).map(|inbound| {
                format!(
                    "POST http://{}/{}/{}",
                    inbound.listen, action.connection, action.name
                )
            }),
            version: match &changes.version {
                VersionRule::Field(_) => "a field of the record",
                VersionRule::Fingerprint { counting: None } => "the record's whole content",
                VersionRule::Fingerprint { counting: Some(_) } => {
                    "the record's content without what is ignored"
                }
            },
            lookups: action.lookups.iter().map(lookup).collect(),
            body: match &action.notify.body {
                BodyRule::Whole => {
                    "the record, its former state and the lookups' answers".to_owned()
                }
                BodyRule::Free(_) => "the body as you wrote it".to_owned(),
                BodyRule::Model { model, .. } => format!("{} messages", model.name()),
                BodyRule::Own { model, .. } => {
                    format!("the body as your schema `{}` has it", model.name())
                }
            },
            order: match &action.notify.order_by {
                OrderBy::Record => "in order for each record",
                OrderBy::Expression(_) => "in order for each value of `order_by`",
                OrderBy::Action => "in order for the whole action",
            },
            destinations: action
                .to
                .iter()
                .map(|to| {
                    if to.is_for_all() {
                        to.destination.to_string()
                    } else {
                        format!("{} (by its rules)", to.destination)
                    }
                })
                .collect(),
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.action)?;
        let mut when = format!("asks {} {}", self.connection, self.cadence);
        if !self.between.is_empty() {
            when = format!("{when}, within {}", self.between.join(" and "));
        }
        if let Some(zone) = &self.zone {
            when = format!("{when} ({zone})");
        }
        writeln!(out, "  {when}")?;
        match self.next_round_at {
            Some(at) => writeln!(out, "  next round  at {at}")?,
            None => writeln!(out, "  next round  soon after the first `rounds run`")?,
        }
        if let Some(begins) = &self.connector {
            writeln!(
                out,
                "  connector   {}, its {}: {} ({})",
                begins.connector, begins.uses, begins.strategy, begins.certainty
            )?;
        }
        writeln!(out, "  cursor      {}", self.cursor.words)?;
        if let Some(sample) = &self.cursor.sample {
            writeln!(out, "  asks for    `{sample}`, if it stands at {SAMPLE}")?;
        }
        if let Some(partitions) = &self.partitions {
            writeln!(out, "  for each    {partitions}")?;
        }
        writeln!(out, "  start       {}", self.start)?;
        writeln!(out, "  pages       {}", self.pages)?;
        for also in &self.also {
            writeln!(
                out,
                "  also        {}, {}: {}",
                also.feed, also.cadence, also.words
            )?;
        }
        if let Some(receives) = &self.receives {
            writeln!(out, "  receives    {receives}")?;
        }
        for sweep in &self.sweeps {
            writeln!(
                out,
                "  sweeps      {}, {}: {}",
                sweep.feed, sweep.cadence, sweep.words
            )?;
        }
        for answer in &self.believes {
            writeln!(out, "  believes    {answer}")?;
        }
        writeln!(out, "  changed is  what differs in {}", self.version)?;
        for lookup in &self.lookups {
            let missing = match lookup.when_missing {
                "park" => "a missing one is waited for",
                "drop" => "a change with a missing one is not told",
                _ => "a missing one is null, and marked",
            };
            let many = match lookup.expect {
                "many" => "whatever comes is taken; ",
                _ => "",
            };
            writeln!(out, "  looks up    {}: {many}{missing}", lookup.lookup)?;
        }
        let to = if self.destinations.is_empty() {
            "nobody".to_owned()
        } else {
            self.destinations.join(", ")
        };
        writeln!(out, "  sends       {} to {to}, {}", self.body, self.order)
    }
}

fn cursor(rule: &CursorRule) -> CursorDeeds {
    let (kind, words, overlap) = match rule {
        CursorRule::Time(time) => {
            let format = match &time.format {
                TimeFormat::Strftime(format) => format!("`{format}`"),
                TimeFormat::Rfc3339 => "RFC 3339".to_owned(),
                TimeFormat::EpochSeconds => "seconds since 1970".to_owned(),
                TimeFormat::EpochMilliseconds => "milliseconds since 1970".to_owned(),
                TimeFormat::HttpDate => "an HTTP date".to_owned(),
            };
            let source = match &time.source {
                TimeSource::Field => "the latest date among the records",
                TimeSource::AscendingField => "the latest date among the records, page by page",
                TimeSource::DescendingField => {
                    "the latest date among the records, which come newest first and are read up to the cursor"
                }
                TimeSource::Answer(_) => "the EHR's own clock, as its answer shows it",
                TimeSource::SourceClock => "the EHR's own clock",
            };
            let zone = zone_in_words(&time.zone);
            let settle = if time.settle == Duration::ZERO {
                String::new()
            } else {
                format!(
                    "; records younger than {} wait",
                    duration_in_words(time.settle)
                )
            };
            let slices = time.longest_window.map_or_else(String::new, |longest| {
                format!("; in slices of {} at most", duration_in_words(longest))
            });
            let words = format!(
                "{source}, written as {format} in {zone}; asks again from {} before{settle}{slices}",
                duration_in_words(time.overlap)
            );
            ("time", words, Some(time.overlap.as_secs_f64()))
        }
        CursorRule::Number(log) => ("number", log_in_words("a number", log), None),
        CursorRule::Token(log) => ("token", log_in_words("a token", log), None),
        CursorRule::Queue(queue) => ("queue", queue_in_words(queue), None),
        CursorRule::Sweep(sweep) => (
            "none",
            format!(
                "none: each round asks for {} and compares it with what is known; {}",
                scope(sweep),
                deletions(sweep)
            ),
            None,
        ),
    };
    CursorDeeds {
        kind,
        words,
        sample: None,
        effective_overlap_seconds: overlap,
    }
}

/// The sign of `Etc/GMT+6` is turned round, so what it stands for is said.
fn zone_in_words(zone: &TimeZone) -> String {
    let name = zone.iana_name().unwrap_or("a fixed offset");
    if !name.starts_with("Etc/GMT") {
        return name.to_owned();
    }
    let offset = SAMPLE.to_zoned(zone.clone()).offset();
    format!("{name}, which is UTC{offset}")
}

/// A queue forgets what it gave: whether that can be lost is what a user has to know of it.
fn log_in_words(what: &str, log: &Log) -> String {
    let order = match log.order {
        LogOrder::Unsaid => "",
        LogOrder::Ascending => ", each page's own",
    };
    let end = match log.end {
        Some(_) => "; `start: now` asks where the log ends",
        None => "",
    };
    format!("{what} in the answer{order}{end}")
}

fn queue_in_words(queue: &Queue) -> String {
    match &queue.recover {
        Some(recover) => format!(
            "the EHR keeps it, and gives each change once; after a crash or a failed round what was given is asked for again, {} back at most",
            duration_in_words(recover.reach)
        ),
        None => "the EHR keeps it, and gives each change once; a crash or a failed round may lose what one answer held, because there is no `recover`".to_owned(),
    }
}

fn partitions(partitions: &Partitions) -> String {
    match partitions {
        Partitions::Listed(listed) => format!("each of {} values on its own", listed.len()),
        Partitions::Asked(query) => format!(
            "each entry of a list on its own; the list is asked for every {}",
            duration_in_words(query.every)
        ),
    }
}

fn also(feed: &Feed) -> SweepDeeds {
    let gone = if feed.gone.is_some() {
        "; its tombstones are told as deleted"
    } else {
        ""
    };
    SweepDeeds {
        feed: feed.name.to_string(),
        cadence: cadence(&feed.schedule),
        words: format!("{}{gone}", cursor(&feed.cursor).words),
    }
}

fn sweep(feed: &Feed) -> SweepDeeds {
    let words = match (&feed.cursor, feed.role) {
        (CursorRule::Time(TimeCursor { settle, .. }), FeedRole::Trailing) => format!(
            "the change query again, {} later, for what shows up late",
            duration_in_words(*settle)
        ),
        (CursorRule::Sweep(sweep), _) => {
            format!("{}; {}", scope(sweep), deletions(sweep))
        }
        (other, _) => cursor(other).words,
    };
    SweepDeeds {
        feed: feed.name.to_string(),
        cadence: cadence(&feed.schedule),
        words,
    }
}

fn scope(sweep: &Sweep) -> String {
    match &sweep.scope {
        SweepScope::Everything => "everything".to_owned(),
        SweepScope::ChangesSince { since, .. } => {
            format!("everything that changed since {since}")
        }
        SweepScope::Dates(range) => {
            let slices = range.longest_days.map_or_else(String::new, |longest| {
                format!(", in slices of {longest} days at most")
            });
            format!(
                "dates from {:+} to {:+} days around today{slices}",
                range.from_days, range.to_days
            )
        }
    }
}

fn deletions(sweep: &Sweep) -> String {
    match sweep.deletions {
        Deletions::Ignored => "what is gone is not told".to_owned(),
        Deletions::Told {
            hold_back_above_percent,
            ..
        } => format!(
            "what is gone is told after a second look, unless more than {hold_back_above_percent} % (and ten) is gone at once"
        ),
    }
}

fn cadence(schedule: &Schedule) -> String {
    match &schedule.cadence {
        Cadence::Every(every) => format!("every {}", duration_in_words(*every)),
        Cadence::At(cron) => format!("at `{}`", cron.pattern),
    }
}

fn start(action: &Action) -> String {
    let changes = &action.changes;
    match changes.start {
        Start::Now => {
            let not_told = "from now: what is there already is not told";
            match (&changes.cursor, changes.baseline) {
                (CursorRule::Time(_), Baseline::Everything) => format!("{not_told}, but read once"),
                (CursorRule::Time(_), Baseline::Back(back)) => format!(
                    "{not_told}, but read once, as far as it changed in the last {}",
                    duration_in_words(back)
                ),
                (CursorRule::Time(_), Baseline::None) if action.sweeps.is_empty() => {
                    let first_change = match &changes.created {
                        None => "told as new (`baseline: all` reads it)".to_owned(),
                        Some(created) => {
                            format!("new or not as `{}` says", created.field.text().trim())
                        }
                    };
                    format!("{not_told}; nor is it read, so its first change is {first_change}")
                }
                _ => not_told.to_owned(),
            }
        }
        Start::Beginning => "from the beginning: everything is told".to_owned(),
        Start::Instant(instant) => format!("from {instant}"),
    }
}

fn pages(paging: &Paging) -> String {
    let rule = match &paging.rule {
        PagingRule::Single => return "one".to_owned(),
        PagingRule::NextLink(_) => "by the next link in the body".to_owned(),
        PagingRule::LinkHeader { relation } => format!("by the Link header's `{relation}`"),
        PagingRule::PageNumber { parameter, .. } => {
            format!("by number, {}", place(parameter.as_ref()))
        }
        PagingRule::Offset { parameter, .. } => format!("by offset, {}", place(parameter.as_ref())),
        PagingRule::Token { parameter, .. } => format!("by token, {}", place(parameter.as_ref())),
        PagingRule::After { parameter, .. } => {
            format!(
                "after the last record of the one before, {}",
                place(parameter.as_ref())
            )
        }
        PagingRule::UntilEmpty => "asked again until there is nothing".to_owned(),
    };
    let more = paging
        .more
        .as_ref()
        .map_or("", |_| ", as long as the answer says so");
    let rebased = match paging.links {
        Links::AsGiven => "",
        Links::Rebased => ", at `base_url`",
    };
    format!("{rule}{rebased}{more}, at most {}", paging.max_pages)
}

/// Where the place of a page stands.
fn place(parameter: Option<&String>) -> String {
    match parameter {
        Some(parameter) => format!("`{parameter}`"),
        None => "where the request says `page`".to_owned(),
    }
}

/// The rules by which an answer counts that would not without them, in words.
fn believes(action: &Action, connection: Option<&Connection>) -> Vec<String> {
    let of_connection = connection.iter().flat_map(|connection| &connection.answers);
    let rules = (action.answers.iter().map(|rule| (rule, "the action's")))
        .chain(of_connection.map(|rule| (rule, "the connection's")));
    let believed = rules.filter_map(|(rule, whose)| {
        let means = match &rule.means {
            Meaning::Ok => "as whole, whatever it holds",
            Meaning::Empty => "as one that says that there is nothing",
            _ => return None,
        };
        let mut which = Vec::new();
        for range in &rule.statuses {
            which.push(if range.first == range.last {
                format!("status {}", range.first)
            } else {
                format!("status {} to {}", range.first, range.last)
            });
        }
        which.extend(
            rule.headers
                .iter()
                .map(|(name, _)| format!("the header `{name}`")),
        );
        which.extend(rule.text.as_ref().map(|_| "a text in it".to_owned()));
        which.extend(rule.body.as_ref().map(|body| format!("`{}`", body.text())));
        Some(format!(
            "an answer with {} {means}, by {whose} `answers`",
            which.join(" and ")
        ))
    });
    believed.collect()
}

fn lookup(lookup: &rounds_domain::plan::Lookup) -> LookupDeeds {
    LookupDeeds {
        lookup: lookup.name.to_string(),
        expect: match lookup.expect {
            Expect::One => "one",
            Expect::Many => "many",
        },
        when_missing: match lookup.when_missing {
            WhenMissing::Null => "null",
            WhenMissing::Park => "park",
            WhenMissing::Drop => "drop",
        },
    }
}

fn window(window: &Window) -> String {
    let day = |day: jiff::civil::Weekday| format!("{day:?}").chars().take(3).collect::<String>();
    let days = window.days.map_or_else(String::new, |days| {
        if days.first == days.last {
            format!("{} ", day(days.first))
        } else {
            format!("{}-{} ", day(days.first), day(days.last))
        }
    });
    let to = window
        .to
        .map_or_else(|| "24:00".to_owned(), |to| to.strftime("%H:%M").to_string());
    format!("{days}{}-{to}", window.from.strftime("%H:%M"))
}
