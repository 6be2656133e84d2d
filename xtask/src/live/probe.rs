//! What `rounds probe` says of the server, against what the docs show.

use super::configuration::Rounds;
use crate::say;
use crate::shared::build::workspace;
use anyhow::{Context, Result, ensure};
use std::fs;

const PAGE: &str = "docs/probe.md";
const COMMAND: &str =
    "rounds probe sekmet --resource Appointment --resource Patient --resource Slot";

/// Asks once more, as a person would, and compares.
pub(super) async fn compare(rounds: &Rounds) -> Result<()> {
    let words: Vec<&str> = COMMAND.split(' ').skip(1).collect();
    let said = rounds.said(&words).await?;
    let page =
        fs::read_to_string(workspace().join(PAGE)).with_context(|| format!("reading {PAGE}"))?;
    let transcript = format!("```text\n$ {COMMAND}\n{said}```");
    ensure!(
        page.contains(&transcript),
        "{PAGE} shows another answer of this server; it should show:\n{transcript}"
    );
    say("live sekmet: the probe says what the docs show");
    Ok(())
}
