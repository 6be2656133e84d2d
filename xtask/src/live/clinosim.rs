//! `cargo xtask live clinosim`: a change set that is known.
//!
//! clinosim makes a hospital's records up, for a span of days and from a seed. One day longer, the same hospital has 109
//! resources more and 19 changed ones: exactly those must be notified, out of 3,461 that are there, over every resource type that the
//! server has, each an action of its own. The first snapshot is told from the beginning, so a record that is told again
//! afterwards is one too many.

use super::python::{Environment, output};
use super::sekmet::{Access, Installation, Server};
use super::{Data, SIGNING_SECRET, configuration, remove};
use crate::shared::wait::{Look, pause, wait_for};
use crate::{give, say};
use anyhow::{Context, Result, ensure};
use rounds_testkit::receiver::{FakeReceiver, SigningSecret};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

const REQUIREMENTS: &str = include_str!("../../clinosim-requirements.txt");
/// How many resources one batch loads.
const BATCH: usize = 200;
/// The whole first snapshot is told, and then the differences.
const TELLING_LIMIT: Duration = Duration::from_mins(5);
/// Long enough for several rounds of every action: whatever is told too much comes in it.
const QUIET: Duration = Duration::from_secs(8);

/// A resource's type and id.
type Key = (String, String);

/// Runs it all. Prints the one line of the result, also when something was lost or repeated.
pub(crate) async fn clinosim(data: Data) -> Result<()> {
    say("live clinosim: building the release binary");
    let program = crate::shared::build::release_binary().await?;
    let live = program.target_folder.join("live");
    let folder = live.join("clinosim");
    if folder.exists() {
        remove(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    say(&format!("live clinosim: logs in {}", folder.display()));

    let environment = Environment::ready(&live, "clinosim", REQUIREMENTS).await?;
    let (first, differences) = make(&environment, &folder).await?;
    let server = Installation::ready(&live)
        .await?
        .start(&folder, &Access::Open)
        .await?;
    say(&format!("live clinosim: loading {} resources", first.len()));
    load(&server, &first).await?;

    let secret = SigningSecret::parse(SIGNING_SECRET).context("the test's signing secret")?;
    let receiver = FakeReceiver::builder()
        .signing_secret(secret)
        .capacity(100_000)
        .start()
        .await?;
    // It keeps and finds types that its capability statement does not have.
    let mut types: BTreeSet<String> = server.resource_types().await?.into_iter().collect();
    let first_keys: BTreeSet<Key> = first.iter().map(key_of).collect::<Result<_>>()?;
    types.extend(first_keys.iter().map(|(kind, _)| kind.clone()));
    let text = config(&types, &server.base_url, &receiver.url("live"))?;
    fs::write(folder.join("rounds.yaml"), text).context("writing rounds.yaml")?;
    let rounds = configuration::Rounds {
        executable: program.executable,
        folder: folder.clone(),
    };
    let mut running = rounds.start()?;
    say(&format!(
        "live clinosim: {} resource types, an action each; telling what is there",
        types.len()
    ));
    let mut all_are_told = async |keys: &BTreeSet<Key>, since: usize, what: &str| {
        wait_for(what, TELLING_LIMIT, async || {
            running.still_runs()?;
            let told = told_since(&receiver, since)?;
            let left = keys.iter().filter(|key| !told.contains_key(*key)).count();
            Ok(if left == 0 {
                Look::There(())
            } else {
                Look::NotYet(format!("{left} of {} were not told", keys.len()))
            })
        })
        .await
    };
    all_are_told(&first_keys, 0, "the first snapshot to be told").await?;
    pause(QUIET).await;
    let before = receiver.taken().len();
    let repeated_before = before - told_since(&receiver, 0)?.len();

    say(&format!("live clinosim: {} changes", differences.len()));
    load(&server, &differences).await?;
    let expected: BTreeSet<Key> = differences.iter().map(key_of).collect::<Result<_>>()?;
    let arrived = all_are_told(&expected, before, "the differences to be told").await;
    pause(QUIET).await;

    let told = told_since(&receiver, before)?;
    let notified = (expected.iter())
        .filter(|key| told.contains_key(*key))
        .count();
    let missing = expected.len() - notified;
    let extra = told.values().sum::<usize>() - notified + repeated_before;
    give(&format!(
        "live clinosim: expected={} notified={notified} missing={missing} extra={extra}",
        expected.len()
    ));
    arrived?;
    ensure!(
        missing == 0 && extra == 0,
        "what was notified is not what changed"
    );
    running.kill().await?;
    receiver.stop().await;
    server.stop().await?;
    if data == Data::RemoveWhenClean {
        remove(&folder.join("rounds-data"))?;
        remove(&folder.join("data"))?;
    }
    Ok(())
}

/// Which resources the receiver took, and how often, leaving out what it took first.
fn told_since(receiver: &FakeReceiver, taken_before: usize) -> Result<BTreeMap<Key, usize>> {
    let mut told = BTreeMap::new();
    for received in receiver.taken().iter().skip(taken_before) {
        let body = received.json().context("a notification is not JSON")?;
        *told.entry(key_of(&body["resource"])?).or_default() += 1;
    }
    Ok(told)
}

/// Both snapshots' resources: those of the first, and those that are other in the second.
async fn make(environment: &Environment, folder: &Path) -> Result<(Vec<Value>, Vec<Value>)> {
    let made = |day: &str| folder.join(format!("until-{day}"));
    for day in ["20", "21"] {
        let mut command = environment.command("clinosim");
        command
            .args(["simulate", "-o"])
            .arg(made(day))
            .args(["-p", "300", "-s", "5", "--start", "2026-09-01"])
            .args(["--end", &format!("2026-09-{day}"), "--format", "fhir-r4"])
            .current_dir(folder);
        output(command).await.context("simulating a hospital")?;
    }
    let bundle = folder.join("differences.json");
    let mut command = environment.command("clinosim");
    command
        .arg("diff")
        .arg("--old")
        .arg(made("20").join("fhir_r4"))
        .arg("--new")
        .arg(made("21").join("fhir_r4"))
        .arg("--output-bundle")
        .arg(&bundle)
        .current_dir(folder);
    output(command).await.context("comparing two snapshots")?;

    let mut first = Vec::new();
    let files = fs::read_dir(made("20").join("fhir_r4")).context("listing the snapshot")?;
    for file in files {
        let path = file.context("listing the snapshot")?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "ndjson")
        {
            for line in fs::read_to_string(&path)?.lines() {
                let resource = serde_json::from_str(line);
                first.push(resource.with_context(|| format!("reading {}", path.display()))?);
            }
        }
    }
    let bundle: Value = serde_json::from_str(&fs::read_to_string(&bundle)?)?;
    let entries = bundle["entry"].as_array().context("a bundle has entries")?;
    let differences = entries.iter().map(|entry| entry["resource"].clone());
    Ok((first, differences.collect()))
}

/// Puts resources onto the server, each under its own id.
async fn load(server: &Server, resources: &[Value]) -> Result<()> {
    for part in resources.chunks(BATCH) {
        let entries: Vec<Value> = (part.iter())
            .map(|resource| {
                let (kind, id) = key_of(resource)?;
                Ok(json!({
                    "resource": resource,
                    "request": { "method": "PUT", "url": format!("{kind}/{id}") },
                }))
            })
            .collect::<Result<_>>()?;
        let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": entries });
        server.batch(&batch).await?;
    }
    Ok(())
}

fn key_of(resource: &Value) -> Result<Key> {
    let text = |key: &str| {
        let text = resource[key].as_str().map(str::to_owned);
        text.with_context(|| format!("a resource without `{key}`"))
    };
    Ok((text("resourceType")?, text("id")?))
}

/// Every resource type is an action.
fn config(types: &BTreeSet<String>, base_url: &str, hook: &str) -> Result<String> {
    let mut text = format!(
        "connections:\n  hospital: {{ base_url: {base_url}, headers: {{ accept: application/fhir+json }} }}\nactions:\n"
    );
    for kind in types {
        let name = kind.to_lowercase();
        write!(
            text,
            r#"  {name}:
    connection: hospital
    every: 2s
    timeout: 2s
    changes:
      get: /{kind}
      query: {{ _lastUpdated: "ge{{{{ cursor }}}}", _sort: _lastUpdated, _count: 100 }}
      cursor: {{ time: rfc3339, field: .meta.lastUpdated, overlap: 5s }}
      start: beginning
      paging: {{ next_link: '.link[]? | select(.relation == "next") | .url' }}
      records: '.entry[]? | select((.search.mode // "match") == "match") | .resource'
      id: .id
      version: .meta.versionId
    notify: {{ body: {{ resource: = .record }} }}
    to: live
"#
        )?;
    }
    write!(
        text,
        "destinations:\n  live:\n    url: {hook}\n    signing_secret: {{ env: MY_APP_SECRET }}\n    allow_addresses: [127.0.0.1]\n    in_flight: 16\n"
    )?;
    Ok(text)
}
