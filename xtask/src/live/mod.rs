//! `cargo xtask live sekmet`: the release binary between a real FHIR server and a receiver.
//!
//! Everything else in this workspace is tested against servers that we wrote, and a server that we wrote agrees with us. sekmet-fhir was
//! written by others. The task installs it, runs `rounds run` with `examples/fhir-appointments.yaml` against it, lets appointments live their
//! lives ([`story`]), and compares the server's own history with the notifications received ([`verdict`]).
//!
//! # What had to be told
//!
//! A search shows the *current* version of a record, so a version that is replaced within one round cannot be seen by any poller. Which
//! versions had to be told is therefore computed from the server's history: those that were never replaced, and those that stood longer than
//! [`verdict::SURELY_SEEN`]. What stood shorter may be told, once. The story waits after each step until what is now current was told, so
//! that only its last part, sekmet's own scenario run at full speed, leaves versions behind that nobody could see.
//!
//! The server lets in who has a token of SMART Backend Services, and its tokens live three seconds. Two more actions ask for the same records by
//! their history and by Bulk exports, over the connector file; the one by history must tell of a deletion as well. At the end `rounds probe` must say of this server what the docs
//! show.
//!
//! # What the real server taught
//!
//! - A search link is built from the configured `base_url` and not from the request: settings and address must agree.
//! - Next links carry an `_offset` into a live result. A record that changes while pages are read moves to the end and shifts the others by
//!   one, so that one record slips past the page boundary. Only the overlap of the next round brings it back: a time cursor without overlap
//!   loses it. The copy of the example asks for pages of two, so that this happens here.
//! - An unknown search parameter is ignored, with an `OperationOutcome` as one more entry (`search.mode` is `outcome`); `_include` adds entries
//!   of other types. `records` must choose.
//! - `_lastUpdated` is compared at millisecond precision: more digits in the request are cut off. `ge` includes equal.
//! - A PUT with nothing changed makes a new version all the same. By `meta.versionId` that is a change, by fingerprint it would not be.
//! - A rescheduled appointment is two records: the old one is cancelled, and a new one is booked.
//! - A deleted appointment vanishes from searches and is seen in `_history` only, so the story deletes none.
//! - The order without `_sort` is not by time.
//! - Its exports do not say what was deleted, and ending one (DELETE) wants more than `system/*.read`: the answer is 403, and it goes on.

mod clinosim;
mod configuration;
mod json_server;
mod medplum;
mod node;
mod orthanc;
mod probe;
mod python;
mod redox;
mod sekmet;
mod stage;
mod story;
mod verdict;
mod written;

pub(crate) use clinosim::clinosim;
pub(crate) use json_server::json_server;
pub(crate) use medplum::medplum;
pub(crate) use orthanc::orthanc;

use crate::{give, say};
use anyhow::{Context, Result, ensure};
use rounds_testkit::receiver::{FakeReceiver, Fate, SigningSecret};
use std::fs;
use std::path::Path;
use story::Story;
use verdict::{Telling, Verdict};

/// What becomes of the servers' data when all went well. After a failure it stays. Logs always stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    RemoveWhenClean,
    Keep,
}

/// Where the example's action tells.
const SEARCH_HOOK: &str = "live";
/// Where the actions over the connector tell: by history, and by Bulk export.
const HOOKS_BESIDE: [&str; 2] = [HISTORY_HOOK, "bulk"];
/// The one of which deletions are told. This server's exports have no `deleted` in their manifest.
const HISTORY_HOOK: &str = "history";

/// Only this test's receiver knows it, and it guards made-up patients.
const SIGNING_SECRET: &str = "whsec_Zm9yIHRoZSBsaXZlIHRlc3QsIGFuZCBubyBzZWNyZXQh";

