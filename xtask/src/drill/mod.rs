//! `cargo xtask drill kill`: the release binary is killed again and again, and the receiver may not notice more than it must.
//!
//! `rounds run` stands between an EHR and a receiver of the test kit, over real HTTP. Appointments change all the while; both ends refuse and
//! dawdle now and then. At a [moment] drawn from the seed the binary gets SIGKILL, and is started again over the same data; a part of the lives
//! is asked to end first, and killed while it drains. After the last kill everything is well, the hospital rests, and Rounds may
//! finish. Then the [oracle](rounds_testkit::oracle) judges.
//!
//! | in the line | meaning |
//! |---|---|
//! | changes | made at the hospital; a version that was replaced before a round came need not be told |
//! | lost | the latest version of a record did not come to a destination |
//! | `repeated_ids` | a version came under a second notification id |
//! | redelivered | a notification came again under its id |
//! | reordered | a version came after a later one of its record |
//! | `recovery_ms_p99` | from the start of a life until its first commit or delivery, without the wait for an interval ([`life`]) |
//!
//! Counts are sums over two destinations, each judged apart.
//!
//! # Why redelivered is not zero, and what bounds it
//!
//! A kill can fall between the receiver's 2xx and the commit that records it. The next life cannot know that, and sends the same id again. The
//! drill's receiver never takes a notification and hides it, and its delays are far below all timeouts, so kills are the only cause.
//! Therefore each notification that came again must be one that a killed life had sent, that the receiver had taken, and that the life
//! did not log as recorded. One that was recorded and comes again is an error.
//!
//! # What to mind
//!
//! - The seed fixes the moments, the faults and the kinds of change. It does not fix how far the program gets in so many milliseconds: a run
//!   is not replayed by its seed, only resembled.
//! - Lives that were killed before their first commit have no recovery time, so the figure comes from those that lived long enough; the last
//!   life, which nobody kills, must have one. Nobody may be idle for longer than the interval.
//! - Where a kill fell is told on stderr. With many kills, none of the phases may be missing.
//! - A request of a killed life may still lie in a socket when the next one starts. Each life therefore sends its number as its credential.
//! - Pages are cut from a live result. The order by id and the overlap make that safe: a change during a drain can only add to the result,
//!   and what it adds is younger than the overlap.
//! - Records are there from the beginning and all are to be told, so that every kill counts from the first on.

mod configuration;
mod faults;
mod first_run;
mod judgement;
mod life;
mod moment;
mod order;
mod verdict;

pub(crate) use first_run::first_run;
pub(crate) use order::order;

use crate::shared::build::release_binary;
use crate::shared::process::Process;
use crate::shared::wait::{Look, pause, wait_for};
use crate::{give, say};
use anyhow::{Context, Result, ensure};
use configuration::Rounds;
use judgement::Judgement;
use life::End;
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Paging, RecordOrder};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::oracle::Arrival;
use rounds_testkit::random::Random;
use rounds_testkit::receiver::{FakeReceiver, SigningSecret};
use rounds_testkit::traffic::Traffic;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;
use verdict::Verdict;

/// The header in which a life tells its number.
const LIFE_HEADER: &str = "x-drill-life";
/// Only this drill's receiver knows it, and it guards made-up patients.
const SIGNING_SECRET: &str = "whsec_Zm9yIHRoZSBraWxsIGRyaWxsLCBhbmQgbm8gc2VjcmV0ISE=";

/// SIGTERM, whose number POSIX fixes.
const TERMINATED: i32 = 15;

