//! `cargo xtask simulate`: many simulated worlds, on all cores, judged by an oracle that knows everything.
//!
//! Each seed is a world of its own (see `rounds-simulation`). The first that is not clean is shown with its findings, and is replayed
//! alone by `--seed`. With `--break NAME` one rule of Rounds is broken on purpose, and it is a failure if the oracle does *not* notice.

use crate::{give, say};
use anyhow::{Context, Result, bail, ensure};
use rounds_simulation::{Break, Finding, Keep, Order, Report, Wrong, simulate};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How much of what is wrong is shown.
const SHOWN_FINDINGS: usize = 12;
/// How many seeds there are between two lines of news.
const SEEDS_BETWEEN_NEWS: u64 = 200;
/// Who breaks something wants to know whether it is noticed, not in how many worlds.
const SEEDS_OF_A_BREAK: u64 = 400;

/// What was counted over all worlds.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    simulated: Duration,
    faults: u64,
    crashes: u64,
    changes: u64,
    lost: u64,
    repeated: u64,
    reordered: u64,
    failed: Vec<(u64, Vec<Finding>)>,
}

impl Sum {
    fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.simulated += report.simulated;
        self.faults += report.faults;
        self.crashes += report.crashes;
        self.changes += report.changes;
        // What never was, what is not finished and a wrong cursor are not shown apart in the line, and are no zero there.
        self.lost += report.count(&[Wrong::Lost, Wrong::Unsettled, Wrong::Cursor]);
        self.repeated += report.count(&[Wrong::Repeated, Wrong::Untrue]);
        self.reordered += report.count(&[Wrong::Reordered]);
        if !report.findings.is_empty() {
            self.failed.push((report.seed, report.findings));
        }
    }
}

/// Runs `seeds` worlds, from seed 0 on.
pub(crate) fn many(seeds: u64, jobs: Option<usize>) -> Result<()> {
    let sum = run(seeds, jobs, None)?;
    give(&format!(
        "simulate: seeds={} simulated_hours={} faults={} crashes={} changes={} lost={} repeated={} reordered={}",
        sum.seeds,
        sum.simulated.as_secs() / 3_600,
        sum.faults,
        sum.crashes,
        sum.changes,
        sum.lost,
        sum.repeated,
        sum.reordered
    ));
    show_failures(&sum);
    ensure!(
        sum.failed.is_empty(),
        "{} of {} worlds are not as they should be",
        sum.failed.len(),
        sum.seeds
    );
    Ok(())
}

/// Runs one world alone and shows everything that happened in it.
pub(crate) fn one(seed: u64, broken: Option<Break>) -> Result<()> {
    let report = simulate(Order {
        seed,
        broken,
        dies_at: None,
        keep: Keep::Lines,
    })?;
    for line in &report.journal {
        say(line);
    }
    let mut sum = Sum::default();
    let is_clean = report.findings.is_empty();
    for finding in &report.findings {
        say(&format!("{finding}"));
    }
    sum.add(report);
    give(&format!(
        "simulate: seeds=1 simulated_hours={} faults={} crashes={} changes={} lost={} repeated={} reordered={}",
        sum.simulated.as_secs() / 3_600,
        sum.faults,
        sum.crashes,
        sum.changes,
        sum.lost,
        sum.repeated,
        sum.reordered
    ));
    ensure!(
        is_clean || broken.is_some(),
        "seed {seed} is not as it should be"
    );
    Ok(())
}

/// Breaks one rule and sees whether the oracle notices.
pub(crate) fn broken(broken: Break, jobs: Option<usize>) -> Result<()> {
    let sum = run(SEEDS_OF_A_BREAK, jobs, Some(broken))?;
    let Some((seed, findings)) = sum.failed.iter().min_by_key(|(seed, _)| *seed) else {
        bail!(
            "`{broken}` was broken in {} worlds and nobody noticed",
            sum.seeds
        );
    };
    let first = findings
        .first()
        .map_or_else(String::new, ToString::to_string);
    give(&format!(
        "simulate: break={broken} caught_by_seed={seed} findings={} first=\"{first}\"",
        findings.len()
    ));
    Ok(())
}

fn show_failures(sum: &Sum) {
    let mut failed: Vec<_> = sum.failed.iter().collect();
    failed.sort_by_key(|(seed, _)| *seed);
    for (seed, findings) in failed.iter().take(5) {
        say(&format!("seed {seed}:"));
        for finding in findings.iter().take(SHOWN_FINDINGS) {
            say(&format!("  {finding}"));
        }
        say(&format!("  replay: cargo xtask simulate --seed {seed}"));
    }
}

/// All worlds, on so many threads. A break ends with the first seeds in which it is noticed.
fn run(seeds: u64, jobs: Option<usize>, broken: Option<Break>) -> Result<Sum> {
    let jobs = jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let next = Arc::new(AtomicU64::new(0));
    let sum = Arc::new(Mutex::new(Sum::default()));
    let workers: Vec<_> = (0..jobs.max(1))
        .map(|_| {
            let (next, sum) = (Arc::clone(&next), Arc::clone(&sum));
            thread::spawn(move || -> Result<()> {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return Ok(());
                    }
                    let report = simulate(Order {
                        seed,
                        broken,
                        dies_at: None,
                        keep: Keep::Digest,
                    })
                    .with_context(|| format!("seed {seed}"))?;
                    let is_noticed = broken.is_some() && !report.findings.is_empty();
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(report);
                    if is_noticed {
                        next.store(seeds, Ordering::Relaxed);
                    }
                    if sum.seeds.is_multiple_of(SEEDS_BETWEEN_NEWS) {
                        say(&format!(
                            "simulate: {} of {seeds} worlds, {} not as they should be",
                            sum.seeds,
                            sum.failed.len()
                        ));
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        match worker.join() {
            Ok(done) => done?,
            Err(_) => bail!("a world panicked; its message is above"),
        }
    }
    let sum = std::mem::take(&mut *sum.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(sum)
}
