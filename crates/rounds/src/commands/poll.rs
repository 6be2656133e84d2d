//! `rounds poll`: one round by hand.

mod answer;
mod notes;
mod parameter;
mod report;
mod text;

pub use answer::Answers;
use answer::KnownSegments;

pub(crate) use report::choice;
pub use report::{AsOf, ExchangeRow, FailureRow, NotificationRow, PollPage, RecordRow};

use crate::cli::{Common, PollArguments};
use crate::data::Database;
use crate::output::Terminal;
use crate::problem::{NOT_BY_TIME, STARTS_JOB, TAKES_FROM_QUEUE, UNKNOWN_ACTION, UNKNOWN_ID};
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration, data, edits};
use jiff::Timestamp;
use rounds_domain::plan::Plan;
use rounds_domain::ports::{Credentials, Store};
use rounds_domain::{ActionName, FeedKey, FeedName, RecordId, RoundEnd};
use rounds_engine::{PollError, Subject, Which};
use rounds_store::{Purpose, SqliteStore, StoreOptions};
use std::path::Path;
use std::sync::Arc;

/// Whether a round by hand is for real.
#[derive(Debug, Clone)]
pub enum Mode {
    /// Cursor, ledger and containers are committed; the containers wait for `rounds run`.
    Commit,
    /// Nothing is written, and these records are told.
    DryRun(Subject),
}

/// Makes one round of a feed and says everything about it.
pub async fn poll(
    plan: &Plan,
    surroundings: &Surroundings,
    store: Arc<dyn Store>,
    credentials: Option<Arc<dyn Credentials>>,
    feed: &FeedKey,
    mode: Mode,
    answers: Answers,
) -> Result<PollPage, Problem> {
    let ports = surroundings.ports(plan, store, credentials)?;
    let report = match &mode {
        Mode::Commit => rounds_engine::poll(plan, &ports, feed).await,
        Mode::DryRun(subject) => rounds_engine::rehearse(plan, &ports, feed, subject.clone()).await,
    };
    match report {
        Ok(report) => {
            let Some(action) = plan.actions.iter().find(|known| known.name == feed.action) else {
                return Err(unknown_action(plan, &feed.action));
            };
            let known = KnownSegments::of(
                action,
                plan.connections
                    .get(&action.connection)
                    .map(|known| &**known),
            );
            let shown = (answers, &**action, &known);
            let mut page = PollPage::of(feed, &mode, shown, report, surroundings.clock.now());
            if let Some(parameter) = secret_parameter(plan, feed) {
                page.hide_parameter(parameter);
            }
            Ok(page)
        }
        Err(error) => Err(explained(plan, error)),
    }
}

/// Why nothing was asked, for the person who asked for it.
pub(super) fn explained(plan: &Plan, error: PollError) -> Problem {
    match error {
        PollError::Store(error) => error.into(),
        PollError::UnknownAction(action) => unknown_action(plan, &action),
        PollError::UnknownFeed(feed) => unknown_feed(plan, &feed),
        PollError::UnknownRecord { .. } => Problem::new(
            UNKNOWN_ID,
            Ended::Usage,
            error.to_string(),
            "without `--since` one page is asked for, and `--sample 10` lists its ids; a feed that is asked by time shows more, and all pages, with `--since 90d`",
        ),
        PollError::NotByTime(_) => Problem::new(
            NOT_BY_TIME,
            Ended::Usage,
            error.to_string(),
            "`--sample 10` takes the first records that it shows, whenever they changed",
        ),
        PollError::TakesFromQueue(_) => Problem::new(
            TAKES_FROM_QUEUE,
            Ended::Usage,
            error.to_string(),
            "leave `--dry-run` out: what is taken is told then; `rounds map try` takes `--record` or a file",
        ),
        PollError::StartsJob(_) => Problem::new(
            STARTS_JOB,
            Ended::Usage,
            error.to_string(),
            "leave `--dry-run` out: each poll goes one step, and the last one reads the parts; `rounds map try` takes `--record` or a file",
        ),
    }
}

