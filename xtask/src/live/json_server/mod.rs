//! `cargo xtask live json-server`: links that hold page numbers, over rows that move all the time.
//!
//! json-server gives rows in the order of their change, ten a page, and the next page as a link with its number. Each row that is edited goes to the
//! end, and each that is deleted leaves a gap: all rows after it move up by one, and the first of the next page is on neither page for whoever
//! reads just then. The change query must tell it all the same, and the sweep must not take it for deleted.
//!
//! For more than half a minute rows are edited and deleted one after the other, while rounds and sweeps of many pages run. Most edits are of a
//! third of the rows, which makes the list move; the others are edited now and then, so that what is missed of them stays missed. The overlap
//! is shorter than the interval: it covers a write that is under way, and brings back few of those that slipped past the end of a page.

mod server;

use super::Data;
use super::stage::{Ground, Stage};
use super::written::{Span, Written};
use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use rounds_testkit::random::Random;
use server::Row;
use std::collections::BTreeMap;

const ROWS: u32 = 120;
/// These are edited most of the time.
const RESTLESS: u32 = 40;
/// One edit in so many is of another row.
const CALM_EDIT: u64 = 4;
/// One step in so many is a deletion instead of an edit.
const DELETION: u64 = 32;
/// How long it goes on.
const UNREST: SignedDuration = SignedDuration::from_secs(35);

/// Runs it all. Prints the one line of the result, also when something was lost or repeated.
pub(crate) async fn json_server(data: Data) -> Result<()> {
    let ground = Ground::ready("json-server").await?;
    let packages = server::packages(&ground.live).await?;
    let now = (rounds_testkit::clock::system_clock())();
    let mut rows = first_rows(now);
    let server = server::start(&packages, &ground.folder, &rows).await?;
    server::must_number_its_pages(&server, ROWS).await?;
    let mut written = Written::default();
    for row in &rows {
        let span = Span {
            begun: now,
            done: now,
        };
        written.version(&row.id(), &row.version(), span);
    }
    let mut stage = Stage::set(ground, server, written, config).await?;
    stage.told("120 are there").await?;
    // Only what a sweep has shown can be missed by the next.
    stage.asked("a whole sweep", server::is_sweep).await?;

    let end = stage.now() + UNREST;
    let mut random = Random::from_seed(4);
    let (mut edits, mut deletions) = (0, 0);
    while stage.now() < end {
        stage.still_run()?;
        let begun = stage.now();
        if random.below(DELETION) == 0 {
            let place = random.below(rows.len() as u64);
            let row = rows.remove(usize::try_from(place)?);
            server::delete(&stage.server, &row).await?;
            let span = stage.since(begun);
            stage.written.deletion(&row.id(), span);
            deletions += 1;
        } else {
            let is_calm = random.below(CALM_EDIT) == 0;
            let mut of_kind: Vec<&mut Row> = (rows.iter_mut())
                .filter(|row| (row.number > RESTLESS) == is_calm)
                .collect();
            let place = usize::try_from(random.below(of_kind.len() as u64))?;
            let row = of_kind.get_mut(place).context("all rows are deleted")?;
            row.edit(begun);
            server::put(&stage.server, row).await?;
            let span = stage.since(begun);
            stage.written.version(&row.id(), &row.version(), span);
            edits += 1;
        }
    }
    stage
        .told(&format!("{edits} edits and {deletions} deletions"))
        .await?;
    stage.judge(data, held).await
}

/// A tenth of a second apart, the last a second ago.
fn first_rows(now: Timestamp) -> Vec<Row> {
    let before = |number: u32| {
        SignedDuration::from_millis(i64::from(ROWS - number) * 100) + SignedDuration::from_secs(1)
    };
    let rows = (1..=ROWS).map(|number| Row {
        number,
        revision: 1,
        updated: now - before(number),
    });
    rows.collect()
}

/// What the server says of all rows, on one page.
async fn held(stage: &Stage) -> Result<BTreeMap<String, String>> {
    let rows = server::all(&stage.server).await?;
    let held = rows.iter().map(|row| (row.id(), row.version()));
    Ok(held.collect())
}

/// A sweep has a request of its own: all rows, in the same order.
const SWEEP: &str = "    reconcile:
      every: 4s
      get: /appointments
      query: { _sort: updated, _page: 1, _limit: 10 }
      deletions: told
      hold_back: 50%
";

/// The same query in two actions: alone, and with a sweep.
fn config(base_url: &str, destinations: &str) -> String {
    let action = |name: &str, sweep: &str| {
        format!(
            r#"  {name}:
    connection: desk
    every: 3s
    changes:
      get: /appointments
      query: {{ updated_gte: "{{{{ cursor }}}}", _sort: updated, _page: 1, _limit: 10 }}
      cursor: {{ time: "%Y-%m-%dT%H:%M:%S%.3fZ", zone: UTC, field: .updated, overlap: 1s }}
      start: beginning
      paging: {{ link_header: next }}
      records: .[]
      id: .id
      version: .revision
{sweep}    notify: {{ body: {{ change: = .change.kind, id: '= .record.id | tostring', version: '= .record.revision | tostring' }} }}
    to: {name}
"#
        )
    };
    format!(
        "connections:\n  desk: {{ base_url: {base_url} }}\nactions:\n{}{}{destinations}",
        action("changes", ""),
        action("swept", SWEEP),
    )
}