/// Runs it all. Prints the one line of the result, also when something was lost or repeated.
pub(crate) async fn sekmet(data: Data) -> Result<()> {
    say("live sekmet: building the release binary");
    let program = crate::shared::build::release_binary().await?;
    let live = program.target_folder.join("live");
    let folder = live.join("sekmet");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    say(&format!("live sekmet: logs in {}", folder.display()));

    let rounds = configuration::Rounds {
        executable: program.executable,
        folder: folder.clone(),
    };
    let installation = sekmet::Installation::ready(&live).await?;
    let access = sekmet::Access::Smart {
        jwks: rounds.keys().await?,
    };
    let mut server = installation.start(&folder, &access).await?;
    let secret = SigningSecret::parse(SIGNING_SECRET).context("the test's signing secret")?;
    let receiver = FakeReceiver::builder()
        .signing_secret(secret)
        .start()
        .await?;
    let beside = HOOKS_BESIDE.map(|name| (name, receiver.url(name)));
    let hook = receiver.url(SEARCH_HOOK);
    let redox = receiver.url(redox::HOOK);
    configuration::adapt(&folder, &server.base_url, &hook, &beside, &redox)?;

    let told = Story::new(&mut server, &receiver, &rounds).run().await;
    let verdict = match judge(&server, &receiver, SEARCH_HOOK).await {
        Ok(verdict) => verdict,
        // Without a history there is no verdict; where the story failed too, that is the reason.
        Err(error) => return told.and(Err(error)),
    };
    give(&format!("live sekmet: {verdict}"));
    for remark in verdict.remarks() {
        say(&format!("live sekmet: {remark}"));
    }
    let told = told?;
    ensure!(verdict.is_clean(), "what was notified is not what happened");
    for hook in HOOKS_BESIDE {
        let verdict = judge(&server, &receiver, hook).await?;
        give(&format!("live sekmet {hook}: {verdict}"));
        for remark in verdict.remarks() {
            say(&format!("live sekmet {hook}: {remark}"));
        }
        ensure!(
            verdict.is_clean(),
            "what was notified by {hook} is not what happened"
        );
    }
    let deletions = told_as_deleted(&receiver)?;
    give(&format!(
        "live sekmet deletions: deleted={} told={}",
        told.deleted.len(),
        deletions.len()
    ));
    ensure!(
        deletions == told.deleted,
        "the deletions that were told are not those that happened"
    );
    let wrong = told.events.wrong(&receiver)?;
    give(&format!(
        "live sekmet redox: events={} wrong={}",
        told.events.count(),
        wrong.len()
    ));
    ensure!(wrong.is_empty(), "events of Redox: {}", wrong.join("; "));
    let tokens = server.tokens()?;
    give(&format!("live sekmet smart: tokens={tokens} lifetime_s=3"));
    ensure!(tokens >= 3, "the story should outlive several tokens");
    probe::compare(&rounds).await?;
    let fewest = story::FEWEST_CHANGES;
    ensure!(
        verdict.changes >= fewest,
        "the story makes at least {fewest} changes that stay, and only {} are known",
        verdict.changes
    );
    receiver.stop().await;
    server.stop().await?;
    if data == Data::RemoveWhenClean {
        remove(&folder.join("rounds-data"))?;
        remove(&folder.join("data"))?;
    }
    Ok(())
}

fn remove(data: &Path) -> Result<()> {
    fs::remove_dir_all(data).with_context(|| format!("removing {}", data.display()))
}

async fn judge(server: &sekmet::Server, receiver: &FakeReceiver, hook: &str) -> Result<Verdict> {
    let history = server.history().await?;
    let mut verdict = Verdict::of(&history, &tellings(receiver, hook)?);
    for received in receiver.attempts() {
        if let Fate::Refused(reason) = &received.fate {
            verdict.add(format!("an attempt was refused by the receiver: {reason}"));
        }
    }
    Ok(verdict)
}

/// What a hook of the receiver took, in the order of arrival, deletions left out.
fn tellings(receiver: &FakeReceiver, hook: &str) -> Result<Vec<Telling>> {
    let bodies = bodies(receiver, hook)?;
    let there = bodies.iter().filter(|body| body["change"] != "deleted");
    there.map(Telling::read).collect()
}

/// The appointments of which the history said that they are gone.
fn told_as_deleted(receiver: &FakeReceiver) -> Result<Vec<String>> {
    let bodies = bodies(receiver, HISTORY_HOOK)?;
    let gone = bodies.iter().filter(|body| body["change"] == "deleted");
    gone.map(|body| {
        let id = body["appointment"]["id"].as_str();
        id.map(str::to_owned).context("a deletion without an id")
    })
    .collect()
}

fn bodies(receiver: &FakeReceiver, hook: &str) -> Result<Vec<serde_json::Value>> {
    let taken = receiver.taken();
    let of_hook = taken.iter().filter(|received| received.hook == hook);
    of_hook
        .map(|received| received.json().context("a notification is not JSON"))
        .collect()
}