/// Shows it.
pub async fn perform(
    common: &Common,
    options: &PollArguments,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let (plan, fingerprint) = configuration::load_marked(&common.config, terminal)?;
    let feed = FeedKey::whole(
        ActionName::new(options.action.as_str()),
        FeedName::new(options.feed.as_str()),
    );
    // Before the data directory is taken, or made.
    let Some(action) = plan.actions.iter().find(|known| known.name == feed.action) else {
        return Err(unknown_action(&plan, &feed.action));
    };
    if action.feeds().all(|known| known.name != feed.feed) {
        return Err(unknown_feed(&plan, &feed));
    }
    let surroundings = Surroundings::real();
    let mode = if options.dry_run {
        Mode::DryRun(subject(options, surroundings.clock.now()))
    } else {
        Mode::Commit
    };
    let (store, credentials) = open(&common.data_dir, &mode)?;
    if matches!(mode, Mode::Commit) {
        let now = surroundings.clock.now();
        edits::reconcile(&plan, &fingerprint, &*store, now).await?;
    }
    let store = store as Arc<dyn Store>;
    let answers = match (options.raw, options.redact) {
        (true, _) => Answers::Raw,
        (_, true) => Answers::Redacted,
        (false, false) => Answers::Beginning,
    };
    let page = poll(
        &plan,
        &surroundings,
        store,
        credentials,
        &feed,
        mode,
        answers,
    )
    .await?;
    terminal.give(&page)?;
    Ok(match &page.end {
        RoundEnd::Failed(_) => Ended::Unavailable,
        _ if !page.failures.is_empty() => Ended::BadData,
        RoundEnd::Succeeded | RoundEnd::Unfinished => Ended::Fine,
    })
}

/// Which records a dry run tells of.
fn subject(options: &PollArguments, now: Timestamp) -> Subject {
    let since = options.since.map(|since| since.before(now));
    match (&options.record, options.sample) {
        (Some(id), _) => {
            let id = RecordId::new(id.as_str());
            match since {
                None => Subject::Record(id),
                Some(_) => Subject::Shown(since, Which::One(id)),
            }
        }
        (None, Some(most)) => Subject::Shown(since, Which::First(usize::from(most))),
        (None, None) if since.is_some() => Subject::Shown(since, Which::All),
        (None, None) => Subject::NextRound,
    }
}

/// The query parameter that no URL of the page may show: an EHR may repeat it in its links.
fn secret_parameter<'p>(plan: &'p Plan, feed: &FeedKey) -> Option<&'p str> {
    let mut actions = plan.actions.iter();
    let action = actions.find(|action| action.name == feed.action)?;
    let connection = plan.connections.get(&action.connection)?;
    connection.authentication.secret_parameter()
}

/// A store, and what keeps the secrets that EHRs give.
pub(super) type Opened = (Arc<SqliteStore>, Option<Arc<dyn Credentials>>);

/// A dry run reads what is there, or does as if it were the first; a real one takes the data directory for itself. A refresh
/// token that the EHR replaces is kept in a dry run too, or nobody would have a good one any more; where there is no data
/// directory yet, none is spent.
fn open(data_directory: &Path, mode: &Mode) -> Result<Opened, Problem> {
    match mode {
        Mode::Commit => {
            let options = StoreOptions {
                purpose: Purpose::ByHand,
                ..StoreOptions::default()
            };
            let store = Arc::new(SqliteStore::open(data_directory, &options)?);
            Ok((Arc::clone(&store), Some(store as Arc<dyn Credentials>)))
        }
        Mode::DryRun(_) => open_to_look(data_directory),
    }
}

/// For a command that changes nothing.
pub(super) fn open_to_look(data_directory: &Path) -> Result<Opened, Problem> {
    match data::look(data_directory)? {
        Database::There => {
            let store = Arc::new(SqliteStore::open_for_operator(data_directory)?);
            Ok((Arc::clone(&store), Some(store as Arc<dyn Credentials>)))
        }
        Database::NotYet => {
            let store = SqliteStore::in_memory(&StoreOptions::default())?;
            Ok((Arc::new(store), None))
        }
    }
}

/// Says which actions there are.
pub(super) fn unknown_action(plan: &Plan, action: &ActionName) -> Problem {
    let names: Vec<String> = plan
        .actions
        .iter()
        .map(|action| format!("`{}`", action.name))
        .collect();
    let hint = if names.is_empty() {
        "the configuration has no actions at all".to_owned()
    } else {
        format!("the configuration has {}", names.join(", "))
    };
    Problem::new(
        UNKNOWN_ACTION,
        Ended::Usage,
        format!("there is no action `{action}`"),
        hint,
    )
}

fn unknown_feed(plan: &Plan, feed: &FeedKey) -> Problem {
    let action = plan
        .actions
        .iter()
        .find(|action| action.name == feed.action);
    let names: Vec<String> = action
        .iter()
        .flat_map(|action| action.feeds())
        .map(|feed| format!("`{}`", feed.name))
        .collect();
    Problem::new(
        UNKNOWN_ACTION,
        Ended::Usage,
        format!("the action `{}` has no feed `{}`", feed.action, feed.feed),
        format!("it has {}", names.join(", ")),
    )
}
