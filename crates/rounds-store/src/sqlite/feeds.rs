//! Where feeds stand.

use super::codec::{At, CodeText, Length};
use super::error::{Result, Trouble};
use super::findings;
use super::names::Names;
use jiff::Timestamp;
use rounds_domain::ports::FeedPlace;
use rounds_domain::{
    ActionName, Cursor, FeedKey, FeedName, FeedState, Partition, Phi, QueueState, RoundCommit,
    RoundCounts, RoundEnd, RoundFailure, plain,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "cursor_kind, cursor_value, last_started_at, last_succeeded_at, failures_in_a_row, \
     failure_code, failure_message, failure_hint, missed_ticks, rounds, future_dated, name, round, \
     late, longest_late, undeclared, deleted, held_back, partitions, failing, start, began_at, shown";

/// The value that marks a queue among the feeds without a position of ours.
const QUEUE: &str = "queue";
/// What begins the value of a feed whose log is still read silently.
const BASELINE: &str = "baseline";

/// The states of these feeds, in order.
pub(crate) fn states(connection: &Connection, feeds: &[FeedKey]) -> Result<Vec<FeedState>> {
    feeds
        .iter()
        .map(
            |feed| match Names::Actions.find(connection, feed.action.as_str())? {
                Some(action) => {
                    let stored = find(connection, action, feed)?;
                    let mut state = stored.map(|stored| stored.state).unwrap_or_default();
                    if feed.partition.is_none() {
                        state.findings = findings::of_feed(connection, action, &feed.feed)?;
                    }
                    Ok(state)
                }
                None => Ok(FeedState::default()),
            },
        )
        .collect()
}

/// All feeds of an action, by name.
pub(crate) fn of_action(
    connection: &Connection,
    action: i64,
    name: &ActionName,
) -> Result<Vec<(FeedKey, FeedState)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM feeds WHERE action = ?1 AND partition = '' ORDER BY name"
    ))?;
    let mut rows = statement.query([action])?;
    let mut feeds = Vec::new();
    while let Some(row) = rows.next()? {
        let feed = FeedName::new(row.get::<_, String>(11)?);
        let mut state = read(row)?.state;
        state.findings = findings::of_feed(connection, action, &feed)?;
        feeds.push((FeedKey::whole(name.clone(), feed), state));
    }
    Ok(feeds)
}

/// Notes in a feed what a commit brings, and says the number of its round.
pub(crate) fn record(connection: &Connection, action: i64, commit: &RoundCommit) -> Result<u64> {
    let former = find(connection, action, &commit.feed)?;
    let same_round = former
        .as_ref()
        .filter(|stored| stored.state.last_started_at == Some(nearest(commit.started_at)));
    let (round, of_round) = match same_round {
        Some(stored) => (stored.round, OfRound::of(&stored.state)),
        None => (begin_round(connection, action)?, OfRound::default()),
    };
    let mut state = former.map_or_else(
        || FeedState {
            shown: Some(0),
            ..FeedState::default()
        },
        |stored| stored.state,
    );
    state.shown = state.shown.map(|shown| shown + commit.counts.records);
    state.last_started_at = Some(commit.started_at);
    state.missed_ticks += commit.missed_ticks;
    of_round.note(&commit.counts, &mut state);
    state.late += commit.counts.late;
    state.longest_late = state.longest_late.max(commit.counts.longest_late);
    state.undeclared += commit.counts.undeclared;
    state.deleted += commit.counts.deleted;
    match &commit.end {
        RoundEnd::Unfinished => {}
        RoundEnd::Succeeded => {
            if state.rounds == 0 {
                state.began_at = Some(commit.started_at);
            }
            state.last_succeeded_at = Some(commit.committed_at);
            state.failures_in_a_row = 0;
            state.failure = None;
            state.rounds += 1;
        }
        RoundEnd::Failed(failure) => {
            state.failures_in_a_row += 1;
            state.failure = Some(RoundFailure {
                code: failure.code,
                message: plain(&failure.message).into_owned(),
                hint: failure.hint.as_deref().map(|hint| plain(hint).into_owned()),
            });
        }
    }
    write(connection, action, &commit.feed, &state, round)?;
    findings::note(
        connection,
        action,
        &commit.feed.feed,
        &commit.findings,
        commit.committed_at,
    )?;
    Ok(round)
}

/// Moves a feed's cursor.
pub(crate) fn move_cursor(
    connection: &Connection,
    action: i64,
    feed: &FeedKey,
    cursor: &Cursor,
) -> Result<()> {
    let (kind, value) = cursor_columns(Some(cursor));
    connection
        .prepare_cached(
            "UPDATE feeds SET cursor_kind = ?4, cursor_value = ?5
                 WHERE action = ?1 AND name = ?2 AND partition = ?3",
        )?
        .execute(params![
            action,
            feed.feed.as_str(),
            partition_of(feed),
            kind,
            value
        ])?;
    Ok(())
}

