//! A folder, and the program in it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder of its own, in which the program is started.
pub(crate) struct Folder(TempDir);

/// What the program said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    /// One with a `rounds.yaml`.
    pub(crate) fn with_configuration(text: &str) -> Self {
        let folder = Self::new();
        folder.write("rounds.yaml", text);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file in the temporary folder");
    }

    /// The program, ready to be started here, without anything of the environment that it reads.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rounds"));
        command
            .args(words)
            .current_dir(self.path())
            .stdin(Stdio::null());
        for name in ["ROUNDS_CONFIG", "ROUNDS_DATA_DIR", "ROUNDS_LOG", "COLUMNS"] {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1");
        command
    }

    /// Runs it to its end.
    pub(crate) fn rounds(&self, words: &[&str]) -> Said {
        let output = self.command(words).output().expect("the program starts");
        Said::from(output)
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }
}

impl Said {
    /// All of it, for snapshots.
    pub(crate) fn whole(&self) -> String {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        format!("ended with {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }

    /// Stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{}", self.whole()))
    }
}

/// Runs `test` with what differs from run to run replaced in its snapshots.
pub(crate) fn snapshots(test: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
    settings.add_filter(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "[time]");
    settings.add_filter(r"(ntf|ctr)_[0-9A-Za-z]+", "${1}_[id]");
    settings.add_filter(r"\(pid \d+\)", "(pid [pid])");
    settings.add_filter(r"changedsince=[0-9A-Z%-]+", "changedsince=[cursor]");
    settings.add_filter(r", (\d+ ms|\d+\.\d s)\n", ", [took]\n");
    settings.bind(test);
}

/// Whether a page of the docs is as it is made, from the root of the repository; renewed where that is asked for.
pub(crate) fn made_page(page: &str, expected: &str, test: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(page);
    if std::env::var_os("ROUNDS_RENEW_DOCS").is_some() {
        fs::write(&path, expected).expect("the page is written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == expected,
        "{page} is old; renew it: ROUNDS_RENEW_DOCS=1 cargo test -p rounds --test it {test}"
    );
}
