//! `cargo xtask drill order`: thousands of notifications, in order for each patient, to a receiver that refuses some and is away for a while.
//!
//! Appointments of 500 patients are told to one destination with `order_by` the patient. Of the attempts, one in twenty is refused;
//! when a quarter was taken the receiver cannot be reached at all, every connection to it ends at once, while the hospital goes on. When
//! it is back, everything has to come, and for each patient in the order of the changes.
//!
//! | in the line | meaning |
//! |---|---|
//! | notified | notifications that were taken, each id once |
//! | lost | the latest version of a record did not come |
//! | reordered | a patient's notification came after one of a later change of the same patient |
//! | dead | deliveries and containers that were given up |
//!
//! What to mind: between the receiver's answer and its arrival a connection may be cut, so a notification may come again under its id;
//! that is said on stderr and is no failure. The EHR gives the oldest change first, so the order of changes is that of commits.

use super::configuration::unfinished_in;
use super::{SIGNING_SECRET, make_empty};
use crate::shared::build::release_binary;
use crate::shared::process::Process;
use crate::shared::wait::{Look, pause, wait_for};
use crate::{give, say};
use anyhow::{Context, Result, ensure};
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Paging, RecordOrder};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::http::StatusCode;
use rounds_testkit::random::Random;
use rounds_testkit::receiver::{FakeReceiver, Received, SigningSecret};
use rounds_testkit::traffic::Traffic;
use rounds_testkit::wire::StatusAnswer;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::watch;

const PATIENTS: usize = 500;
/// Of so many attempts one is refused.
const ATTEMPTS_A_REFUSAL: u64 = 20;
/// How long the receiver cannot be reached.
const AWAY_FOR: Duration = Duration::from_secs(5);
/// Changes while it is away are this far apart.
const BETWEEN_CHANGES: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_mins(10);
/// Chance begins here: which attempts are refused and what changes is the same every time.
const SEED: u64 = 500;

const CONFIGURATION: &str = r#"connections:
  hospital: { base_url: @EHR@, limits: { in_flight: 2 } }
actions:
  appointments:
    connection: hospital
    every: 1s
    timeout: 1s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: rfc3339, field: .lastModified, overlap: 2s }
      start: "2020-01-01T00:00:00Z"
      paging: { link_header: next }
      records: .[]
      id: .id
    notify:
      order_by: = .record.patientID
      body: { record: = .record }
    to: app
destinations:
  app:
    url: @RECEIVER@
    signing_secret: { env: DRILL_SIGNING_SECRET }
    in_flight: 32
    retry: { waits: [@WAITS@] }
    allow_addresses: [127.0.0.1]
"#;

/// Runs it and prints the one line of the result.
pub(crate) async fn order(notifications: usize) -> Result<()> {
    say("drill order: building the release binary");
    let program = release_binary().await?;
    let folder = program.target_folder.join("drill").join("order");
    make_empty(&folder)?;
    let hospital = Hospital::new(SEED, system_clock());
    for _ in 0..PATIENTS {
        hospital.admit_anyone();
    }
    // The rest are changes that come while Rounds is at work.
    for _ in 0..notifications * 4 / 5 {
        hospital.book_anything();
    }
    let ehr = FakeEhr::builder(hospital)
        .paging(Paging::LinkHeader, 500)
        .order(RecordOrder::OldestChangeFirst)
        .start()
        .await?;
    let secret = SigningSecret::parse(SIGNING_SECRET).context("the drill's signing secret")?;
    let receiver = FakeReceiver::builder()
        .signing_secret(secret)
        .capacity(10 * notifications)
        .start()
        .await?;
    let refusal = StatusAnswer::new(StatusCode::SERVICE_UNAVAILABLE);
    receiver.when(is_refused, refusal);
    let url = receiver.url("app");
    let (door, hook) = Door::before(&url).await?;
    let text = CONFIGURATION
        .replace("@EHR@", &ehr.base_url())
        .replace("@RECEIVER@", &hook)
        .replace("@WAITS@", &["200ms"; 1_000].join(", "));
    fs::write(folder.join("rounds.yaml"), text).context("writing the configuration")?;
    let drill = Drill {
        executable: program.executable,
        folder,
        ehr,
        receiver,
        door,
        notifications,
    };
    let ran = drill.run().await;
    let verdict = Verdict::of(&drill.ehr.hospital().history(), &drill.receiver.taken())?;
    let dead = drill.counts().await?.dead;
    give(&format!(
        "drill order: notified={} lost={} reordered={} dead={dead}",
        verdict.notified, verdict.lost, verdict.reordered
    ));
    let attempts = drill.receiver.attempts().len();
    say(&format!(
        "drill order: {attempts} attempts, {} notifications came again under their id",
        verdict.again
    ));
    ran.with_context(|| format!("log and data are kept in {}", drill.folder.display()))?;
    ensure!(
        verdict.lost == 0 && verdict.reordered == 0 && dead == 0,
        "what was notified is not what happened"
    );
    ensure!(
        verdict.notified >= notifications,
        "only {} of {notifications} were made",
        verdict.notified
    );
    drill.ehr.stop().await;
    drill.receiver.stop().await;
    let data = drill.folder.join("rounds-data");
    fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))
}

