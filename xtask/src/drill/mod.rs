//! `cargo xtask drill kill`: the release binary is killed again and again, and the receiver may not notice more than it must.
//!
//! `rounds run` stands between an EHR and a receiver of the test kit, over real HTTP. Appointments change all the while; both ends refuse and
//! dawdle now and then. After a time drawn from the seed the binary gets SIGKILL, and is started again over the same data. After the last
//! kill everything is well, the hospital rests, and Rounds may finish. Then the [oracle](rounds_testkit::oracle) judges.
//!
//! | in the line | meaning |
//! |---|---|
//! | changes | made at the hospital; a version that was replaced before a round came need not be told |
//! | lost | the latest version of a record did not come to a destination |
//! | `repeated_ids` | a version came under a second notification id |
//! | redelivered | a notification came again under its id |
//! | reordered | a version came after a later one of its record |
//! | `recovery_ms_p99` | from the start of a life until the EHR got its first request of that life |
//!
//! Counts are sums over two destinations, each judged apart.
//!
//! # Why redelivered is not zero, and what bounds it
//!
//! A kill can fall between the receiver's 2xx and the commit that records it. The next life cannot know that, and sends the same id again. Only
//! attempts that were under way at the kill can suffer this: at most `in_flight` of a destination for each kill. The drill's receiver never takes
//! a notification and hides it, and its delays are far below all timeouts, so that kills are the only cause, and more than the bound is an error.
//!
//! # What to mind
//!
//! - The seed fixes the moments, the faults and the kinds of change. It does not fix how far the program gets in so many milliseconds: a run
//!   is not replayed by its seed, only resembled.
//! - Recovery contains what is left of the interval: a life that starts 300 ms after a round asks again when the second is over. Lives that were
//!   killed before their first request have no recovery time, so the figure comes from those that lived long enough; the last life, which
//!   nobody kills, must ask.
//! - A request of a killed life may still lie in a socket when the next one starts. Each life therefore sends its number as its credential.
//! - Pages are cut from a live result. The order by id and the overlap make that safe: a change during a drain can only add to the result,
//!   and what it adds is younger than the overlap.
//! - Records are there from the beginning and all are to be told, so that every kill counts from the first on.

mod configuration;
mod faults;
mod first_run;
mod verdict;

pub(crate) use first_run::first_run;

use crate::shared::build::release_binary;
use crate::shared::process::Process;
use crate::shared::wait::{Look, pause, wait_for};
use crate::{give, say};
use anyhow::{Context, Result, ensure};
use configuration::Rounds;
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Paging, RecordOrder};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::oracle::Arrival;
use rounds_testkit::random::Random;
use rounds_testkit::receiver::{FakeReceiver, Fate, SigningSecret};
use rounds_testkit::traffic::Traffic;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;
use verdict::Verdict;

/// The header in which a life tells its number.
const LIFE_HEADER: &str = "x-drill-life";
/// Only this drill's receiver knows it, and it guards made-up patients.
const SIGNING_SECRET: &str = "whsec_Zm9yIHRoZSBraWxsIGRyaWxsLCBhbmQgbm8gc2VjcmV0ISE=";

const PATIENTS: usize = 40;
/// Below what the overlap brings again, so that rounds have several pages.
const RECORDS_PER_PAGE: usize = 40;
/// Bursts of one to three changes, this far apart.
const BETWEEN_BURSTS: Duration = Duration::from_millis(150);
/// How long the last life may take until all is told.
const PATIENCE: Duration = Duration::from_mins(2);
/// How many requests are watched for repetitions when all was told: some rounds of several pages.
const REQUESTS_AFTERWARDS: u64 = 12;
/// A life is at most two seconds; the rest is for starting and ending processes on a busy machine.
const LONGEST_LIFE: Duration = Duration::from_secs(10);
/// How often it is said how far the drill is.
const KILLS_BETWEEN_NEWS: u32 = 10;

/// Runs it all. Prints the one line of the result, also when something was lost or repeated.
pub(crate) async fn kill(kills: u32, seed: Option<u64>) -> Result<()> {
    let hospital_clock = system_clock();
    let seed = seed.unwrap_or_else(|| hospital_clock().as_microsecond().unsigned_abs());
    say(&format!(
        "drill kill: seed {seed}; building the release binary"
    ));
    let program = release_binary().await?;
    let folder = program.target_folder.join("drill").join("kill");
    make_empty(&folder)?;

    let mut random = Random::from_seed(seed);
    let hospital = Hospital::new(random.next_bits(), hospital_clock);
    for _ in 0..PATIENTS {
        hospital.admit_anyone();
    }
    let ehr = FakeEhr::builder(hospital)
        .paging(Paging::LinkHeader, RECORDS_PER_PAGE)
        .order(RecordOrder::ById)
        .log_capacity(1_000_000)
        .start()
        .await?;
    let secret = SigningSecret::parse(SIGNING_SECRET).context("the drill's signing secret")?;
    let receiver = FakeReceiver::builder()
        .signing_secret(secret)
        .capacity(1_000_000)
        .start()
        .await?;
    configuration::write(&folder, &ehr.base_url(), |name| receiver.url(name))?;
    let kept = format!("log and data are kept in {}", folder.display());
    let mut drill = Drill {
        kills,
        rounds: Rounds {
            executable: program.executable,
            folder: folder.clone(),
        },
        ehr,
        receiver,
        started: BTreeMap::new(),
    };

    let ran = drill.run(&mut random).await;
    let verdict = drill.verdict();
    give(&verdict.to_string());
    let judged = drill.judge(&verdict);
    if ran.is_err() || judged.is_err() {
        for line in verdict.details() {
            say(&line);
        }
    }
    ran.with_context(|| kept.clone())?;
    judged.with_context(|| kept)?;
    drill.ehr.stop().await;
    drill.receiver.stop().await;
    let data = folder.join("rounds-data");
    fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))
}

fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

struct Drill {
    kills: u32,
    rounds: Rounds,
    ehr: FakeEhr,
    receiver: FakeReceiver,
    /// When each life began, by its number from 1.
    started: BTreeMap<u32, jiff::Timestamp>,
}

impl Drill {
    async fn run(&mut self, random: &mut Random) -> Result<()> {
        let traffic_seed = random.next_bits();
        let hospital = self.ehr.hospital().clone();
        let limit = LONGEST_LIFE * self.kills;
        tokio::select! {
            () = change_always(hospital, traffic_seed) => unreachable!("traffic has no end"),
            lived = tokio::time::timeout(limit, self.lives(random)) => {
                lived.with_context(|| format!("the kills took longer than {} s", limit.as_secs()))??;
            }
        }
        faults::heal(&self.ehr, &self.receiver);
        let mut last = self.start(self.kills + 1)?;
        self.finish(&mut last).await?;
        last.kill().await
    }

    /// As many lives as there are kills.
    async fn lives(&mut self, random: &mut Random) -> Result<()> {
        for life in 1..=self.kills {
            faults::draw(random, &self.ehr, &self.receiver);
            let mut process = self.start(life)?;
            pause(life_length(random)).await;
            // Who is dead before the kill did not die of it.
            process.still_runs()?;
            process.kill().await?;
            if life % KILLS_BETWEEN_NEWS == 0 {
                let (kills, changes) = (self.kills, self.ehr.hospital().history().len());
                let taken = self.receiver.taken().len();
                say(&format!(
                    "drill kill: {life} of {kills} kills, {changes} changes, {taken} notifications taken"
                ));
            }
        }
        Ok(())
    }

    fn start(&mut self, life: u32) -> Result<Process> {
        self.started.insert(life, self.ehr.hospital().now());
        self.rounds.start(life)
    }

    /// Waits until all is told and nothing is open, and then some rounds more.
    async fn finish(&self, last: &mut Process) -> Result<()> {
        say("drill kill: no more kills and faults; waiting until all is told");
        wait_for("Rounds to finish", PATIENCE, async || {
            last.still_runs()?;
            let lost = self.verdict().lost();
            if lost > 0 {
                return Ok(Look::NotYet(format!("{lost} versions are not told")));
            }
            let unfinished = self.rounds.unfinished().await?;
            Ok(if unfinished == 0 {
                Look::There(())
            } else {
                Look::NotYet(format!(
                    "{unfinished} containers and deliveries are open or dead"
                ))
            })
        })
        .await?;
        let requests = self.ehr.total_requests() + REQUESTS_AFTERWARDS;
        self.ehr.wait_for_requests(requests, PATIENCE).await?;
        last.still_runs()
    }

    fn verdict(&self) -> Verdict {
        let history = self.ehr.hospital().history();
        let taken = self.receiver.taken();
        let arrivals = |name: &str| -> Vec<Arrival> {
            let here = taken.iter().filter(|received| received.hook == name);
            here.map(|received| received.arrival()).collect()
        };
        let recoveries: Vec<Duration> = self.recoveries().into_values().collect();
        Verdict::of(self.kills, &history, arrivals, &recoveries)
    }

    fn judge(&self, verdict: &Verdict) -> Result<()> {
        let recoveries = self.recoveries();
        say(&format!(
            "drill kill: {} of {} lives after a kill asked the EHR",
            recoveries.len(),
            self.kills
        ));
        ensure!(verdict.is_clean(), "what was notified is not what happened");
        ensure!(
            recoveries.contains_key(&(self.kills + 1)),
            "the last life never asked the EHR"
        );
        let attempts = self.receiver.attempts();
        let unsigned = attempts.iter().filter(|received| {
            matches!(&received.fate, Fate::Refused(reason) if *reason != rounds_testkit::receiver::RefusalReason::Scripted)
        });
        let unsigned = unsigned.count();
        ensure!(unsigned == 0, "{unsigned} attempts had no valid signature");
        Ok(())
    }

    /// How long each life after a kill took to its first request, for those that made one.
    fn recoveries(&self) -> BTreeMap<u32, Duration> {
        let mut first_requests = BTreeMap::new();
        for request in self.ehr.requests() {
            let life = request.headers.get(LIFE_HEADER);
            let life = life.and_then(|life| life.to_str().ok()?.parse::<u32>().ok());
            if let Some(life) = life {
                first_requests.entry(life).or_insert(request.at);
            }
        }
        // The first life comes after no kill.
        let after_a_kill = self.started.iter().filter(|(life, _)| **life > 1);
        let recovered = after_a_kill.filter_map(|(life, started)| {
            let asked = first_requests.get(life)?;
            Some((*life, asked.duration_since(*started).unsigned_abs()))
        });
        recovered.collect()
    }
}

/// From 5 ms to 2 s; a third within the start, a third around the first round, a third while rounds, lookups and deliveries go on.
fn life_length(random: &mut Random) -> Duration {
    let (shortest, longest) = match random.below(3) {
        0 => (5, 100),
        1 => (100, 500),
        _ => (500, 2_000),
    };
    Duration::from_millis(shortest + random.below(longest - shortest))
}

/// Changes, until nobody waits for it any more.
async fn change_always(hospital: Hospital, seed: u64) {
    let mut random = Random::from_seed(seed);
    let mut traffic = Traffic::new(hospital, random.next_bits());
    loop {
        for _ in 0..=random.below(3) {
            traffic.step(|_any| true);
        }
        pause(BETWEEN_BURSTS).await;
    }
}
