//! A process that runs beside the task, writes to a log file, and ends with the task whatever happens.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};

/// How much of a log is shown when its process ended early.
const LAST_LINES: usize = 15;

/// A running process. Dropped, it is killed.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says is added to `log`.
    pub(crate) fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let opened = File::options().create(true).append(true).open(log);
        let output = opened.with_context(|| format!("opening the log {}", log.display()))?;
        let errors = output.try_clone().context("sharing a log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// The number that the system gave it; None once it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// An error with the end of the log if it no longer runs.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        let name = self.name;
        match self.ended()? {
            None => Ok(()),
            Some(status) => {
                let text = fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
                bail!("{name} ended by itself with {status}; its last words:\n  {last}")
            }
        }
    }

    /// Asks it to end, as a service manager does, and does not wait for it.
    pub(crate) async fn ask_to_end(&self) -> Result<()> {
        let name = self.name;
        let Some(id) = self.child.id() else {
            return Ok(()); // It is gone already.
        };
        // There is no signal but SIGKILL in the standard library, and this workspace has no unsafe code.
        let asked = Command::new("kill")
            .args(["-TERM", &id.to_string()])
            .status()
            .await
            .with_context(|| format!("asking {name} to end"))?;
        anyhow::ensure!(asked.success(), "asking {name} to end: kill said {asked}");
        Ok(())
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let name = self.name;
        let status = self.child.try_wait();
        status.with_context(|| format!("asking whether {name} runs"))
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        let name = self.name;
        self.child
            .kill()
            .await
            .with_context(|| format!("stopping {name}"))
    }
}