/// By what the attempt says of itself, so that a notification that was refused is taken the next time or the one after.
fn is_refused(received: &Received) -> bool {
    let header = |name: &str| {
        received
            .headers
            .get(name)
            .map(|value| value.as_bytes().to_vec())
    };
    let mark = header("webhook-id")
        .into_iter()
        .chain(header("rounds-attempt"));
    let bits = mark.flatten().fold(SEED, |bits, byte| {
        Random::from_seed(bits ^ u64::from(byte)).next_bits()
    });
    bits % ATTEMPTS_A_REFUSAL == 0
}

struct Drill {
    executable: PathBuf,
    folder: PathBuf,
    ehr: FakeEhr,
    receiver: FakeReceiver,
    door: Door,
    notifications: usize,
}

struct Counts {
    unfinished: u64,
    dead: u64,
}

impl Drill {
    async fn run(&self) -> Result<()> {
        let mut process = self.start()?;
        let quarter = self.notifications / 4;
        self.until_taken(&mut process, quarter).await?;
        self.door.close();
        say(&format!(
            "drill order: {quarter} were taken; the receiver cannot be reached for {} s, and the hospital goes on",
            AWAY_FOR.as_secs()
        ));
        let mut traffic = Traffic::new(self.ehr.hospital().clone(), SEED);
        let clock = system_clock();
        let back = clock() + AWAY_FOR;
        // Every change that can be told: those of a record that is changed twice within a round are one.
        while clock() < back || self.to_be_told() < self.notifications {
            traffic.step(|_any| true);
            pause(BETWEEN_CHANGES).await;
        }
        self.door.open();
        say("drill order: the receiver is back");
        self.until_done(&mut process, &mut traffic).await?;
        process.still_runs()?;
        process.kill().await
    }

    /// How many records there are, and so how many notifications at least.
    fn to_be_told(&self) -> usize {
        let history = self.ehr.hospital().history();
        let records: BTreeSet<u64> = history
            .iter()
            .map(|change| change.appointment.id.0)
            .collect();
        let changed = history.len() - records.len();
        // About half of the further changes are replaced before a round sees them; the end is counted, not guessed.
        records.len() + changed / 2
    }

