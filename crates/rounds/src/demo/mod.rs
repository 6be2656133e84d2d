//! `rounds demo`: the whole way of changes on one machine, over real HTTP, judged by an oracle.
//!
//! Three programs' worth of things run in this process: an EHR whose appointments are booked, moved, cancelled and missed
//! by themselves (the test kit's), a receiver that verifies signatures (the test kit's), and Rounds between them, which is
//! the real one from its YAML to its database in a temporary folder. They know of each other only by their addresses on
//! loopback.
//!
//! At the end the oracle compares the EHR's history with what the receiver took. A record is touched again only after its
//! former change has arrived, so every change must have a notification of its own and none may be missing. After the last
//! one has arrived, one more whole round is awaited: a repetition would come then.
//!
//! - `configuration` writes the YAML.
//! - `stage` starts and stops the three.
//! - `play` makes changes and waits for what comes of them.
//! - `show` tells the person who watches; `outcome` is the result.

mod configuration;
mod outcome;
mod play;
mod show;
mod stage;

pub use outcome::DemoOutcome;

use crate::cli::DemoArguments;
use crate::output::{Format, Terminal};
use crate::signals::Stopping;
use crate::{Ended, Problem};
use play::{Curtain, Play};
use show::Show;
use stage::Stage;
use std::sync::Arc;
use std::time::Duration;

/// How long a change may take to arrive, beside three intervals.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows the whole way, and judges it.
pub async fn perform(options: &DemoArguments, terminal: &mut Terminal) -> Result<Ended, Problem> {
    let mut stopping = Stopping::listen()?;
    let stage = Stage::set(options.interval, options.to.as_ref()).await?;
    let mut show = Show::new(terminal, Arc::clone(&stage.surroundings.clock));
    show.configuration(&stage.configuration);
    if options.to.is_some() {
        show.say(&format!(
            "Your endpoint is told as well. Its notifications are signed as Standard Webhooks says, with the secret of this demo:\n{}\n",
            stage.signing
        ));
    }
    stage.first_round().await?;
    show.say("The first round was made: what is there already is known and not told. From here on, each change must be told once.\n");
    let patience = options.interval.saturating_mul(3).saturating_add(PATIENCE);
    let mut play = Play::new(&stage, options, patience);
    let curtain = play.perform(&mut stopping, &mut show).await;
    show.end();
    let outcome = stage.judge().await?;
    let curtain = curtain?;
    if terminal.format() == Format::Text {
        terminal.say("");
    }
    terminal.give(&outcome)?;
    if outcome.is_clean() {
        return Ok(match curtain {
            Curtain::Fell => Ended::Fine,
            Curtain::Stuck => Ended::NotAsItShould,
        });
    }
    terminal.say(&format!(
        "Not every change arrived exactly once and in order:\n{}",
        outcome.verdict
    ));
    Ok(Ended::NotAsItShould)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Color;
    use rounds_testkit::http::StatusCode;
    use rounds_testkit::wire::StatusAnswer;

    /// The demo may not say that all is well because it did not look.
    #[tokio::test]
    async fn what_does_not_arrive_is_lost_and_ends_the_demo() -> Result<(), Problem> {
        let options = DemoArguments {
            changes: Some(3),
            interval: Duration::from_secs(1),
            change_every: Duration::from_millis(10),
            to: None,
        };
        let stage = Stage::set(options.interval, options.to.as_ref()).await?;
        stage.first_round().await?;
        let refusal = StatusAnswer::new(StatusCode::INTERNAL_SERVER_ERROR);
        stage.receiver.when(|_received| true, refusal);
        let mut terminal = Terminal::new(Format::Json, Color::Never);
        let mut show = Show::new(&mut terminal, Arc::clone(&stage.surroundings.clock));
        let mut play = Play::new(&stage, &options, Duration::from_secs(2));
        let curtain = play.perform(&mut Stopping::listen()?, &mut show).await?;
        assert_eq!(curtain, Curtain::Stuck);
        let outcome = stage.judge().await?;
        assert_eq!((outcome.changes, outcome.notified, outcome.lost), (3, 0, 3));
        assert!(!outcome.is_clean());
        Ok(())
    }
}
