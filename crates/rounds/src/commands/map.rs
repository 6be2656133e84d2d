//! `rounds map`: what notifications look like.

mod by_map;
mod files;
mod filled;
mod fixtures;
mod leaves;
mod list;
mod test;
mod trial;
mod validate;

use crate::cli::{Common, MapCommand};
use crate::output::Terminal;
use crate::{Ended, Problem};
pub use filled::{FilledPage, filled};
pub use leaves::{LeafRow, MappedField};
pub use list::{MapPage, list};
pub use test::{TestPage, tested};
pub use trial::{TrialPage, TriedRow};
pub use validate::{ValidationPage, validated};

/// Does it.
pub async fn perform(
    common: &Common,
    command: MapCommand,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    match command {
        MapCommand::Validate { files } => validate::perform(&files, terminal),
        MapCommand::List => {
            terminal.give(&list())?;
            Ok(Ended::Fine)
        }
        MapCommand::Show { name } => list::show(&name, terminal),
        MapCommand::Test {
            actions,
            fixtures,
            map,
            update,
        } => {
            let keeping = if update {
                test::Keeping::Renew
            } else {
                test::Keeping::Compare
            };
            let through = match &map {
                Some(map) => test::Through::Map(map),
                None => test::Through::Actions(&actions),
            };
            test::perform(common, through, &fixtures, keeping, terminal)
        }
        MapCommand::Try(arguments) => trial::perform(common, &arguments, terminal).await,
        MapCommand::Filled { action, last } => {
            filled::perform(common, &action, last, terminal).await
        }
    }
}
