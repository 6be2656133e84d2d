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
//! - [`configuration`] writes the YAML.
//! - [`stage`] starts and stops the three.
//! - [`play`] makes changes and waits for what comes of them.
//! - [`show`] tells the person who watches; [`outcome`] is the result.

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
use play::Play;
use show::Show;
use stage::Stage;

/// Shows the whole way, and judges it.
pub async fn perform(options: &DemoArguments, terminal: &mut Terminal) -> Result<Ended, Problem> {
    let mut stopping = Stopping::listen()?;
    let stage = Stage::set(options.interval).await?;
    let mut show = Show::new(terminal, std::sync::Arc::clone(&stage.surroundings.clock));
    show.configuration(&stage.configuration);
    let mut play = Play::new(&stage, options);
    let said = play.perform(&mut stopping, &mut show).await;
    show.end();
    let outcome = stage.judge().await?;
    said?;
    if terminal.format() == Format::Text {
        terminal.say("");
    }
    terminal.give(&outcome)?;
    if outcome.is_clean() {
        Ok(Ended::Fine)
    } else {
        terminal.say(&format!(
            "Not every change arrived exactly once and in order:\n{}",
            outcome.verdict
        ));
        Ok(Ended::NotAsItShould)
    }
}
