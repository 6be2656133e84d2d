//! sekmet-fhir: installed into a virtual environment, started on loopback, driven by its own workflows and by FHIR's REST interface.

use super::verdict::{History, Key};
use crate::say;
use crate::shared::process::Process;
use crate::shared::wait::{Look, wait_for};
use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("../../sekmet-requirements.txt");

/// It is up in about four seconds; a loaded machine may need more.
const START_LIMIT: Duration = Duration::from_mins(2);
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// The story makes some thirty versions. A history that does not fit is an error and not cut off.
const HISTORY_SIZE: usize = 1000;

/// The virtual environment that has sekmet-fhir in it.
pub(super) struct Installation {
    /// The folder with its programs.
    programs: PathBuf,
}

impl Installation {
    /// Makes it in `folder`, or finds it there from the last time.
    pub(super) async fn ready(folder: &Path) -> Result<Self> {
        let environment = folder.join("sekmet-environment");
        let programs = environment.join("bin");
        // Written last: a half-made environment is made again, as is one for other versions.
        let finished = environment.join("installed.txt");
        if fs::read_to_string(&finished).is_ok_and(|installed| installed == REQUIREMENTS) {
            return Ok(Self { programs });
        }
        say("live sekmet: installing sekmet-fhir into target/live (a quarter of a minute)");
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(&environment);
        output(command).await.context(
            "making a Python environment; on Debian: apt-get install python3 python3-venv",
        )?;
        let requirements = environment.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)
            .with_context(|| format!("writing {}", requirements.display()))?;
        let mut command = Command::new(programs.join("pip"));
        command
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(&requirements);
        output(command).await.context("installing sekmet-fhir")?;
        fs::write(&finished, REQUIREMENTS)
            .with_context(|| format!("writing {}", finished.display()))?;
        Ok(Self { programs })
    }

    /// Starts it with nothing in it, and waits until it answers. What it writes goes into `folder`.
    pub(super) async fn start(self, folder: &Path) -> Result<Server> {
        let port = free_port()?;
        let base_url = format!("http://127.0.0.1:{port}/fhir");
        let settings = format!(
            "base_url: {base_url}\nhost: 127.0.0.1\nport: {port}\nsimulator: {{enabled: false}}\n"
        );
        fs::write(folder.join("settings.yaml"), settings).context("writing sekmet's settings")?;
        let log = folder.join("sekmet.log");
        let mut command = Command::new(self.programs.join("sekmet"));
        command
            .args(["serve", "--host", "127.0.0.1", "--port"])
            .arg(port.to_string())
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(folder);
        let process = Process::start("sekmet", command, &log)?;
        // Loopback only, and bounded in time; a proxy of the machine must not come between.
        let client = reqwest::Client::builder()
            .timeout(REQUEST_LIMIT)
            .no_proxy()
            .build()
            .context("making an HTTP client")?;
        let mut server = Server {
            base_url,
            process,
            client,
            log,
            folder: folder.to_owned(),
            programs: self.programs,
        };
        wait_for("sekmet to answer", START_LIMIT, async || {
            server.process.still_runs()?;
            let answer = server.client.get(server.url("metadata")).send().await;
            Ok(match answer.and_then(reqwest::Response::error_for_status) {
                Ok(_capabilities) => Look::There(()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        })
        .await?;
        Ok(server)
    }
}

/// A running sekmet.
pub(super) struct Server {
    pub(super) base_url: String,
    process: Process,
    client: reqwest::Client,
    log: PathBuf,
    folder: PathBuf,
    programs: PathBuf,
}

impl Server {
    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url)
    }

    pub(super) fn still_runs(&mut self) -> Result<()> {
        self.process.still_runs()
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.process.kill().await
    }

    /// One of sekmet's hospital workflows, such as `scheduling.book`, over HTTP like any client. Gives what it made.
    pub(super) async fn workflow(&self, name: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let mut command = self.command(&["workflow", "run", name, "--target", "self"]);
        for (key, value) in arguments {
            command.arg("--arg").arg(format!("{key}={value}"));
        }
        let made = output(command)
            .await
            .with_context(|| format!("workflow {name}"))?;
        serde_json::from_str(&made).with_context(|| format!("reading what workflow {name} made"))
    }

    /// One of sekmet's scenarios, at full speed. It checks itself.
    pub(super) async fn scenario(&self, name: &str) -> Result<()> {
        let mut command = self.command(&["scenario", "run", name, "--peer", "self", "--no-serve"]);
        command
            .arg("--report-dir")
            .arg(self.folder.join("sekmet-reports"));
        output(command)
            .await
            .with_context(|| format!("scenario {name}"))
            .map(drop)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("sekmet"));
        command.args(arguments).current_dir(&self.folder);
        command
    }

    /// The current version of an appointment.
    pub(super) async fn appointment(&self, id: &str) -> Result<Value> {
        self.get(&format!("Appointment/{id}")).await
    }

    /// Replaces an appointment, if it is still the version that `appointment` says.
    pub(super) async fn put(&self, appointment: &Value) -> Result<()> {
        let key = Key::of(appointment)?;
        let answer = self
            .client
            .put(self.url(&format!("Appointment/{}", key.id)))
            .header(CONTENT_TYPE, "application/fhir+json")
            .header(IF_MATCH, format!("W/\"{}\"", key.version))
            .body(appointment.to_string())
            .send()
            .await;
        let status = answer.with_context(|| format!("PUT of {key}"))?.status();
        ensure!(status.is_success(), "PUT of {key}: {status}");
        Ok(())
    }

    /// Every version of every appointment.
    pub(super) async fn history(&self) -> Result<History> {
        let bundle = self
            .get(&format!("Appointment/_history?_count={HISTORY_SIZE}"))
            .await?;
        let links = bundle["link"].as_array().into_iter().flatten();
        for link in links {
            ensure!(
                link["relation"] != "next",
                "there are more than {HISTORY_SIZE} versions of appointments"
            );
        }
        History::read(&bundle)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(self.url(path)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let body = answer.with_context(|| format!("GET {path}"))?.bytes().await;
        let body = body.with_context(|| format!("reading the answer to GET {path}"))?;
        serde_json::from_slice(&body).with_context(|| format!("the answer to GET {path}"))
    }

    /// How often it was polled, and how often a next page was asked for: from its access log, because nobody else asks by `_lastUpdated`.
    pub(super) fn polls(&self) -> Result<Polls> {
        let log = fs::read_to_string(&self.log)
            .with_context(|| format!("reading {}", self.log.display()))?;
        Ok(Polls::count(&log))
    }
}

