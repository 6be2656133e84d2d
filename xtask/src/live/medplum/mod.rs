//! `cargo xtask live medplum`: a server whose searches give a page, say that there is more, and have no link to it.
//!
//! Medplum's own FHIR router runs in memory behind a bridge of a few lines (`bridge.mjs`). The configuration is what people write for any FHIR
//! server, pages by the next link included. 250 appointments are made in a burst, 130 of them are changed in another, some twice,
//! and 30 are deleted. Each burst is more than a page of 100, and within the overlap: who takes the first page for all stays at its end for ever.
//! Deletions show only by a complete sweep.
//!
//! # What the real server taught
//!
//! - Its bundles have `total` and no `link` at all, not even a self link. `_offset` works, and a page beyond the end has no `entry`.
//! - Versions are UUIDs: which of two is newer cannot be read off them.
//! - A deleted resource answers 404, as one that never was.

mod server;

use super::Data;
use super::stage::{Ground, Stage};
use super::written::Written;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// More than two pages.
const MADE: usize = 250;
/// More than a page.
const CHANGED: usize = 130;
/// Those of them that are changed once more in the same burst, so that no round may see what was between.
const CHANGED_TWICE: usize = 20;
const DELETED: usize = 30;

/// Runs it all. Prints the one line of the result, also when something was lost or repeated.
pub(crate) async fn medplum(data: Data) -> Result<()> {
    let ground = Ground::ready("medplum").await?;
    let packages = server::packages(&ground.live).await?;
    let server = server::start(&packages, &ground.folder).await?;
    let mut stage = Stage::set(ground, server, Written::default(), config).await?;
    stage.asked("some polls", is_poll).await?;

    let mut appointments = Vec::new();
    for number in 0..MADE {
        let begun = stage.now();
        let made = server::create(&stage.server, number).await?;
        keep(&mut stage, begun, &made)?;
        appointments.push(made);
    }
    server::must_give_no_links(&stage.server, MADE).await?;
    stage.told("250 are made in a burst").await?;

    for (comment, count) in [("moved", CHANGED), ("moved again", CHANGED_TWICE)] {
        for appointment in appointments.iter_mut().take(count) {
            let begun = stage.now();
            *appointment = server::replace(&stage.server, appointment, comment).await?;
            keep(&mut stage, begun, appointment)?;
        }
    }
    stage
        .told("130 are changed in a burst, 20 of them twice")
        .await?;

    // Only what a sweep has shown can be missed by the next.
    stage.asked("a whole sweep", is_sweep).await?;
    // From all parts of the list: of those that were changed, and of those that were not.
    for appointment in appointments.iter().step_by(MADE / DELETED).take(DELETED) {
        let id = appointment["id"].as_str().context("without an id")?;
        let begun = stage.now();
        server::delete(&stage.server, id).await?;
        let span = stage.since(begun);
        stage.written.deletion(id, span);
    }
    stage.told("30 are deleted").await?;
    stage.judge(data, held).await
}

fn keep(stage: &mut Stage, begun: jiff::Timestamp, kept: &Value) -> Result<()> {
    let key = super::verdict::Key::of(kept)?;
    let span = stage.since(begun);
    stage.written.version(&key.id, &key.version, span);
    Ok(())
}

/// What the server says of every appointment that was ever made.
async fn held(stage: &Stage) -> Result<BTreeMap<String, String>> {
    let there = stage.written.current();
    let ids = there.keys().copied().chain(stage.written.gone());
    let mut held = BTreeMap::new();
    for id in ids {
        if let Some(version) = server::version(&stage.server, id).await? {
            held.insert(id.to_owned(), version);
        }
    }
    Ok(held)
}

/// Whether a line of the server's log is the first request of a round.
fn is_poll(line: &str) -> bool {
    line.contains("_lastUpdated=ge") && !line.contains("_offset=")
}

/// The same of a sweep, which asks from the beginning of time on.
fn is_sweep(line: &str) -> bool {
    is_poll(line) && line.contains("_lastUpdated=ge1970")
}

/// The same query in two actions: alone, and with a sweep.
fn config(base_url: &str, destinations: &str) -> String {
    let action = |name: &str, sweep: &str| {
        format!(
            r#"  {name}:
    connection: project
    every: 1s
    changes:
      get: /Appointment
      query: {{ _lastUpdated: "ge{{{{ cursor }}}}", _sort: _lastUpdated, _count: 100 }}
      cursor: {{ time: rfc3339, field: .meta.lastUpdated, overlap: 2m }}
      start: beginning
      paging: {{ next_link: '.link[]? | select(.relation == "next") | .url', offset_parameter: _offset }}
      records: fhir_matches
      id: .id
      version: .meta.versionId
{sweep}    notify: {{ body: {{ change: = .change.kind, id: = .record.id, version: = .record.meta.versionId }} }}
    to: {name}
"#
        )
    };
    format!(
        "connections:\n  project: {{ base_url: {base_url}, headers: {{ accept: application/fhir+json }} }}\nactions:\n{}{}{destinations}",
        action("changes", ""),
        action(
            "swept",
            "    reconcile: { every: 3s, deletions: told, hold_back: 50% }\n"
        ),
    )
}
