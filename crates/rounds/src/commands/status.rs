//! `rounds status`: how everything stands, as the store tells it.

use super::destinations::{DestinationStatus, write_table};
use super::oldest::{OldestRow, are};
use crate::cli::Common;
use crate::output::{
    Ago, Align, Columns, FindingRow, Report, Terminal, cursor_in_words, duration_in_words, plural,
};
use crate::problem::NO_DATA;
use crate::wiring::Surroundings;
use crate::{Ended, Problem, data};
use jiff::Timestamp;
use rounds_domain::ports::{ActionOverview, Operations, StoreError, StoreErrorKind};
use rounds_store::{Holder, Purpose};
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// How everything stands.
#[derive(Debug, Serialize)]
pub struct Status {
    /// When it was looked.
    pub now: Timestamp,
    /// All of it in one word.
    pub health: Health,
    /// The process that has the data directory; none if nobody makes rounds.
    pub running: Option<Running>,
    /// Each action that was ever run.
    pub actions: Vec<ActionStatus>,
    /// Each destination to which anything was ever owed.
    pub destinations: Vec<DestinationStatus>,
}

/// How it stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All goes on.
    Well,
    /// Something does not go on by itself, or not now.
    Failing,
    /// Nobody makes rounds.
    NothingRuns,
}

/// The process that has the data directory.
#[derive(Debug, Serialize)]
pub struct Running {
    /// Its id.
    pub process: Option<u32>,
    /// When it took the directory.
    pub since: Option<Timestamp>,
}

/// How one action stands.
#[derive(Debug, Serialize)]
pub struct ActionStatus {
    /// Which.
    pub action: String,
    /// Its change query and its sweeps.
    pub feeds: Vec<FeedStatus>,
    /// Records that its ledger knows.
    pub known_records: u64,
    /// Containers waiting or due.
    pub containers_open: u64,
    /// Containers waiting for their own retry.
    pub containers_parked: u64,
    /// Why the oldest of them waits.
    pub oldest_parked: Option<OldestRow>,
    /// Containers given up.
    pub containers_dead: u64,
    /// Why the oldest of them was given up.
    pub oldest_dead: Option<OldestRow>,
    /// Notifications kept.
    pub notifications: u64,
}

/// How one feed stands.
#[derive(Debug, Serialize)]
pub struct FeedStatus {
    /// Its name within the action.
    pub feed: String,
    /// From where the next round asks, in words; a token is not shown.
    pub cursor: String,
    /// When its last round began.
    pub last_started_at: Option<Timestamp>,
    /// When its last good round ended.
    pub last_succeeded_at: Option<Timestamp>,
    /// Good rounds since the database was made.
    pub rounds: u64,
    /// Rounds that were due and were not made.
    pub missed_ticks: u64,
    /// Failed rounds since the last good one.
    pub failures_in_a_row: u32,
    /// Records dated in the future that the last round saw.
    pub future_dated: u64,
    /// What a person should look at, though the rounds do what they should.
    pub findings: Vec<FindingRow>,
    /// Changes that a sweep found although a faster feed should have shown them, by their dates. Those of a reconciling sweep
    /// came later than any horizon.
    pub late: u64,
    /// By how much the latest of them was late.
    pub longest_late_seconds: Option<u64>,
    /// Changes that a sweep found of records whose date had not moved.
    pub undeclared: u64,
    /// Records that a sweep told as gone.
    pub deleted: u64,
    /// Records that the last sweep did not show and that were too many to be told as gone.
    pub held_back: u64,
    /// Partitions that the last round asked; 0 where the feed has none.
    pub partitions: u64,
    /// Of those, how many failed.
    pub failing_partitions: u64,
    /// Why the last round failed, if it did.
    pub failure: Option<Failure>,
}

/// Why a round failed.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The code.
    pub code: &'static str,
    /// In words.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// Asks the store how everything stands.
pub async fn status(
    operations: &dyn Operations,
    holder: Option<Holder>,
    now: Timestamp,
) -> Result<Status, Problem> {
    let holder = holder.filter(|holder| holder.purpose == Purpose::Service);
    let overview = operations.overview().await?;
    let actions: Vec<ActionStatus> = overview.actions.into_iter().map(action).collect();
    let destinations = overview.destinations.into_iter();
    let destinations: Vec<DestinationStatus> = destinations.map(DestinationStatus::from).collect();
    let all_well = actions.iter().all(ActionStatus::is_well)
        && destinations.iter().all(DestinationStatus::is_well);
    let health = match holder {
        None => Health::NothingRuns,
        Some(_) if all_well => Health::Well,
        Some(_) => Health::Failing,
    };
    Ok(Status {
        now,
        health,
        running: holder.map(|holder| Running {
            process: holder.process,
            since: holder.since,
        }),
        actions,
        destinations,
    })
}

