//! The release binary.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// What was built.
pub(crate) struct ReleaseBinary {
    pub(crate) executable: PathBuf,
    /// The folder in which cargo keeps all it builds.
    pub(crate) target_folder: PathBuf,
}

/// Builds it, or finds that it is up to date, and asks cargo where it lies.
pub(crate) async fn release_binary() -> Result<ReleaseBinary> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", "rounds"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .context("starting cargo")?;
    ensure!(output.status.success(), "cargo build --release failed");
    let messages = String::from_utf8(output.stdout).context("reading what cargo built")?;
    let executable = executable_of(&messages)
        .context("cargo told of no executable called `rounds`; is the binary target gone?")?;
    let target_folder = executable
        .ancestors()
        .nth(2)
        .with_context(|| format!("{} lies in no target folder", executable.display()))?
        .to_owned();
    Ok(ReleaseBinary {
        executable,
        target_folder,
    })
}

/// The workspace's root: the folder above this package.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The binary target's place, from cargo's messages, one JSON object a line.
fn executable_of(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "rounds")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::executable_of;
    use std::path::Path;

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"rounds-map","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"rounds","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"rounds","kind":["bin"]},"executable":"/t/release/rounds"}
{"reason":"build-finished","success":true}"#;
        let found = executable_of(messages);
        assert_eq!(found.as_deref(), Some(Path::new("/t/release/rounds")));
        assert_eq!(executable_of("{}\nnot json"), None);
    }
}
