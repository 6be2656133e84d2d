//! `rounds replay`: what was told is told once more, because a receiver lost it.

use super::deliveries::{count_by_state, select};
use crate::cli::{Common, ReplayArguments};
use crate::output::{Align, Columns, Report, Terminal, delivery_state, duration_in_words};
use crate::wiring::Surroundings;
use crate::{Ended, Problem, data};
use rounds_domain::DeliveryState;
use rounds_domain::ports::{Operations, Selection};
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// What is, or would be, sent once more.
#[derive(Debug, Serialize)]
pub struct Replay {
    /// Whether it is only counted.
    pub dry_run: bool,
    /// How many deliveries.
    pub count: u64,
    /// How they stand now, by destination; only for a dry run by filter.
    pub of: Vec<Counted>,
    /// How long it takes at this rate, at least.
    pub takes_seconds: u64,
}

/// Deliveries to a destination in one state.
#[derive(Debug, Serialize)]
pub struct Counted {
    /// To whom.
    pub destination: String,
    /// How they stand.
    pub state: &'static str,
    /// How many.
    pub count: u64,
}

/// Counts or sends.
pub async fn replay(
    operations: &dyn Operations,
    arguments: ReplayArguments,
    now: jiff::Timestamp,
) -> Result<Replay, Problem> {
    let every = arguments.rate;
    let dry_run = arguments.dry_run;
    let mut selection = select(operations, arguments.selection, now).await?;
    if let Selection::Matching(filter) = &mut selection
        && filter.states.is_empty()
    {
        // What a person dropped stays dropped, unless they ask for it.
        filter.states = vec![DeliveryState::Delivered, DeliveryState::Dead];
    }
    let (count, of) = if dry_run {
        count(operations, &selection).await?
    } else {
        let count = operations.replay_deliveries(selection, now, every).await?;
        (count, Vec::new())
    };
    let last = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
    Ok(Replay {
        dry_run,
        count,
        of,
        takes_seconds: every.saturating_mul(last).as_secs(),
    })
}

async fn count(
    operations: &dyn Operations,
    selection: &Selection<rounds_domain::DeliveryId, rounds_domain::ports::DeliveryFilter>,
) -> Result<(u64, Vec<Counted>), Problem> {
    let is_finished = |state: DeliveryState| {
        matches!(
            state,
            DeliveryState::Delivered | DeliveryState::Dead | DeliveryState::Dropped
        )
    };
    let counted = count_by_state(operations, selection).await?;
    let of: Vec<Counted> = counted
        .into_iter()
        .filter(|counted| is_finished(counted.state))
        .map(|counted| Counted {
            destination: counted.destination.to_string(),
            state: delivery_state(counted.state),
            count: counted.count,
        })
        .collect();
    Ok((of.iter().map(|counted| counted.count).sum(), of))
}

/// Counts or sends, and says how many.
pub async fn perform(
    common: &Common,
    arguments: ReplayArguments,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let store = data::open_for_operator(&common.data_dir)?;
    let now = Surroundings::real().clock.now();
    terminal.give(&replay(&store, arguments, now).await?)?;
    Ok(Ended::Fine)
}

impl Report for Replay {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.of.is_empty() {
            let mut table = Columns::new(&[
                ("destination", Align::Left),
                ("state", Align::Left),
                ("deliveries", Align::Right),
            ]);
            for counted in &self.of {
                table.row([
                    counted.destination.clone(),
                    counted.state.to_owned(),
                    counted.count.to_string(),
                ]);
            }
            table.write(out, "")?;
        }
        let what = match self.count {
            1 => "1 delivery".to_owned(),
            count => format!("{count} deliveries"),
        };
        let takes = duration_in_words(Duration::from_secs(self.takes_seconds));
        match (self.dry_run, self.count) {
            (_, 0) => writeln!(out, "nothing finished matches"),
            (true, _) => writeln!(out, "{what} would be sent once more, in {takes}"),
            (false, 1) => writeln!(out, "{what} is sent once more"),
            (false, _) => writeln!(out, "{what} are sent once more, in {takes}"),
        }
    }
}