/// What sekmet's access log says of a poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Polls {
    pub(super) rounds: usize,
    pub(super) next_pages: usize,
}

impl Polls {
    fn count(log: &str) -> Self {
        let polls = log.lines().filter(|line| {
            line.contains("GET /fhir/Appointment?") && line.contains("_lastUpdated=")
        });
        let (next, first): (Vec<_>, Vec<_>) = polls.partition(|line| line.contains("_offset="));
        Self {
            rounds: first.len(),
            next_pages: next.len(),
        }
    }
}

/// A port that was free a moment ago. sekmet must be told its port beforehand, because its links are made of it; should another process take
/// it in between, sekmet does not start and says so.
fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener
        .local_addr()
        .context("looking for a free port")?
        .port())
}

/// Runs a command to its end and gives its stdout; the error has the end of its stderr.
async fn output(mut command: Command) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::Polls;

    #[test]
    fn polls_are_told_from_next_pages_and_from_other_requests() {
        let log = r#"INFO:     Uvicorn running on http://127.0.0.1:18090 (Press CTRL+C to quit)
INFO:     127.0.0.1:4 - "GET /fhir/Appointment?_lastUpdated=ge2026-11-23T02%3A47%3A47.045Z&_sort=_lastUpdated&_count=2 HTTP/1.1" 200 OK
INFO:     127.0.0.1:4 - "GET /fhir/Appointment?_lastUpdated=ge2026-11-23T02%3A47%3A47.045Z&_sort=_lastUpdated&_count=2&_offset=2 HTTP/1.1" 200 OK
INFO:     127.0.0.1:4 - "GET /fhir/Appointment?patient=Patient%2F7 HTTP/1.1" 200 OK
INFO:     127.0.0.1:4 - "GET /fhir/Appointment/_history?_count=1000 HTTP/1.1" 200 OK"#;
        let polls = Polls {
            rounds: 1,
            next_pages: 1,
        };
        assert_eq!(Polls::count(log), polls);
    }
}
