//! `rounds reset`: where an action goes on, said by a person.
//!
//! Moves cursors and forgets ledgers, and nothing else: what is on its way already, containers and deliveries, stays as it is. With the
//! ledger kept, what was told stays told, however far back is asked. The present rules of the configuration are kept with it, so an edit
//! that was refused at the start is accepted by this.

use crate::cli::{Common, LedgerArgument, ResetArguments};
use crate::commands::poll::unknown_action;
use crate::edits::{self, Edit};
use crate::output::{Report, Terminal, cursor_in_words, plural};
use crate::problem::{NO_SUCH_PLACE, NOT_CONFIRMED};
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration, data};
use jiff::Timestamp;
use rounds_domain::plan::rules::{CURSOR, ID, START, of_feed};
use rounds_domain::plan::{Action, CursorRule, Feed, FeedRole, Start, rules_of};
use rounds_domain::ports::{ActionReset, FeedPlace, LedgerFate, Operations, Upkeep};
use rounds_domain::{ActionName, Cursor, Phi, QueueState};
use rounds_store::{Purpose, SqliteStore, StoreOptions};
use serde::Serialize;
use std::io::{self, Write};

/// What a reset does.
#[derive(Debug, Serialize)]
pub struct ResetReport {
    /// The action.
    pub action: String,
    /// Whether it was done, or is only shown.
    pub done: bool,
    /// Where each of its feeds goes.
    pub feeds: Vec<FeedMove>,
    /// How many records are known, and `kept` or `forgotten`.
    pub records: u64,
    /// What becomes of them.
    pub ledger: &'static str,
    /// The edits of the configuration that are accepted by it.
    pub edits: Vec<Edit>,
}

/// Where one feed goes.
#[derive(Debug, Serialize)]
pub struct FeedMove {
    /// Its name.
    pub feed: String,
    /// Where it stands.
    pub from: String,
    /// Where it goes on.
    pub to: String,
}

/// Shows or does it.
pub async fn perform(
    common: &Common,
    options: &ResetArguments,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let plan = configuration::load(&common.config, terminal)?;
    let name = ActionName::new(options.action.as_str());
    let action = (plan.actions.iter().find(|known| known.name == name))
        .ok_or_else(|| unknown_action(&plan, &name))?;
    let connection = &plan.connections[&action.connection];
    let is_meant = !options.dry_run && (options.yes || options.to.is_some());
    // A reset has nothing to make.
    data::require(&common.data_dir)?;
    let store = if is_meant {
        let options = StoreOptions {
            purpose: Purpose::ByHand,
            ..StoreOptions::default()
        };
        SqliteStore::open(&common.data_dir, &options)?
    } else {
        data::open_for_operator(&common.data_dir)?
    };
    let rules = rules_of(action, connection);
    let overview = store.overview().await?;
    let standing = overview.actions.iter().find(|known| known.action == name);
    let kept = store.kept_rules(&name).await?;
    let edits = edits::edits(action, &rules, kept.as_ref(), standing, &store).await?;
    let moves = moves(action, options, &edits)?;
    let ledger = match options.ledger {
        LedgerArgument::Keep => LedgerFate::Keep,
        LedgerArgument::Drop => LedgerFate::Drop,
    };
    let cursor_of = |feed: &Feed| {
        let mut feeds = standing.iter().flat_map(|standing| &standing.feeds);
        let found = feeds.find(|(key, _)| key.feed == feed.name);
        found.and_then(|(_, state)| state.cursor.clone())
    };
    let mut report = ResetReport {
        action: name.to_string(),
        done: false,
        feeds: (moves.iter())
            .map(|(feed, place)| FeedMove {
                feed: feed.name.to_string(),
                from: cursor_in_words(cursor_of(feed).as_ref()),
                to: in_words(place),
            })
            .collect(),
        records: standing.map_or(0, |standing| standing.known_records),
        ledger: match ledger {
            LedgerFate::Keep => "kept",
            LedgerFate::Drop => "forgotten",
        },
        edits,
    };
    if is_meant {
        let feeds = moves
            .into_iter()
            .map(|(feed, place)| (feed.name.clone(), place));
        let reset = ActionReset {
            action: name,
            feeds: feeds.collect(),
            ledger,
            rules,
        };
        store.reset_action(reset).await?;
        report.done = true;
    }
    terminal.give(&report)?;
    if is_meant || options.dry_run {
        return Ok(Ended::Fine);
    }
    Err(Problem::new(
        NOT_CONFIRMED,
        Ended::Usage,
        "nothing was changed: without `--to` it must be said that this is meant",
        "say `--yes`, or where it goes on: `--to here|now|beginning|INSTANT`",
    ))
}

