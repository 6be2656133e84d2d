//! `rounds map`: what notifications look like.

mod filled;
mod list;
mod test;
mod validate;

use crate::cli::{Common, MapCommand};
use crate::output::Terminal;
use crate::{Ended, Problem};
pub use filled::{FilledPage, filled};
pub use list::{MapPage, list};
pub use test::{TestPage, tested};
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
            renew,
        } => {
            let keeping = if renew {
                test::Keeping::Renew
            } else {
                test::Keeping::Compare
            };
            test::perform(common, &actions, &fixtures, keeping, terminal)
        }
        MapCommand::Filled { action, last } => {
            filled::perform(common, &action, last, terminal).await
        }
    }
}
