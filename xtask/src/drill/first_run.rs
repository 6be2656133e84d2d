//! `cargo xtask drill first-run`: a first round over a large archive, killed in the middle.
//!
//! Who connects an EHR that has been there for years, and starts from the beginning, drains a million records in one round. That must
//! not take memory that grows with them, and a crash in the middle must not begin it anew. The archive's pages ascend and the configuration says so
//! (`order: ascending`), so each part that is committed moves the cursor.
//!
//! | in the line | meaning |
//! |---|---|
//! | `resumed_at_percent` | from where the process asked after the kill: 0 would be the beginning |
//! | lost, repeated | records without a notification, notifications beyond one for each record |
//! | `why_known_ms`, `why_unknown_ms` | how long `rounds why` takes of a record in the middle, and of one that there is not; the median of 21 |
//! | `start_ms` | the same of a command that opens nothing: what the process alone costs |
//! | `rss_mib_at_tenth`, `rss_mib_peak` | resident memory when a tenth was known, and the most there ever was, in MiB |
//!
//! What to mind: nobody is told (`to: []`), because what is measured is the round; deliveries are the kill drill's matter. Memory is what
//! Linux says of the process (`VmRSS`, `VmHWM` in `/proc`).

use super::make_empty;
use crate::shared::build::release_binary;
use crate::shared::process::Process;
use crate::shared::wait::{Look, wait_for};
use crate::{give, say};
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use rounds_testkit::archive::Archive;
use rounds_testkit::clock::system_clock;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const RECORDS_PER_PAGE: u64 = 500;
/// The first life is killed when it knows so much.
const KILLED_AT_PERCENT: u64 = 40;
const PATIENCE: Duration = Duration::from_mins(30);
/// Rounds that are watched for repetitions when all is there.
const ROUNDS_AFTERWARDS: usize = 3;
/// How often a command is timed; the median counts.
const COMMANDS: usize = 21;
/// When the archive's first record changed.
const FIRST_MOMENT: &str = "2026-01-01T00:00:00Z";

const CONFIGURATION: &str = r#"connections:
  archive: { base_url: "@EHR@" }
actions:
  records:
    connection: archive
    every: 1s
    timeout: 1s
    changes:
      get: /records
      query: { since: "{{ cursor }}" }
      cursor: { time: rfc3339, field: .changed, order: ascending, overlap: 1s }
      start: beginning
      paging: { next_link: .next }
      max_pages: 1000000
      records: .items[]
      id: .id
    to: []
"#;

/// Runs it and prints the one line of the result.
pub(crate) async fn first_run(records: u64) -> Result<()> {
    let program = release_binary().await?;
    let folder = program.target_folder.join("drill").join("first-run");
    make_empty(&folder)?;
    let first_moment: Timestamp = FIRST_MOMENT.parse().context("the first moment")?;
    let archive = Archive::start(first_moment, records, RECORDS_PER_PAGE).await?;
    let text = CONFIGURATION.replace("@EHR@", &archive.base_url());
    fs::write(folder.join("rounds.yaml"), text).context("writing the configuration")?;
    let drill = FirstRun {
        executable: program.executable,
        folder,
        records,
    };

    let clock = system_clock();
    let began = clock();
    let mut first = drill.start()?;
    let tenth = drill.until_known(&mut first, 10).await?;
    drill.until_known(&mut first, KILLED_AT_PERCENT).await?;
    let first_peak = memory(&first, "VmHWM")?;
    first.kill().await?;
    say("drill first-run: killed; the next life goes on");
    let asked_before = archive.asked_since().len();

    let mut second = drill.start()?;
    let resumed = wait_for("the next life to ask", PATIENCE, async || {
        second.still_runs()?;
        Ok(archive.asked_since().get(asked_before).map_or_else(
            || Look::NotYet("no request".to_owned()),
            |at| Look::There(*at),
        ))
    })
    .await?;
    let counts = drill.until_done(&mut second).await?;
    let took = clock().duration_since(began);
    let asked = archive.asked_since().len();
    wait_for("some rounds more", PATIENCE, async || {
        second.still_runs()?;
        let more = archive.asked_since().len() - asked;
        Ok(if more > ROUNDS_AFTERWARDS {
            Look::There(())
        } else {
            Look::NotYet(format!("{more} rounds"))
        })
    })
    .await?;
    let after = drill.counts().await?;
    let middle = (records / 2).to_string();
    let start = drill.median(&["explain", "R0703"]).await?;
    let why_known = drill.median(&["why", "records", &middle]).await?;
    let why_unknown = drill.median(&["why", "records", "no such"]).await?;
    let peak = first_peak.max(memory(&second, "VmHWM")?);
    second.kill().await?;
    archive.stop().await;

    let resumed_ms = resumed.duration_since(first_moment).as_millis().max(0);
    let resumed_percent = resumed_ms * 100 / i128::from(records).max(1);
    let lost = records.saturating_sub(after.notifications.min(after.known));
    let repeated = after.notifications.saturating_sub(records);
    give(&format!(
        "drill first-run: records={records} notified={} lost={lost} repeated={repeated} resumed_at_percent={resumed_percent} \
         rss_mib_at_tenth={} rss_mib_peak={} seconds={} \
         start_ms={} why_known_ms={} why_unknown_ms={}",
        counts.notifications,
        tenth / 1024,
        peak / 1024,
        took.as_secs(),
        start.as_millis(),
        why_known.as_millis(),
        why_unknown.as_millis()
    ));
    ensure!(
        lost == 0 && repeated == 0,
        "what was notified is not what was there"
    );
    ensure!(resumed_percent > 0, "the second life began anew");
    let data = drill.folder.join("rounds-data");
    fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))
}

