//! sekmet-fhir: installed into a virtual environment, started on loopback, driven by its own workflows and by FHIR's REST interface.

use super::python::{Environment, output};
use super::verdict::{History, Key};
use crate::shared::process::Process;
use crate::shared::wait::{Look, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("../../sekmet-requirements.txt");

/// It is up in about four seconds; a loaded machine may need more.
const START_LIMIT: Duration = Duration::from_mins(2);
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// The story makes some thirty versions. A history that does not fit is an error and not cut off.
const HISTORY_SIZE: usize = 1000;

/// The token of whoever drives the story. Rounds has to ask for its own.
const DRIVER: &str = "the-driver-of-the-story";

/// Who may ask.
pub(super) enum Access {
    /// Everybody.
    Open,
    /// A client of SMART Backend Services with these public keys, as a JWK Set. Its tokens live three seconds, so that every story has
    /// many of them.
    Smart { jwks: String },
}

impl Access {
    fn settings(&self) -> String {
        match self {
            Self::Open => String::new(),
            // JSON is YAML.
            Self::Smart { jwks } => format!(
                "server_auth:\n  types: [bearer, smart]\n  tokens: [{DRIVER}]\n  token_lifetime: 3\n  smart_clients:\n    - {{client_id: {CLIENT}, jwks: {jwks}, scopes: \"system/*.read\"}}\n"
            ),
        }
    }

    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        if let Self::Smart { .. } = self {
            let value = HeaderValue::from_str(&format!("Bearer {DRIVER}"));
            headers.insert(AUTHORIZATION, value.context("the driver's token")?);
        }
        Ok(headers)
    }
}

/// Under which name Rounds asks for tokens.
pub(super) const CLIENT: &str = "poller";

/// sekmet-fhir, installed.
pub(super) struct Installation(Environment);

impl Installation {
    /// Installs it in `folder`, or finds it there from the last time.
    pub(super) async fn ready(folder: &Path) -> Result<Self> {
        let environment = Environment::ready(folder, "sekmet", REQUIREMENTS).await?;
        Ok(Self(environment))
    }

    /// Starts it with nothing in it, and waits until it answers. What it writes goes into `folder`.
    pub(super) async fn start(self, folder: &Path, access: &Access) -> Result<Server> {
        let port = free_port()?;
        let base_url = format!("http://127.0.0.1:{port}/fhir");
        let settings = format!(
            "base_url: {base_url}\nhost: 127.0.0.1\nport: {port}\nsimulator: {{enabled: false}}\n{}",
            access.settings()
        );
        fs::write(folder.join("settings.yaml"), settings).context("writing sekmet's settings")?;
        let log = folder.join("sekmet.log");
        let mut command = self.0.command("sekmet");
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
            .default_headers(access.headers()?)
            .build()
            .context("making an HTTP client")?;
        let mut server = Server {
            base_url,
            process,
            client,
            log,
            folder: folder.to_owned(),
            environment: self.0,
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
    environment: Environment,
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
        let mut command = self.environment.command("sekmet");
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

    /// Deletes an appointment.
    pub(super) async fn delete(&self, id: &str) -> Result<()> {
        let answer = self
            .client
            .delete(self.url(&format!("Appointment/{id}")))
            .send()
            .await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .with_context(|| format!("DELETE of Appointment/{id}"))
            .map(drop)
    }

    /// How many tokens were given.
    pub(super) fn tokens(&self) -> Result<usize> {
        let log = fs::read_to_string(&self.log)
            .with_context(|| format!("reading {}", self.log.display()))?;
        let given = log
            .lines()
            .filter(|line| line.contains("POST /auth/token ") && line.contains(" 200"));
        Ok(given.count())
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

    /// The resource types that its capability statement has.
    pub(super) async fn resource_types(&self) -> Result<Vec<String>> {
        let capabilities = self.get("metadata").await?;
        let resources = capabilities["rest"][0]["resource"].as_array();
        let types: Vec<String> = (resources.into_iter().flatten())
            .filter_map(|resource| resource["type"].as_str().map(str::to_owned))
            .collect();
        ensure!(!types.is_empty(), "the server has no resource types");
        Ok(types)
    }

    /// Sends a batch, of which everything must succeed.
    pub(super) async fn batch(&self, bundle: &Value) -> Result<()> {
        let answer = self
            .client
            .post(&self.base_url)
            .header(CONTENT_TYPE, "application/fhir+json")
            .body(bundle.to_string())
            .send()
            .await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let body = answer.context("sending a batch")?.bytes().await;
        let body: Value = serde_json::from_slice(&body.context("reading a batch's answer")?)
            .context("a batch's answer")?;
        for entry in body["entry"].as_array().into_iter().flatten() {
            let status = entry["response"]["status"].as_str().unwrap_or_default();
            ensure!(status.starts_with('2'), "an entry of a batch: {status}");
        }
        Ok(())
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
pub(super) fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener
        .local_addr()
        .context("looking for a free port")?
        .port())
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
