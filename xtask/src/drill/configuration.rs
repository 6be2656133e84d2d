//! What Rounds runs with: one action with a lookup, told to two destinations, and waits short enough for lives of a second.

use super::{LIFE_HEADER, SIGNING_SECRET};
use crate::shared::process::Process;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// The destinations, each a hook of the receiver.
pub(super) const DESTINATIONS: [&str; 2] = ["ward", "archive"];
/// Attempts that may be under way to one destination.
pub(super) const IN_FLIGHT: usize = 4;
/// Where a life finds its number.
const LIFE: &str = "DRILL_LIFE";
/// Where it finds the secret that signs.
const SECRET: &str = "DRILL_SIGNING_SECRET";

const HEAD: &str = r#"connections:
  hospital:
    base_url: @EHR@
    # Each life of Rounds proves itself by its number, so that the EHR's log says which life asked.
    auth: { header: { name: @LIFE_HEADER@, value: { env: @LIFE@ } } }
    limits: { in_flight: 4 }
actions:
  appointments:
    connection: hospital
    every: 1s
    timeout: 1s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: rfc3339, field: .lastModified, overlap: 20s }
      start: "2020-01-01T00:00:00Z"
      paging: { link_header: next }
      records: .[]
      id: .id
    lookups:
      patient: { get: "/patient/{{ record.patientID }}" }
    notify:
      body: { record: = .record, patient: = .patient }
    retry: { waits: [@WAITS@] }
    to: [@DESTINATIONS@]
destinations:
"#;

const DESTINATION: &str = r"  @NAME@:
    url: @URL@
    signing_secret: { env: @SECRET@ }
    headers: { @LIFE_HEADER@: { env: @LIFE@ } }
    in_flight: @IN_FLIGHT@
    retry: { waits: [@WAITS@] }
    allow_addresses: [127.0.0.1]
";

/// The YAML, for an EHR at this address and a receiver with a hook for each destination.
fn text(ehr: &str, hook: impl Fn(&str) -> String) -> String {
    // Far more tries than the drill has faults: nothing is to be given up.
    let waits = ["500ms"; 100].join(", ");
    let head = HEAD
        .replace("@EHR@", ehr)
        .replace("@LIFE_HEADER@", LIFE_HEADER)
        .replace("@LIFE@", LIFE)
        .replace("@DESTINATIONS@", &DESTINATIONS.join(", "))
        .replace("@WAITS@", &waits);
    let destinations = DESTINATIONS.map(|name| {
        DESTINATION
            .replace("@NAME@", name)
            .replace("@URL@", &hook(name))
            .replace("@SECRET@", SECRET)
            .replace("@LIFE_HEADER@", LIFE_HEADER)
            .replace("@LIFE@", LIFE)
            .replace("@IN_FLIGHT@", &IN_FLIGHT.to_string())
            .replace("@WAITS@", &waits)
    });
    head + &destinations.concat()
}

/// Writes the configuration into `folder`, as its `rounds.yaml`.
pub(super) fn write(folder: &Path, ehr: &str, hook: impl Fn(&str) -> String) -> Result<()> {
    let place = folder.join("rounds.yaml");
    fs::write(&place, text(ehr, hook)).with_context(|| format!("writing {}", place.display()))
}

/// The program, over one folder with configuration, data and logs.
pub(super) struct Rounds {
    pub(super) executable: PathBuf,
    pub(super) folder: PathBuf,
}

impl Rounds {
    /// Starts a life, with a log of its own that tells of every commit.
    pub(super) fn start(&self, life: u32) -> Result<Process> {
        let mut command = self.command();
        command
            .args(["run", "--log", "debug", "--log-format", "json"])
            .env(LIFE, life.to_string())
            .env(SECRET, SIGNING_SECRET);
        Process::start("rounds", command, &self.log(life))
    }

    /// Where a life's log is.
    pub(super) fn log(&self, life: u32) -> PathBuf {
        self.folder.join(format!("life-{life}.log"))
    }

    /// What `rounds status` counts as not finished: containers and deliveries that are open, and those that were given up.
    pub(super) async fn unfinished(&self) -> Result<u64> {
        let asked = self
            .command()
            .args(["status", "--json"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("starting rounds status")?;
        let said = String::from_utf8_lossy(&asked.stderr);
        // 3 and 4 say that something fails, or that nothing runs.
        let has_looked = matches!(asked.status.code(), Some(0 | 3 | 4));
        ensure!(has_looked, "rounds status failed: {said}");
        let status = serde_json::from_slice(&asked.stdout).context("reading rounds status")?;
        unfinished_in(&status).context("rounds status has no counts where they used to be")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder);
        command
    }
}

/// What a status counts as not finished.
pub(super) fn unfinished_in(status: &Value) -> Option<u64> {
    let sum = |of: &str, keys: &[&str]| -> Option<u64> {
        let each = status[of].as_array()?.iter();
        each.flat_map(|one| keys.iter().map(move |key| one[*key].as_u64()))
            .sum()
    };
    let containers = ["containers_open", "containers_parked", "containers_dead"];
    Some(sum("actions", &containers)? + sum("destinations", &["owed", "dead"])?)
}

#[cfg(test)]
mod tests {
    use super::unfinished_in;
    use serde_json::json;

    #[test]
    fn all_that_is_open_or_given_up_counts() {
        let mut status = json!({
            "actions": [{ "containers_open": 1, "containers_parked": 2, "containers_dead": 4, "notifications": 99 }],
            "destinations": [{ "owed": 8, "dead": 16, "delivered": 99 }, { "owed": 32, "dead": 64 }],
        });
        assert_eq!(unfinished_in(&status), Some(127));
        status["destinations"][1] = json!({ "dead": 64 });
        assert_eq!(
            unfinished_in(&status),
            None,
            "a key that is gone is no zero"
        );
    }
}