/// Where each feed goes that does not stay.
fn moves<'a>(
    action: &'a Action,
    options: &ResetArguments,
    edits: &[Edit],
) -> Result<Vec<(&'a Feed, FeedPlace)>, Problem> {
    let feeds: Vec<&Feed> = action.feeds().map(|feed| &**feed).collect();
    let latest = (!options.yes).then(|| Surroundings::real().clock.now());
    let named: Vec<&Feed> = match &options.feed {
        Some(name) => feeds
            .iter()
            .copied()
            .filter(|feed| feed.name.as_str() == name)
            .collect(),
        // Sweeps look at what is there each time; they begin anew only where nothing is known any more.
        None => (feeds.iter().copied())
            .filter(|feed| feed.role == FeedRole::Changes || options.ledger == LedgerArgument::Drop)
            .collect(),
    };
    if named.is_empty() {
        let known: Vec<&str> = feeds.iter().map(|feed| feed.name.as_str()).collect();
        return Err(Problem::new(
            NO_SUCH_PLACE,
            Ended::Usage,
            format!(
                "{} has no feed {}",
                action.name,
                options.feed.as_deref().unwrap_or_default()
            ),
            format!("it has {}", known.join(", ")),
        ));
    }
    let mut moves = Vec::new();
    for feed in named {
        let to = match options.to.as_deref() {
            // Whatever is told to the change queries, a sweep has nowhere to go but to its beginning.
            Some(_) if options.feed.is_none() && feed.role != FeedRole::Changes => None,
            to => to,
        };
        if let Some(place) = place(feed, to, edits, latest)? {
            moves.push((feed, place));
        }
    }
    Ok(moves)
}

/// Where one feed goes; None where it stays. An instant after `latest` is not meant.
fn place(
    feed: &Feed,
    to: Option<&str>,
    edits: &[Edit],
    latest: Option<Timestamp>,
) -> Result<Option<FeedPlace>, Problem> {
    let refused = |why: String, help: String| Problem::new(NO_SUCH_PLACE, Ended::Usage, why, help);
    let has_another_cursor = (edits.iter()).any(|edit| edit.rule == of_feed(feed, CURSOR));
    Ok(Some(match (to, &feed.cursor) {
        (Some("here"), _) if has_another_cursor => {
            return Err(refused(
                format!(
                    "`{}` cannot go on here: where it stands is of another kind than its cursor",
                    feed.name
                ),
                "say where: `--to now`, `--to beginning`, an instant, a number or a token"
                    .to_owned(),
            ));
        }
        (Some("here"), _) => return Ok(None),
        (None | Some("now" | "beginning"), CursorRule::Queue(_)) => {
            FeedPlace::At(Cursor::Queue(QueueState::Settled))
        }
        (None, _) => FeedPlace::Start(feed.start),
        (Some("now"), _) => FeedPlace::Start(Start::Now),
        (Some("beginning"), _) => FeedPlace::Start(Start::Beginning),
        (Some(text), CursorRule::Time(_)) => {
            let at = text.parse().map_err(|error| {
                refused(
                    format!(
                        "`{}` goes by time, and `--to {text}` is none: {error}",
                        feed.name
                    ),
                    "write an instant such as 2026-11-01T00:00:00Z, `now`, `beginning` or `here`"
                        .to_owned(),
                )
            })?;
            if latest.is_some_and(|latest| at > latest) {
                return Err(refused(
                    format!(
                        "`--to {text}` lies in the future: what changes until then would not be told"
                    ),
                    "check the year; if it is meant, say `--yes` as well".to_owned(),
                ));
            }
            FeedPlace::Start(Start::Instant(at))
        }
        (Some(text), CursorRule::Number(_)) => {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(refused(
                    format!("`{}` goes by number, and `--to {text}` is none", feed.name),
                    "write a whole number, `now`, `beginning` or `here`".to_owned(),
                ));
            }
            FeedPlace::At(Cursor::Number(text.to_owned()))
        }
        (Some(text), CursorRule::Token(_)) => {
            FeedPlace::At(Cursor::Token(Phi::new(text.to_owned())))
        }
        (Some(text), CursorRule::Queue(_) | CursorRule::Sweep(_)) => {
            return Err(refused(
                format!("`{}` has no cursor that could go to `{text}`", feed.name),
                "write `now`, `beginning` or `here`; or name another feed with `--feed`".to_owned(),
            ));
        }
    }))
}

fn in_words(place: &FeedPlace) -> String {
    match place {
        FeedPlace::Start(Start::Now) => {
            "now: what is there by then enters the ledger silently".to_owned()
        }
        FeedPlace::Start(Start::Beginning) => "the beginning: everything is asked for".to_owned(),
        FeedPlace::Start(Start::Instant(at)) => format!("{at}: asked for from then on"),
        FeedPlace::At(cursor) => cursor_in_words(Some(cursor)),
    }
}

impl Report for ResetReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (goes, is) = if self.done {
            ("went", "was")
        } else {
            ("would go", "would be")
        };
        if self.feeds.is_empty() {
            writeln!(out, "{}: every query goes on where it is", self.action)?;
        }
        for feed in &self.feeds {
            writeln!(
                out,
                "{}/{} {goes} from {} to {}",
                self.action, feed.feed, feed.from, feed.to
            )?;
        }
        let records = plural(self.records, "record");
        match self.ledger {
            "kept" if self.edits.iter().any(|edit| edit.rule == ID) => writeln!(
                out,
                "the ledger with {records} {is} kept, and knows none of them by the new `id`: each is told once more when it is shown; `--ledger drop` with `--to now` takes what is there as known"
            )?,
            "kept" => writeln!(
                out,
                "the ledger with {records} {is} kept: what was told stays told"
            )?,
            _ => writeln!(
                out,
                "the ledger with {records} {is} forgotten: what is shown is new"
            )?,
        }
        for edit in &self.edits {
            // The start is where the feeds go, which is said above.
            if !edit.rule.ends_with(START) {
                let becomes = if self.done { "became" } else { "would become" };
                let Edit { rule, before, now } = edit;
                writeln!(out, "`{rule}` {becomes} {now}; it was {before}")?;
            }
        }
        Ok(())
    }
}