/// Shows it.
pub async fn perform(common: &Common, terminal: &mut Terminal) -> Result<Ended, Problem> {
    let store = data::open_for_operator(&common.data_dir).map_err(|problem| Problem {
        // A monitor is told that nothing runs, and not that a disk fails.
        ended: if problem.code == NO_DATA {
            Ended::NothingRuns
        } else {
            problem.ended
        },
        ..problem
    })?;
    let holder = Holder::of(&common.data_dir).map_err(|error| {
        Problem::from(StoreError {
            kind: StoreErrorKind::Unavailable,
            operation: format!("looking who has {}", common.data_dir.display()),
            reason: error.to_string(),
        })
    })?;
    let now = Surroundings::real().clock.now();
    let status = status(&store, holder, now).await?;
    terminal.give(&status)?;
    Ok(match status.health {
        Health::Well => Ended::Fine,
        Health::Failing => Ended::Failing,
        Health::NothingRuns => Ended::NothingRuns,
    })
}

impl ActionStatus {
    /// Whether its rounds and its changes go on.
    fn is_well(&self) -> bool {
        let feeds = self.feeds.iter().all(|feed| {
            feed.failure.is_none() && feed.failing_partitions == 0 && feed.held_back == 0
        });
        feeds && self.containers_parked == 0 && self.containers_dead == 0
    }
}

fn action(overview: ActionOverview) -> ActionStatus {
    let feeds = overview.feeds.into_iter().map(|(key, state)| FeedStatus {
        feed: key.feed.to_string(),
        cursor: cursor_in_words(state.cursor.as_ref()),
        last_started_at: state.last_started_at,
        last_succeeded_at: state.last_succeeded_at,
        rounds: state.rounds,
        missed_ticks: state.missed_ticks,
        failures_in_a_row: state.failures_in_a_row,
        future_dated: state.future_dated,
        findings: state.findings.iter().map(FindingRow::from).collect(),
        late: state.late,
        longest_late_seconds: state.longest_late.map(|late| late.as_secs()),
        undeclared: state.undeclared,
        deleted: state.deleted,
        held_back: state.held_back,
        partitions: state.partitions,
        failing_partitions: state.failing_partitions,
        failure: state.failure.map(|failure| Failure {
            code: failure.code.as_str(),
            message: failure.message,
            hint: failure.hint,
        }),
    });
    ActionStatus {
        feeds: feeds.collect(),
        action: overview.action.to_string(),
        known_records: overview.known_records,
        containers_open: overview.containers_open,
        containers_parked: overview.containers_parked,
        oldest_parked: overview.oldest_parked.map(OldestRow::from),
        containers_dead: overview.containers_dead,
        oldest_dead: overview.oldest_dead.map(OldestRow::from),
        notifications: overview.notifications,
    }
}

impl FeedStatus {
    /// What the feed is called in a list of actions: the change query is the action itself.
    fn title(&self, action: &str) -> String {
        if self.feed == "changes" {
            action.to_owned()
        } else {
            format!("{action}/{}", self.feed)
        }
    }

    /// Since when its rounds fail.
    fn since_when(&self, now: Timestamp) -> String {
        let rounds = plural(u64::from(self.failures_in_a_row), "round");
        match self.last_succeeded_at {
            Some(at) => format!("for {rounds}, the last good one {}", Ago { at, now }),
            None => format!("for {rounds}, since its first"),
        }
    }

