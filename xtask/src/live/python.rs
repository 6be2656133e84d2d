//! Virtual environments for the programs that others wrote in Python.

use crate::say;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// A virtual environment with a program in it.
pub(super) struct Environment {
    /// The folder with its programs.
    programs: PathBuf,
}

impl Environment {
    /// Makes it in `folder` for `name`, or finds it there from the last time.
    pub(super) async fn ready(folder: &Path, name: &str, requirements: &str) -> Result<Self> {
        let environment = folder.join(format!("{name}-environment"));
        let programs = environment.join("bin");
        // Written last: a half-made environment is made again, as is one for other versions.
        let finished = environment.join("installed.txt");
        if fs::read_to_string(&finished).is_ok_and(|installed| installed == requirements) {
            return Ok(Self { programs });
        }
        say(&format!(
            "installing {name} into target/live (a quarter of a minute)"
        ));
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(&environment);
        output(command).await.context(
            "making a Python environment; on Debian: apt-get install python3 python3-venv",
        )?;
        let listed = environment.join("requirements.txt");
        fs::write(&listed, requirements)
            .with_context(|| format!("writing {}", listed.display()))?;
        let mut command = Command::new(programs.join("pip"));
        command
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(&listed);
        output(command)
            .await
            .with_context(|| format!("installing {name}"))?;
        fs::write(&finished, requirements)
            .with_context(|| format!("writing {}", finished.display()))?;
        Ok(Self { programs })
    }

    /// One of its programs.
    pub(super) fn command(&self, program: &str) -> Command {
        Command::new(self.programs.join(program))
    }
}

/// Runs a command to its end and gives its stdout; the error has the end of its stderr.
pub(super) async fn output(mut command: Command) -> Result<String> {
    let program = command.as_std().get_program().display().to_string();
    let finished = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let finished = finished
        .await
        .with_context(|| format!("starting {program}"))?;
    if !finished.status.success() {
        let said = [finished.stdout, finished.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.trim_end().lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n  ");
        bail!("{program} ended with {}:\n  {last}", finished.status);
    }
    String::from_utf8(finished.stdout).with_context(|| format!("reading what {program} said"))
}
