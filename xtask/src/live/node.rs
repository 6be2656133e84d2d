//! The programs that others wrote for Node, and the servers that are made of them.
//!
//! What is installed is named with its version; what it needs itself is as its packages ask for it. Nothing of it is part of Rounds: it lies in
//! `target/live` and is made again when it is gone.

use super::python::output;
use crate::say;
use crate::shared::process::Process;
use crate::shared::wait::{Look, wait_for};
use anyhow::{Context, Result};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// Medplum's definitions are read in some two seconds; a loaded machine may need more.
const START_LIMIT: Duration = Duration::from_mins(2);
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// A folder with packages in it.
pub(super) struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Installs them in `folder` for `name`, or finds them there from the last time.
    pub(super) async fn ready(folder: &Path, name: &str, packages: &[&str]) -> Result<Self> {
        for program in ["node", "npm"] {
            let mut command = Command::new(program);
            command.arg("--version");
            output(command).await.with_context(|| {
                format!("`live {name}` needs node (20 or later) and npm, and {program} does not run; on Debian: apt-get install nodejs npm")
            })?;
        }
        let folder = folder.join(format!("{name}-packages"));
        let wanted = packages.join("\n");
        // Written last: what is half installed is installed again, as are other versions.
        let finished = folder.join("installed.txt");
        if fs::read_to_string(&finished).is_ok_and(|installed| installed == wanted) {
            return Ok(Self { folder });
        }
        say(&format!(
            "installing {name} into target/live (a quarter of a minute)"
        ));
        if folder.exists() {
            super::remove(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        // Without one, npm looks for a package in the folders above.
        fs::write(folder.join("package.json"), r#"{"private": true}"#)
            .context("writing package.json")?;
        let mut command = Command::new("npm");
        command
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock"])
            .args(packages)
            .current_dir(&folder);
        output(command)
            .await
            .with_context(|| format!("installing {name}"))?;
        fs::write(&finished, wanted).with_context(|| format!("writing {}", finished.display()))?;
        Ok(Self { folder })
    }

    /// Where a program has to lie that uses these packages by their names.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A running server of JSON over HTTP, alone on loopback.
pub(super) struct Server {
    pub(super) base_url: String,
    process: Process,
    client: reqwest::Client,
    log: PathBuf,
}

/// What it answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Null where there was nothing.
    pub(super) body: Value,
}

impl Server {
    /// Starts it and waits until `GET path` goes well. What it says goes into `NAME.log` in `folder`.
    pub(super) async fn start(
        name: &'static str,
        command: Command,
        folder: &Path,
        base_url: String,
        path: &str,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let process = Process::start(name, command, &log)?;
        // Loopback only, and bounded in time; a proxy of the machine must not come between.
        let client = reqwest::Client::builder()
            .timeout(REQUEST_LIMIT)
            .no_proxy()
            .build()
            .context("making an HTTP client")?;
        let mut server = Self {
            base_url,
            process,
            client,
            log,
        };
        wait_for("the server to answer", START_LIMIT, async || {
            server.still_runs()?;
            Ok(match server.done(Method::GET, path, None).await {
                Ok(_answer) => Look::There(()),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })
        .await?;
        Ok(server)
    }

    pub(super) fn still_runs(&mut self) -> Result<()> {
        self.process.still_runs()
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.process.kill().await
    }

    /// Asks, and gives the answer whatever its status.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let what = format!("{method} {path}");
        let mut request = (self.client).request(method, format!("{}{path}", self.base_url));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.with_context(|| what.clone())?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.with_context(|| what.clone())?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).with_context(|| format!("the answer to {what}"))?
        };
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Asks for what must go well.
    pub(super) async fn done(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let what = format!("{method} {path}");
        let answer = self.ask(method, path, body).await?;
        anyhow::ensure!(answer.status.is_success(), "{what}: {}", answer.status);
        Ok(answer)
    }

    /// How many lines of its log, which has one for each request, are such.
    pub(super) fn requests(&self, such: impl Fn(&str) -> bool) -> Result<usize> {
        let log = fs::read_to_string(&self.log)
            .with_context(|| format!("reading {}", self.log.display()))?;
        Ok(log.lines().filter(|line| such(line)).count())
    }
}