    fn start(&self) -> Result<Process> {
        let mut command = self.command();
        command
            .args(["run", "--log", "warn"])
            .env("DRILL_SIGNING_SECRET", SIGNING_SECRET);
        Process::start("rounds", command, &self.folder.join("rounds.log"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder);
        command
    }

    async fn until_taken(&self, process: &mut Process, wanted: usize) -> Result<()> {
        wait_for("notifications", PATIENCE, async || {
            process.still_runs()?;
            let taken = self.receiver.taken().len();
            Ok(if taken >= wanted {
                Look::There(())
            } else {
                Look::NotYet(format!("{taken} of {wanted} were taken"))
            })
        })
        .await
    }

    /// Waits until all is told, and lets the hospital change until that is enough.
    async fn until_done(&self, process: &mut Process, traffic: &mut Traffic) -> Result<()> {
        wait_for("all to be told", PATIENCE, async || {
            process.still_runs()?;
            let verdict = Verdict::of(&self.ehr.hospital().history(), &self.receiver.taken())?;
            if verdict.lost > 0 {
                return Ok(Look::NotYet(format!("{} not told", verdict.lost)));
            }
            if verdict.notified < self.notifications {
                for _ in verdict.notified..self.notifications {
                    traffic.step(|_any| true);
                }
                return Ok(Look::NotYet(format!("{} told", verdict.notified)));
            }
            let unfinished = self.counts().await?.unfinished;
            Ok(if unfinished == 0 {
                Look::There(())
            } else {
                Look::NotYet(format!("{unfinished} are open"))
            })
        })
        .await
    }

    async fn counts(&self) -> Result<Counts> {
        let asked = self
            .command()
            .args(["status", "--json"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("starting rounds status")?;
        let status: Value =
            serde_json::from_slice(&asked.stdout).context("reading rounds status")?;
        let sum = |of: &str, key: &str| -> u64 {
            let each = status[of].as_array().into_iter().flatten();
            each.filter_map(|one| one[key].as_u64()).sum()
        };
        Ok(Counts {
            unfinished: unfinished_in(&status).context("rounds status has no counts")?,
            dead: sum("actions", "containers_dead") + sum("destinations", "dead"),
        })
    }
}

/// What happened against what was taken.
struct Verdict {
    notified: usize,
    lost: usize,
    reordered: usize,
    again: usize,
}

impl Verdict {
    fn of(
        history: &[rounds_testkit::hospital::Change],
        taken: &[std::sync::Arc<Received>],
    ) -> Result<Self> {
        let mut latest = BTreeMap::new();
        for change in history {
            latest.insert(change.appointment.id.0, change.appointment.version);
        }
        // A patient's changes come in the order in which they were made.
        let sequence: BTreeMap<(u64, u64), u64> = history
            .iter()
            .map(|change| {
                (
                    (change.appointment.id.0, change.appointment.version),
                    change.sequence,
                )
            })
            .collect();
        let mut ids = BTreeSet::new();
        let mut told = BTreeMap::new();
        let mut last_of_patient: BTreeMap<String, u64> = BTreeMap::new();
        let mut reordered = 0;
        for received in taken {
            if !ids.insert(received.notification_id().map(str::to_owned)) {
                continue;
            }
            let body = received.json().context("a notification is not JSON")?;
            let record = &body["record"];
            let number = |key: &str| record[key].as_u64().with_context(|| format!("no {key}"));
            let (id, version) = (number("id")?, number("version")?);
            let patient = record["patientID"].as_str().context("no patient")?;
            told.insert(id, version);
            let at = *sequence
                .get(&(id, version))
                .context("told of what never was")?;
            let last = last_of_patient.entry(patient.to_owned()).or_default();
            if at < *last {
                reordered += 1;
            }
            *last = at.max(*last);
        }
        let lost = latest
            .iter()
            .filter(|(id, version)| told.get(id) != Some(version));
        Ok(Self {
            notified: ids.len(),
            lost: lost.count(),
            reordered,
            again: taken.len() - ids.len(),
        })
    }
}

/// What stands before the receiver: closed, every connection ends at once, those that are open included.
struct Door {
    state: watch::Sender<bool>,
}

impl Door {
    /// A door before `url`, and its own URL.
    async fn before(url: &str) -> Result<(Self, String)> {
        let (_, rest) = url.split_once("://").context("a URL")?;
        let (host, path) = rest.split_once('/').context("a path")?;
        let behind: SocketAddr = host.parse().context("an address")?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port")?;
        let own = format!("http://{}/{path}", listener.local_addr()?);
        let (state, open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, behind, open.clone()));
            }
        });
        Ok((Self { state }, own))
    }

    fn close(&self) {
        self.state.send_replace(false);
    }

    fn open(&self) {
        self.state.send_replace(true);
    }
}

async fn pass(mut stream: TcpStream, behind: SocketAddr, mut open: watch::Receiver<bool>) {
    if !*open.borrow() {
        return;
    }
    let Ok(mut receiver) = TcpStream::connect(behind).await else {
        return;
    };
    // Whichever comes first: an end, or the door that closes. Either way both connections end here.
    tokio::select! {
        _ended = tokio::io::copy_bidirectional(&mut stream, &mut receiver) => {}
        _closed = open.wait_for(|open| !*open) => {}
    }
}
