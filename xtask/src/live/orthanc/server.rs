//! Orthanc from Debian: installed if it is not there, started on loopback, driven by its REST API.

use super::INSTANCES;
use super::dicom::Instance;
use crate::say;
use crate::shared::process::Process;
use crate::shared::wait::{Look, wait_for};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

pub(super) const USER: &str = "rounds";
/// It guards made-up patients on loopback.
const PASSWORD: &str = "of-the-live-test";
const START_LIMIT: Duration = Duration::from_mins(1);
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// A running Orthanc.
pub(super) struct Server {
    pub(super) base_url: String,
    process: Process,
    client: reqwest::Client,
}

impl Server {
    /// Starts it with nothing in it, and waits until it answers. What it writes goes into `folder`.
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        install().await?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
        let port = listener
            .local_addr()
            .context("looking for a free port")?
            .port();
        drop(listener);
        let database = folder.join("db");
        let settings = json!({
            "Name": "live",
            "StorageDirectory": database,
            "IndexDirectory": database,
            "HttpPort": port,
            // Its HTTP server has no address to listen on: this refuses whoever is not on this machine.
            "RemoteAccessAllowed": false,
            "DicomServerEnabled": false,
            "AuthenticationEnabled": true,
            "RegisteredUsers": { (USER): PASSWORD },
            "StableAge": 2,
            "Plugins": [],
        });
        let place = folder.join("orthanc.json");
        fs::write(&place, settings.to_string()).context("writing Orthanc's settings")?;
        fs::write(folder.join("password"), PASSWORD).context("writing the password")?;
        let mut command = Command::new("Orthanc");
        command.arg(&place).current_dir(folder);
        let process = Process::start("Orthanc", command, &folder.join("orthanc.log"))?;
        let client = reqwest::Client::builder()
            .timeout(REQUEST_LIMIT)
            .no_proxy()
            .build()
            .context("making an HTTP client")?;
        let mut server = Self {
            base_url: format!("http://127.0.0.1:{port}"),
            process,
            client,
        };
        wait_for("Orthanc to answer", START_LIMIT, async || {
            server.still_runs()?;
            Ok(match server.get("system").await {
                Ok(_) => Look::There(()),
                Err(error) => Look::NotYet(error.to_string()),
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

    /// Sends all instances of a study, and gives its identifier.
    pub(super) async fn send_study(&self, patient: u32, study: u32) -> Result<String> {
        for number in 1..=INSTANCES {
            let instance = Instance {
                patient,
                study,
                number,
            };
            let status = self.send(instance).await?;
            ensure!(
                status == "Success",
                "an instance was answered with {status}"
            );
        }
        let first = Instance {
            patient,
            study,
            number: 1,
        };
        Ok(first.study_uid())
    }

    /// Sends an instance; gives what became of it.
    pub(super) async fn send(&self, instance: Instance) -> Result<String> {
        let request = self
            .client
            .post(format!("{}/instances", self.base_url))
            .body(instance.file());
        let answer = self
            .answered(request)
            .await
            .context("sending an instance")?;
        let status = answer["Status"].as_str();
        status
            .map(str::to_owned)
            .context("an instance without a status")
    }

    /// Deletes a patient with all studies, whose identifiers it gives.
    pub(super) async fn delete_patient(&self, patient: u32) -> Result<Vec<String>> {
        let wanted = format!("P{patient:04}");
        for found in self
            .get("patients?expand")
            .await?
            .as_array()
            .into_iter()
            .flatten()
        {
            if found["MainDicomTags"]["PatientID"] != wanted.as_str() {
                continue;
            }
            let id = found["ID"].as_str().context("a patient without an ID")?;
            let studies = self.get(&format!("patients/{id}/studies")).await?;
            let studies = studies.as_array().into_iter().flatten();
            let uids = studies.map(|study| {
                let uid = study["MainDicomTags"]["StudyInstanceUID"].as_str();
                uid.map(str::to_owned)
                    .context("a study without its identifier")
            });
            let uids = uids.collect::<Result<Vec<String>>>()?;
            let request = self
                .client
                .delete(format!("{}/patients/{id}", self.base_url));
            self.answered(request).await.context("deleting a patient")?;
            return Ok(uids);
        }
        bail!("there is no patient {wanted}")
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.answered(self.client.get(format!("{}/{path}", self.base_url)))
            .await
    }

    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let answer = request.basic_auth(USER, Some(PASSWORD)).send().await?;
        let body = answer.error_for_status()?.bytes().await?;
        serde_json::from_slice(&body).context("Orthanc's answer")
    }
}

/// Debian's package, if the program is not there.
async fn install() -> Result<()> {
    let is_there = Command::new("Orthanc")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    if is_there.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    say("live orthanc: installing Debian's package `orthanc` (as root)");
    for words in [
        &["update", "-q"][..],
        &["install", "-y", "-q", "--no-install-recommends", "orthanc"][..],
    ] {
        let mut command = Command::new("apt-get");
        command
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        let status = command.status().await.context("starting apt-get")?;
        ensure!(
            status.success(),
            "apt-get {} ended with {status}; as root: apt-get install orthanc",
            words.join(" ")
        );
    }
    // The package starts a server of its own; this one is ours alone.
    Ok(())
}