const PATIENTS: usize = 40;
/// Below what the overlap brings again, so that rounds have several pages.
const RECORDS_PER_PAGE: usize = 40;
/// Bursts of one to three changes, this far apart.
const BETWEEN_BURSTS: Duration = Duration::from_millis(150);
/// How long the last life may take until all is told.
const PATIENCE: Duration = Duration::from_mins(2);
/// How many requests are watched for repetitions when all was told: some rounds of several pages.
const REQUESTS_AFTERWARDS: u64 = 12;
/// A life is at most two seconds; the rest is for starting and ending processes on a busy machine. One that takes longer hangs.
const LONGEST_LIFE: Duration = Duration::from_secs(10);
/// Of so many lives one is asked to end before it is killed...
const ASKED_TO_END: u64 = 5;
/// ...so long after that at most: its drain takes as long as the slowest answer that is under way.
const LONGEST_DRAIN: Duration = Duration::from_millis(120);
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
        lives: BTreeMap::new(),
    };

    let ran = drill.run(&mut random).await;
    let judgement = drill.judgement()?;
    let verdict = drill.verdict(&judgement.recoveries());
    give(&verdict.to_string());
    for line in judgement.lines() {
        say(&line);
    }
    let judged = judgement.judge(&verdict);
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
    /// When each life began and how it ended, by its number from 1.
    lives: BTreeMap<u32, (jiff::Timestamp, End)>,
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
        let mut last = self.start(self.next_life())?;
        self.finish(&mut last).await?;
        last.kill().await
    }

    /// Lives, until there are as many kills as there are to be.
    async fn lives(&mut self, random: &mut Random) -> Result<()> {
        let mut kills = 0;
        while kills < self.kills {
            faults::draw(random, &self.ehr, &self.receiver);
            let life = self.next_life();
            let lived = tokio::time::timeout(LONGEST_LIFE, self.live(life, random)).await;
            let end = lived.with_context(|| format!("life {life} does not end"))??;
            self.lives.entry(life).and_modify(|known| known.1 = end);
            if end == End::Unkilled {
                continue;
            }
            kills += 1;
            if kills % KILLS_BETWEEN_NEWS == 0 {
                let changes = self.ehr.hospital().history().len();
                let taken = self.receiver.taken().len();
                say(&format!(
                    "drill kill: {kills} of {} kills, {changes} changes, {taken} notifications taken",
                    self.kills
                ));
            }
        }
        Ok(())
    }

    /// One life, from its start to its end.
    async fn live(&mut self, life: u32, random: &mut Random) -> Result<End> {
        let mut process = self.start(life)?;
        moment::draw(random).come(&self.ehr, &self.receiver).await;
        // Who is dead before the kill did not die of it.
        process.still_runs()?;
        let is_asked = random.below(ASKED_TO_END) == 0;
        if is_asked {
            process.ask_to_end().await?;
            let longest = u64::try_from(LONGEST_DRAIN.as_millis()).unwrap_or(u64::MAX);
            pause(Duration::from_millis(random.below(longest))).await;
            if let Some(status) = process.ended()? {
                // Before it listens for the signal, the signal itself ends it.
                let is_fine = status.success() || status.signal() == Some(TERMINATED);
                ensure!(
                    is_fine,
                    "life {life} was asked to end and did with {status}"
                );
                return Ok(End::Unkilled);
            }
        }
        process.kill().await?;
        Ok(if is_asked {
            End::KilledInShutdown
        } else {
            End::Killed
        })
    }

    fn next_life(&self) -> u32 {
        self.lives.keys().next_back().map_or(1, |last| last + 1)
    }

    fn start(&mut self, life: u32) -> Result<Process> {
        let now = self.ehr.hospital().now();
        self.lives.insert(life, (now, End::Unkilled));
        self.rounds.start(life)
    }

    /// Waits until all is told and nothing is open, and then some rounds more.
    async fn finish(&self, last: &mut Process) -> Result<()> {
        say("drill kill: no more kills and faults; waiting until all is told");
        wait_for("Rounds to finish", PATIENCE, async || {
            last.still_runs()?;
            let lost = self.verdict(&[]).lost();
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

    fn verdict(&self, recoveries: &[Duration]) -> Verdict {
        let history = self.ehr.hospital().history();
        let taken = self.receiver.taken();
        let arrivals = |name: &str| -> Vec<Arrival> {
            let here = taken.iter().filter(|received| received.hook == name);
            here.map(|received| received.arrival()).collect()
        };
        Verdict::of(self.kills, &history, arrivals, recoveries)
    }

    fn judgement(&self) -> Result<Judgement> {
        let log = |life| self.rounds.log(life);
        Judgement::of(&self.lives, log, &self.ehr, &self.receiver)
    }
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
