//! One module for each command: what it finds out, and how that reads.

pub mod check;
pub mod connectors;
pub mod containers;
pub mod deletions;
pub mod deliveries;
pub mod destinations;
pub mod explain;
pub mod keys;
pub mod map;
pub mod models;
pub mod notifications;
pub mod oldest;
pub mod poll;
pub mod probe;
pub mod replay;
pub mod reset;
pub mod run;
pub mod status;
mod untouched;
pub mod why;

use crate::cli::{Arguments, Command};
use crate::output::Terminal;
use crate::{Ended, Problem, demo};

/// Does what the command line says.
pub async fn perform(arguments: Box<Arguments>, terminal: &mut Terminal) -> Result<Ended, Problem> {
    let Arguments { common, command } = *arguments;
    match command {
        Command::Run(options) => run::perform(&common, &options, terminal).await,
        Command::Check => check::perform(&common, terminal).await,
        Command::Schema => {
            let schema = rounds_config::schema();
            terminal.give_text(&format!("{schema:#}\n"))?;
            Ok(Ended::Fine)
        }
        Command::Poll(options) => poll::perform(&common, &options, terminal).await,
        Command::Probe(options) => probe::perform(&common, &options, terminal).await,
        Command::Demo(options) => demo::perform(&options, terminal).await,
        Command::Status => status::perform(&common, terminal).await,
        Command::Why(arguments) => why::perform(&common, arguments, terminal).await,
        Command::Notifications(command) => notifications::perform(&common, command, terminal).await,
        Command::Destinations(command) => destinations::perform(&common, command, terminal).await,
        Command::Replay(arguments) => replay::perform(&common, arguments, terminal).await,
        Command::Reset(arguments) => reset::perform(&common, &arguments, terminal).await,
        Command::Deliveries(command) => deliveries::perform(&common, command, terminal).await,
        Command::Containers(command) => containers::perform(&common, command, terminal).await,
        Command::Deletions(command) => deletions::perform(&common, command, terminal).await,
        Command::Connectors(command) => connectors::perform(&command, terminal),
        Command::Models(command) => models::perform(&command, terminal),
        Command::Map(command) => map::perform(&common, command, terminal).await,
        Command::Keys(command) => keys::perform(&command, terminal),
        Command::Explain { code } => explain::perform(code.as_deref(), terminal),
    }
}