/// Moves a feed and all of its partitions to where a person wants it. What failed before is no matter any more.
pub(crate) fn put_at(
    connection: &Connection,
    action: i64,
    feed: &FeedName,
    place: &FeedPlace,
) -> Result<()> {
    let (start, cursor) = match place {
        FeedPlace::Start(start) => (Some(start.to_string()), None),
        FeedPlace::At(cursor) => (None, Some(cursor)),
    };
    findings::forget(connection, action, feed)?;
    let (kind, value) = cursor_columns(cursor);
    connection.execute(
        "INSERT INTO feeds (action, name, partition) VALUES (?1, ?2, '') ON CONFLICT DO NOTHING",
        params![action, feed.as_str()],
    )?;
    connection.execute(
        "UPDATE feeds SET start = ?3, cursor_kind = ?4, cursor_value = ?5, failures_in_a_row = 0,
                          failure_code = NULL, failure_message = NULL, failure_hint = NULL
             WHERE action = ?1 AND name = ?2",
        params![action, feed.as_str(), start, kind, value],
    )?;
    Ok(())
}

/// The number of the feed's round that began at this time, if it is its current or last one.
pub(crate) fn round_begun_at(
    connection: &Connection,
    action: i64,
    feed: &FeedKey,
    started_at: Timestamp,
) -> Result<Option<u64>> {
    Ok(find(connection, action, feed)?
        .filter(|stored| stored.state.last_started_at == Some(nearest(started_at)))
        .map(|stored| stored.round))
}

fn cursor_columns(cursor: Option<&Cursor>) -> (Option<&'static str>, Option<String>) {
    match cursor {
        None => (None, None),
        Some(Cursor::Time(time)) => (Some("time"), Some(time.to_string())),
        Some(Cursor::Number(digits)) => (Some("number"), Some(digits.clone())),
        Some(Cursor::Token(token)) => (Some("token"), Some(token.expose().clone())),
        Some(Cursor::Dates { from, to }) => (Some("dates"), Some(format!("{from}/{to}"))),
        // The column's check knows the kinds that there were when the table was made. A queue is, like a sweep, a feed without a
        // position of ours, and told from one by its value.
        Some(Cursor::Queue(QueueState::Settled)) => (Some("sweep"), Some(QUEUE.to_owned())),
        Some(Cursor::Queue(QueueState::Taking { since })) => {
            (Some("sweep"), Some(format!("{QUEUE}/{since}")))
        }
        // Likewise: it has no position yet, and its value says how far its beginning has come.
        Some(Cursor::Baseline(place)) => match cursor_columns(Some(place.place())) {
            (Some(kind), Some(value)) => {
                (Some("sweep"), Some(format!("{BASELINE}/{kind}/{value}")))
            }
            _ => (None, None),
        },
        Some(Cursor::Sweep) => (Some("sweep"), None),
    }
}

/// What a feed's state says of its current or last round only.
#[derive(Default)]
struct OfRound {
    future_dated: u64,
    held_back: u64,
    partitions: u64,
    failing_partitions: u64,
}

impl OfRound {
    const fn of(state: &FeedState) -> Self {
        Self {
            future_dated: state.future_dated,
            held_back: state.held_back,
            partitions: state.partitions,
            failing_partitions: state.failing_partitions,
        }
    }

    /// Adds what a part of the round counted.
    const fn note(self, counts: &RoundCounts, state: &mut FeedState) {
        state.future_dated = self.future_dated + counts.future_dated;
        state.held_back = self.held_back + counts.held_back;
        state.partitions = self.partitions + counts.partitions;
        state.failing_partitions = self.failing_partitions + counts.failing_partitions;
    }
}

/// How a partition is written: nothing for the feed itself.
fn partition_of(feed: &FeedKey) -> &str {
    feed.partition.as_ref().map_or("", Partition::expose)
}

struct Stored {
    state: FeedState,
    round: u64,
}

/// An instant as the database gives it back, to compare with one that was read.
fn nearest(at: Timestamp) -> Timestamp {
    at.clamp(
        Timestamp::from_nanosecond(i128::from(i64::MIN)).unwrap_or(Timestamp::MIN),
        Timestamp::from_nanosecond(i128::from(i64::MAX)).unwrap_or(Timestamp::MAX),
    )
}

/// Rounds are numbered over all feeds of an action and whether they succeed or not, because equal lookups are asked once
/// per number: a number that came twice would give an old answer to a new change.
fn begin_round(connection: &Connection, action: i64) -> Result<u64> {
    let mut statement = connection.prepare_cached(
        "UPDATE actions SET rounds_begun = rounds_begun + 1 WHERE id = ?1 RETURNING rounds_begun",
    )?;
    Ok(statement.query_row([action], |row| row.get(0))?)
}

