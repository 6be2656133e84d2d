//! json-server over a file with appointments: started on loopback, driven by its own HTTP API.

use crate::live::node::{Packages, Server};
use crate::live::sekmet::free_port;
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tokio::process::Command;

const PACKAGES: [&str; 1] = ["json-server@0.17.4"];
const PROGRAM: &str = "node_modules/json-server/lib/cli/bin.js";
/// How late it answers everything, in milliseconds, as over a network. A page is then old by some rows when the next is asked for.
const DELAY: &str = "30";

/// One appointment.
pub(super) struct Row {
    pub(super) number: u32,
    pub(super) revision: u32,
    pub(super) updated: Timestamp,
}

impl Row {
    pub(super) fn id(&self) -> String {
        self.number.to_string()
    }

    pub(super) fn version(&self) -> String {
        self.revision.to_string()
    }

    pub(super) fn edit(&mut self, now: Timestamp) {
        self.revision += 1;
        self.updated = now;
    }

    fn json(&self) -> Value {
        // Always three digits: the server compares them as text.
        let updated = self.updated.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        json!({
            "id": self.number,
            "revision": self.revision,
            "updated": updated,
            "room": self.number % 7,
        })
    }

    fn read(row: &Value) -> Result<Self> {
        let number = |key: &str| {
            let number = row[key]
                .as_u64()
                .and_then(|number| u32::try_from(number).ok());
            number.with_context(|| format!("a row without `{key}`"))
        };
        let updated = row["updated"].as_str().context("a row without `updated`")?;
        Ok(Self {
            number: number("id")?,
            revision: number("revision")?,
            updated: updated.parse().context("when a row was updated")?,
        })
    }
}

/// Its package, installed.
pub(super) async fn packages(live: &Path) -> Result<Packages> {
    Packages::ready(live, "json-server", &PACKAGES).await
}

/// Starts it with these rows.
pub(super) async fn start(packages: &Packages, folder: &Path, rows: &[Row]) -> Result<Server> {
    let port = free_port()?;
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let file = json!({ "appointments": rows });
    fs::write(folder.join("db.json"), file.to_string()).context("writing db.json")?;
    let mut command = Command::new("node");
    command
        .arg(packages.place(PROGRAM))
        .args(["--host", "127.0.0.1", "--delay", DELAY, "--port"])
        .arg(port.to_string())
        .arg("db.json")
        .current_dir(folder);
    let base_url = format!("http://127.0.0.1:{port}");
    Server::start("json-server", command, folder, base_url, "/appointments/1").await
}

pub(super) async fn put(server: &Server, row: &Row) -> Result<()> {
    let path = format!("/appointments/{}", row.number);
    let done = server.done(Method::PUT, &path, Some(&row.json())).await?;
    ensure!(done.body == row.json(), "PUT {path} kept something else");
    Ok(())
}

pub(super) async fn delete(server: &Server, row: &Row) -> Result<()> {
    let path = format!("/appointments/{}", row.number);
    server.done(Method::DELETE, &path, None).await.map(drop)
}

/// All rows that it holds.
pub(super) async fn all(server: &Server) -> Result<Vec<Row>> {
    let answer = server.done(Method::GET, "/appointments", None).await?;
    let rows = answer.body.as_array().cloned().unwrap_or_default();
    rows.iter().map(Row::read).collect()
}

/// An error unless its first page has a link with the number of the second, which is what this server is asked for.
pub(super) async fn must_number_its_pages(server: &Server, total: u32) -> Result<()> {
    let path = "/appointments?_sort=updated&_page=1&_limit=10";
    let answer = server.done(Method::GET, path, None).await?;
    let header = |name: &str| {
        let value = answer.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let next = header("link")
        .split(',')
        .find(|link| link.contains("rel=\"next\""));
    ensure!(
        next.is_some_and(|next| next.contains("_page=2"))
            && header("x-total-count") == total.to_string(),
        "a page gives the link {:?} and the count {:?}; this test is about one whose next link has a page number",
        header("link"),
        header("x-total-count")
    );
    Ok(())
}

/// Whether a line of its log is the first request of a sweep.
pub(super) fn is_sweep(line: &str) -> bool {
    line.contains("GET /appointments?")
        && line.contains("_page=1&")
        && !line.contains("updated_gte")
}
