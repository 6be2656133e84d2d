//! The example's copy: the same file but for the addresses, the interval and the size of a page; and the program that runs with it.

use super::SIGNING_SECRET;
use super::python::output;
use super::sekmet::CLIENT;
use crate::shared::build::workspace;
use crate::shared::process::Process;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::process::Command;

const EXAMPLE: &str = "examples/fhir-appointments.yaml";

/// What stands beside the example's action: the same records by another way, deletions included, over the connector.
const BESIDE: &str = r#"  NAME:
    connection: sekmet
    uses: NAME_appointment
    every: 1s
    lookups:
      patient: { get: '/Patient/{{ .record | fhir_reference("Patient") }}', when: '.record | fhir_reference("Patient") != null' }
    notify: { body: { change: = .change.kind, appointment: = .record, patient: = .patient } }
    to: [NAME-app]
"#;

/// The same records once more, over the connector and over a map, as a receiver that was written for Redox wants them.
const REDOX: &str = "  redox:
    connection: sekmet
    uses: history_appointment
    every: 1s
    notify: { map: fhir-r4/scheduling }
    to: [redox-app]
";

/// `rounds run`, ready to be started, again and again, over the same data: in a folder with its `rounds.yaml`, as a person would.
pub(super) struct Rounds {
    pub(super) executable: PathBuf,
    pub(super) folder: PathBuf,
}

impl Rounds {
    /// Makes the key, and gives its public half as a JWK Set.
    pub(super) async fn keys(&self) -> Result<String> {
        self.said(&[
            "keys",
            "generate",
            "--algorithm",
            "ES384",
            "--out",
            "key.pem",
        ])
        .await?;
        let jwks = self.said(&["keys", "jwks", "key.pem"]).await?;
        Ok(jwks.replace('\n', " "))
    }

    /// What a command says.
    pub(super) async fn said(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.executable);
        command
            .args(words)
            .env("MY_APP_SECRET", SIGNING_SECRET)
            .current_dir(&self.folder);
        output(command)
            .await
            .with_context(|| format!("rounds {}", words.join(" ")))
    }

    pub(super) fn start(&self) -> Result<Process> {
        let mut command = Command::new(&self.executable);
        command
            .arg("run")
            .env("MY_APP_SECRET", SIGNING_SECRET)
            .current_dir(&self.folder);
        Process::start("rounds", command, &self.folder.join("rounds.log"))
    }
}

/// Writes the copy into `folder`, as its `rounds.yaml`. `beside` names the other ways and where they tell.
pub(super) fn adapt(
    folder: &Path,
    fhir_base: &str,
    hook: &str,
    beside: &[(&str, String)],
    redox: &str,
) -> Result<()> {
    let example = fs::read_to_string(workspace().join(EXAMPLE))
        .with_context(|| format!("reading {EXAMPLE}"))?;
    let auth = format!(
        "auth: {{ smart_backend: {{ client_id: {CLIENT}, private_key: {{ file: key.pem }}, scope: \"system/*.read\" }} }}"
    );
    let base_url = format!("{fhir_base}\n    {auth}");
    // Pages of two, so that next links are followed; one second, so that the test is short.
    let changes = [
        ("base_url", base_url.as_str()),
        ("url", hook),
        ("every", "1s"),
        ("_count", "2"),
    ];
    let mut copy = example;
    for (key, value) in changes {
        copy = with_value(&copy, key, value)?;
    }
    let (before, after) = copy
        .split_once("\nactions:\n")
        .context("the example has no actions")?;
    let (actions, destinations) = after
        .split_once("\ndestinations:\n")
        .context("the example has no destinations")?;
    let mut copy = format!(
        "{before}\n  sekmet:\n    connector: fhir-r4\n    base_url: {base_url}\n\nactions:\n{actions}\n"
    );
    for (name, _) in beside {
        copy.push_str(&BESIDE.replace("NAME", name));
    }
    copy.push_str(REDOX);
    write!(copy, "\ndestinations:\n{destinations}")?;
    let beside = beside.iter().map(|(name, hook)| (*name, hook.as_str()));
    for (name, hook) in beside.chain([("redox", redox)]) {
        write!(
            copy,
            "\n  {name}-app:\n    url: {hook}\n    signing_secret: {{ env: MY_APP_SECRET }}\n    allow_addresses: [127.0.0.1]\n"
        )?;
    }
    let place = folder.join("rounds.yaml");
    fs::write(&place, copy).with_context(|| format!("writing {}", place.display()))
}

/// `text` with another value for `key`, which must stand at the beginning of exactly one line: an example that was written anew must not be
/// half adapted.
fn with_value(text: &str, key: &str, value: &str) -> Result<String> {
    let prefix = format!("{key}:");
    let mut found = 0_usize;
    let mut copy = String::new();
    for line in text.lines() {
        let bare = line.trim_start();
        if bare.starts_with(&prefix) {
            found += 1;
            let indentation = &line[..line.len() - bare.len()];
            copy.extend([indentation, &prefix, " ", value, "\n"]);
        } else {
            copy.push_str(line);
            copy.push('\n');
        }
    }
    ensure!(
        found == 1,
        "{EXAMPLE} should have one line that begins with `{key}:`, and has {found}"
    );
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::{EXAMPLE, adapt, with_value};
    use crate::shared::build::workspace;
    use anyhow::{Context, Result};
    use std::collections::BTreeSet;
    use std::fs;

    const AUTH: &str = "auth: { smart_backend: { client_id: poller, private_key: { file: key.pem }, scope: \"system/*.read\" } }";

    #[test]
    fn one_line_changes_and_keeps_its_indentation() -> Result<()> {
        let text = "a:\n    url: x  # why\nbase_url: y\n";
        assert_eq!(
            with_value(text, "url", "z")?,
            "a:\n    url: z\nbase_url: y\n"
        );
        Ok(())
    }

    #[test]
    fn a_key_that_is_missing_or_there_twice_is_an_error() {
        for text in ["a: 1\n", "url: x\nurl: y\n"] {
            with_value(text, "url", "z").expect_err("it is not there once");
        }
    }

    #[test]
    fn what_of_the_example_differs_in_its_copy() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("rounds-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let copy = adapt(
            &folder,
            "http://127.0.0.1:1/fhir",
            "http://127.0.0.1:2/h",
            &[
                ("history", "http://127.0.0.1:2/i".to_owned()),
                ("bulk", "http://127.0.0.1:2/j".to_owned()),
            ],
            "http://127.0.0.1:2/k",
        )
        .and_then(|()| fs::read_to_string(folder.join("rounds.yaml")).context("reading the copy"));
        fs::remove_dir_all(&folder)?;
        let (copy, example) = (copy?, fs::read_to_string(workspace().join(EXAMPLE))?);
        let copied: BTreeSet<&str> = copy.lines().map(str::trim).collect();
        for line in [
            "base_url: http://127.0.0.1:1/fhir",
            AUTH,
            "every: 1s",
            "_count: 2",
            "url: http://127.0.0.1:2/h",
            "url: http://127.0.0.1:2/i",
            "url: http://127.0.0.1:2/j",
            "uses: history_appointment",
            "uses: bulk_appointment",
            "url: http://127.0.0.1:2/k",
            "notify: { map: fhir-r4/scheduling }",
        ] {
            assert!(copied.contains(line), "{line} is not in {copy}");
        }
        let replaced = example.lines().map(str::trim);
        assert_eq!(replaced.filter(|line| !copied.contains(line)).count(), 4);
        Ok(())
    }
}