fn find(connection: &Connection, action: i64, feed: &FeedKey) -> Result<Option<Stored>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM feeds WHERE action = ?1 AND name = ?2 AND partition = ?3"
    ))?;
    let key = params![action, feed.feed.as_str(), partition_of(feed)];
    let found = statement.query_row(key, |row| Ok(read(row)));
    found.optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<Stored> {
    let instant = |column| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<At>>(column)?.map(|at| at.0))
    };
    let failure = match row.get::<_, Option<CodeText>>(5)? {
        Some(code) => Some(RoundFailure {
            code: code.0,
            message: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            hint: row.get(7)?,
        }),
        None => None,
    };
    Ok(Stored {
        state: FeedState {
            cursor: read_cursor(row)?,
            last_started_at: instant(2)?,
            last_succeeded_at: instant(3)?,
            failures_in_a_row: row.get(4)?,
            failure,
            missed_ticks: row.get(8)?,
            rounds: row.get(9)?,
            future_dated: row.get(10)?,
            late: row.get(13)?,
            longest_late: row.get::<_, Option<Length>>(14)?.map(|length| length.0),
            undeclared: row.get(15)?,
            deleted: row.get(16)?,
            held_back: row.get(17)?,
            partitions: row.get(18)?,
            failing_partitions: row.get(19)?,
            findings: Vec::new(),
            start: match row.get::<_, Option<String>>(20)? {
                None => None,
                Some(word) => Some((word.parse()).map_err(|_| {
                    Trouble::corrupt("a feed's start is neither a word nor a time")
                })?),
            },
            began_at: instant(21)?,
            shown: row.get(22)?,
        },
        round: row.get(12)?,
    })
}

fn read_baseline(value: &str) -> Result<Cursor> {
    let mut parts = value.splitn(3, '/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("number"), Some(digits)) => Ok(Cursor::Number(digits.to_owned())),
        (Some("token"), Some(token)) => Ok(Cursor::Token(Phi::new(token.to_owned()))),
        _ => Err(Trouble::corrupt(
            "a feed's beginning has no place in its log",
        )),
    }
}

fn read_cursor(row: &Row<'_>) -> Result<Option<Cursor>> {
    let Some(kind) = row.get::<_, Option<String>>(0)? else {
        return Ok(None);
    };
    let value = row.get::<_, Option<String>>(1)?.unwrap_or_default();
    let cursor = match kind.as_str() {
        "time" => Cursor::Time(
            value
                .parse()
                .map_err(|_| Trouble::corrupt("a feed's time cursor is not a time"))?,
        ),
        "number" => Cursor::Number(value),
        "token" => Cursor::Token(Phi::new(value)),
        "dates" => value
            .split_once('/')
            .and_then(|(from, to)| {
                Some(Cursor::Dates {
                    from: from.parse().ok()?,
                    to: to.parse().ok()?,
                })
            })
            .ok_or_else(|| Trouble::corrupt("a feed's dates are not two dates"))?,
        "sweep" if value == QUEUE => Cursor::Queue(QueueState::Settled),
        "sweep" if value.starts_with(BASELINE) => {
            Cursor::Baseline(Box::new(read_baseline(&value)?))
        }
        "sweep" if !value.is_empty() => value
            .strip_prefix(QUEUE)
            .and_then(|rest| rest.strip_prefix('/')?.parse().ok())
            .map(|since| Cursor::Queue(QueueState::Taking { since }))
            .ok_or_else(|| Trouble::corrupt("a feed's queue was not taken from since a time"))?,
        "sweep" => Cursor::Sweep,
        _ => return Err(Trouble::corrupt("a feed's cursor is of an unknown kind")),
    };
    Ok(Some(cursor))
}

fn write(
    connection: &Connection,
    action: i64,
    feed: &FeedKey,
    state: &FeedState,
    round: u64,
) -> Result<()> {
    let (cursor_kind, cursor_value) = cursor_columns(state.cursor.as_ref());
    let failure = state.failure.as_ref();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO feeds
                 (action, name, partition, cursor_kind, cursor_value, round, last_started_at, last_succeeded_at,
                  failures_in_a_row, failure_code, failure_message, failure_hint,
                  missed_ticks, rounds, future_dated, late, longest_late, undeclared, deleted, held_back,
                  partitions, failing, start, began_at, shown)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
                  ?21, ?22, ?23, ?24, ?25)",
        )?
        .execute(params![
            action,
            feed.feed.as_str(),
            partition_of(feed),
            cursor_kind,
            cursor_value,
            round,
            state.last_started_at.map(At),
            state.last_succeeded_at.map(At),
            state.failures_in_a_row,
            failure.map(|failure| CodeText(failure.code)),
            failure.map(|failure| failure.message.as_str()),
            failure.and_then(|failure| failure.hint.as_deref()),
            state.missed_ticks,
            state.rounds,
            state.future_dated,
            state.late,
            state.longest_late.map(Length),
            state.undeclared,
            state.deleted,
            state.held_back,
            state.partitions,
            state.failing_partitions,
            state.start.map(|start| start.to_string()),
            state.began_at.map(At),
            state.shown,
        ])?;
    Ok(())
}