struct FirstRun {
    executable: PathBuf,
    folder: PathBuf,
    records: u64,
}

struct Counts {
    known: u64,
    notifications: u64,
    open: u64,
}

impl FirstRun {
    fn start(&self) -> Result<Process> {
        let mut command = self.command();
        command.arg("run");
        Process::start("rounds", command, &self.folder.join("rounds.log"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder);
        command
    }

    /// Waits until so many percent of the records are known, and says how much memory the process has then, in KiB.
    async fn until_known(&self, process: &mut Process, percent: u64) -> Result<u64> {
        let wanted = self.records * percent / 100;
        wait_for("records to be known", PATIENCE, async || {
            process.still_runs()?;
            let known = self.counts().await?.known;
            Ok(if known >= wanted {
                Look::There(())
            } else {
                Look::NotYet(format!("{known} of {wanted} are known"))
            })
        })
        .await?;
        say(&format!("drill first-run: {percent} % are known"));
        memory(process, "VmRSS")
    }

    async fn until_done(&self, process: &mut Process) -> Result<Counts> {
        wait_for("all records to be notified", PATIENCE, async || {
            process.still_runs()?;
            let counts = self.counts().await?;
            let all = counts.known >= self.records && counts.open == 0;
            Ok(if all && counts.notifications >= self.records {
                Look::There(counts)
            } else {
                Look::NotYet(format!("{} notifications", counts.notifications))
            })
        })
        .await
    }

    /// How long a command takes beside the running process, from its start to its end.
    async fn median(&self, words: &[&str]) -> Result<Duration> {
        let (clock, mut took) = (system_clock(), Vec::new());
        for _ in 0..COMMANDS {
            let began = clock();
            let ended = self
                .command()
                .args(words)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output()
                .await
                .with_context(|| format!("starting rounds {words:?}"))?;
            took.push(clock().duration_since(began).unsigned_abs());
            let said = String::from_utf8_lossy(&ended.stderr);
            ensure!(ended.status.success(), "rounds {words:?} failed: {said}");
        }
        took.sort();
        Ok(took[COMMANDS / 2])
    }

    async fn counts(&self) -> Result<Counts> {
        let asked = self
            .command()
            .args(["status", "--json"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("starting rounds status")?;
        // Before the first start there is no database.
        let status: Value = serde_json::from_slice(&asked.stdout).unwrap_or_default();
        let action = &status["actions"][0];
        let count = |key: &str| action[key].as_u64().unwrap_or(0);
        Ok(Counts {
            known: count("known_records"),
            notifications: count("notifications"),
            open: count("containers_open") + count("containers_parked") + count("containers_dead"),
        })
    }
}

/// A line of `/proc/PID/status`, in KiB.
fn memory(process: &Process, line: &str) -> Result<u64> {
    let id = process.id().context("the process has ended")?;
    let place = format!("/proc/{id}/status");
    let text = fs::read_to_string(&place).with_context(|| format!("reading {place}"))?;
    text.lines()
        .find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))
        .and_then(|value| value.trim().strip_suffix("kB")?.trim().parse().ok())
        .with_context(|| format!("{place} has no {line}"))
}