    /// What the sweeps found, and what follows from it.
    fn write_sweeps(&self, action: &str, out: &mut dyn Write) -> io::Result<()> {
        let title = self.title(action);
        if self.late > 0 {
            let by = Duration::from_secs(self.longest_late_seconds.unwrap_or_default());
            let by = duration_in_words(by);
            if self.feed == "reconcile" {
                writeln!(
                    out,
                    "\n{title}: {} found by this sweep only, up to {by} after their date\n  help: a `trailing` sweep whose `horizon` is longer than {by} finds such changes sooner",
                    self.late
                )?;
            } else {
                writeln!(
                    out,
                    "\n{title}: {} found late, within the horizon, up to {by} after their date",
                    self.late
                )?;
            }
        }
        if self.undeclared > 0 {
            writeln!(
                out,
                "\n{title}: {} changed without a new date; the change query cannot show such changes",
                self.undeclared
            )?;
        }
        if self.failing_partitions > 0 {
            writeln!(
                out,
                "\n{title}: {} of {} partitions failed in the last round{}\n  help: the log says why; `rounds poll {action} --feed {} --dry-run` asks them one after the other",
                self.failing_partitions,
                self.partitions,
                if self.failing_partitions < self.partitions {
                    "; the others go on"
                } else {
                    ""
                },
                self.feed
            )?;
        }
        if self.held_back > 0 {
            writeln!(
                out,
                "\n{title}: {} are gone, which is too many at once to be told\n  help: look with `rounds deletions list --action {action}`; `release` there tells them, `forget` lets them be",
                self.held_back
            )?;
        }
        Ok(())
    }
}

impl Report for Status {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_actions(out)?;
        writeln!(out)?;
        write_table(&self.destinations, self.now, out)?;
        self.write_troubles(out)?;
        self.write_health(out)
    }
}

impl Status {
    fn write_actions(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("action", Align::Left),
            ("last round", Align::Left),
            ("next asks from", Align::Left),
            ("rounds", Align::Right),
            ("missed", Align::Right),
            ("failing", Align::Right),
            ("known", Align::Right),
            ("open", Align::Right),
            ("parked", Align::Right),
            ("dead", Align::Right),
        ]);
        for action in &self.actions {
            for feed in &action.feeds {
                let ago = |at| Ago { at, now: self.now }.to_string();
                table.row([
                    feed.title(&action.action),
                    feed.last_started_at.map_or_else(|| "never".to_owned(), ago),
                    feed.cursor.clone(),
                    feed.rounds.to_string(),
                    feed.missed_ticks.to_string(),
                    feed.failures_in_a_row.to_string(),
                    action.known_records.to_string(),
                    action.containers_open.to_string(),
                    action.containers_parked.to_string(),
                    action.containers_dead.to_string(),
                ]);
            }
        }
        table.write(out, "")
    }

    fn write_health(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(running) = &self.running else {
            return writeln!(
                out,
                "\nNothing runs: no `rounds run` has this data directory, and nothing else makes its rounds."
            );
        };
        let process =
            (running.process).map_or_else(String::new, |process| format!(" (pid {process})"));
        let since = running.since.map_or_else(String::new, |at| {
            format!(", started {}", Ago { at, now: self.now })
        });
        let how = if self.health == Health::Well {
            "all is well"
        } else {
            "what is said above does not go on by itself, or not now"
        };
        writeln!(out, "\nRounds runs{process}{since}; {how}.")
    }

    fn write_troubles(&self, out: &mut dyn Write) -> io::Result<()> {
        for action in &self.actions {
            for feed in &action.feeds {
                if let Some(failure) = &feed.failure {
                    writeln!(
                        out,
                        "\n{}: failing {} ({}): {}",
                        feed.title(&action.action),
                        feed.since_when(self.now),
                        failure.code,
                        failure.message
                    )?;
                    if let Some(hint) = &failure.hint {
                        writeln!(out, "  help: {hint}")?;
                    }
                }
                for finding in &feed.findings {
                    writeln!(out)?;
                    finding.write(&feed.title(&action.action), self.now, out)?;
                }
                feed.write_sweeps(&action.action, out)?;
            }
            let name = &action.action;
            if let Some(oldest) = &action.oldest_parked {
                writeln!(
                    out,
                    "\n{name}: {} parked and tried again, the oldest {}\n  help: rounds containers list --action {name} --state parked",
                    are(action.containers_parked),
                    oldest.in_words(self.now)
                )?;
            }
            if let Some(oldest) = &action.oldest_dead {
                writeln!(
                    out,
                    "\n{name}: {} given up, the oldest {}\n  help: rounds containers list --action {name} --state dead",
                    are(action.containers_dead),
                    oldest.in_words(self.now)
                )?;
            }
        }
        self.destinations
            .iter()
            .try_for_each(|destination| destination.write_troubles(self.now, out))
    }
}
