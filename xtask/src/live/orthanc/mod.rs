//! `cargo xtask live orthanc`: a change log with numbers, of a server that others wrote.
//!
//! Studies come while Rounds runs and while it is killed; one instance is sent again, which is no change; a patient is deleted, which
//! writes no row into the log and takes the patient's rows out of it. Every study and every patient that came must be told
//! once, and the deleted ones as deletions by the sweep, whatever the log shows by then.

mod dicom;
mod server;

use super::{Data, SIGNING_SECRET, configuration, remove};
use crate::shared::wait::{Look, pause, wait_for};
use crate::{give, say};
use anyhow::{Context, Result, ensure};
use dicom::Instance;
use rounds_testkit::receiver::{FakeReceiver, SigningSecret};
use server::Server;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// How long a notification may take. A study counts as stable two seconds after its last instance here.
const PATIENCE: Duration = Duration::from_mins(1);
/// Long enough for several rounds of every action: whatever is told too much comes in it.
const QUIET: Duration = Duration::from_secs(8);
/// Instances of a study.
const INSTANCES: u32 = 2;

/// What was told: hook, kind of the change and study or patient; how often.
type Told = BTreeMap<(String, String, String), usize>;

/// Runs it all. Prints the one line of the result, also when something was lost or repeated.
pub(crate) async fn orthanc(data: Data) -> Result<()> {
    say("live orthanc: building the release binary");
    let program = crate::shared::build::release_binary().await?;
    let folder = program.target_folder.join("live").join("orthanc");
    if folder.exists() {
        remove(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    say(&format!("live orthanc: logs in {}", folder.display()));
    let mut server = Server::start(&folder).await?;
    let secret = SigningSecret::parse(SIGNING_SECRET).context("the test's signing secret")?;
    let receiver = FakeReceiver::builder()
        .signing_secret(secret)
        .start()
        .await?;
    let text = config(&server.base_url, &receiver);
    fs::write(folder.join("rounds.yaml"), text).context("writing rounds.yaml")?;
    let rounds = configuration::Rounds {
        executable: program.executable,
        folder: folder.clone(),
    };

    probe(&rounds).await?;
    let mut expected = Expected::default();
    let mut running = rounds.start()?;
    for patient in 1..=3 {
        expected.patient(patient);
        for study in 1..=2 {
            expected.study(&server.send_study(patient, study).await?);
        }
    }
    expected
        .until_told(&receiver, &mut server, "six studies of three patients")
        .await?;

    running.kill().await?;
    expected.study(&server.send_study(1, 3).await?);
    expected.patient(4);
    expected.study(&server.send_study(4, 1).await?);
    running = rounds.start()?;
    expected
        .until_told(
            &receiver,
            &mut server,
            "Rounds is killed, two studies come, and it starts again",
        )
        .await?;

    // Sent again, it is there already, and the log has no row for it.
    let again = Instance {
        patient: 1,
        study: 1,
        number: 1,
    };
    ensure!(
        server.send(again).await? == "AlreadyStored",
        "it should be there already"
    );
    let gone = server.delete_patient(2).await?;
    for study in &gone {
        expected.deleted(study);
    }
    expected.study(&server.send_study(3, 3).await?);
    expected
        .until_told(
            &receiver,
            &mut server,
            "a patient is deleted with two studies, and one more study comes",
        )
        .await?;
    pause(QUIET).await;

    let told = told(&receiver)?;
    let missing = expected.missing(&told);
    let (mut extra, mut repeated) = (0, 0);
    for (key, count) in &told {
        if expected.0.contains(key) {
            repeated += count - 1;
        } else {
            extra += count;
        }
    }
    let changes = expected.0.len();
    give(&format!(
        "live orthanc: changes={changes} notified={} missing={} extra={extra} repeated={repeated}",
        changes - missing.len(),
        missing.len()
    ));
    ensure!(
        missing.is_empty() && extra == 0 && repeated == 0,
        "what was notified is not what happened"
    );
    running.kill().await?;
    receiver.stop().await;
    server.stop().await?;
    if data == Data::RemoveWhenClean {
        remove(&folder.join("rounds-data"))?;
        remove(&folder.join("db"))?;
    }
    Ok(())
}

async fn probe(rounds: &configuration::Rounds) -> Result<()> {
    let probed = rounds.said(&["probe", "images"]).await?;
    let mut rows = ["studies   yes", "patients  yes"].into_iter();
    ensure!(
        rows.all(|row| probed.contains(row)),
        "the probe does not see that its log can be polled:\n{probed}"
    );
    say("live orthanc: the probe sees that its log can be polled");
    Ok(())
}

/// What has to be told.
#[derive(Default)]
struct Expected(std::collections::BTreeSet<(String, String, String)>);

impl Expected {
    fn add(&mut self, hook: &str, change: &str, id: &str) {
        self.0
            .insert((hook.to_owned(), change.to_owned(), id.to_owned()));
    }

    fn study(&mut self, uid: &str) {
        self.add("studies", "created", uid);
        self.add("archive", "created", uid);
    }

    fn patient(&mut self, patient: u32) {
        self.add("patients", "created", &format!("P{patient:04}"));
    }

    fn deleted(&mut self, uid: &str) {
        self.add("archive", "deleted", uid);
    }

    fn missing(&self, told: &Told) -> Vec<&(String, String, String)> {
        self.0
            .iter()
            .filter(|key| !told.contains_key(key))
            .collect()
    }

    async fn until_told(
        &self,
        receiver: &FakeReceiver,
        server: &mut Server,
        step: &str,
    ) -> Result<()> {
        wait_for("notifications", PATIENCE, async || {
            server.still_runs()?;
            let told = told(receiver)?;
            let missing = self.missing(&told);
            Ok(match missing.first() {
                None => Look::There(()),
                Some((hook, change, id)) => Look::NotYet(format!(
                    "{} of {}, first {hook} {change} {id}",
                    missing.len(),
                    self.0.len()
                )),
            })
        })
        .await
        .with_context(|| format!("after the step: {step}"))?;
        say(&format!("live orthanc: {:>3} told: {step}", self.0.len()));
        Ok(())
    }
}

fn told(receiver: &FakeReceiver) -> Result<Told> {
    let mut told = Told::new();
    for received in receiver.taken() {
        let body = received.json().context("a notification is not JSON")?;
        let text = |key: &str| body[key].as_str().unwrap_or("?").to_owned();
        *told
            .entry((received.hook.clone(), text("change"), text("id")))
            .or_default() += 1;
    }
    Ok(told)
}

/// Over the connector; and, beside the log, a sweep over all studies, which is how deletions show.
fn config(base_url: &str, receiver: &FakeReceiver) -> String {
    let destination = |name: &str| {
        format!(
            "  {name}: {{ url: \"{}\", signing_secret: {{ env: MY_APP_SECRET }}, allow_addresses: [127.0.0.1] }}\n",
            receiver.url(name)
        )
    };
    format!(
        r"connections:
  images:
    connector: orthanc
    base_url: {base_url}
    auth: {{ basic: {{ username: {user}, password: {{ file: password }} }} }}
actions:
  studies:
    connection: images
    uses: studies
    every: 1s
    changes: {{ start: beginning, query: {{ limit: 3 }} }}
    notify: {{ body: {{ change: = .change.kind, id: = .study.MainDicomTags.StudyInstanceUID }} }}
    to: studies
  patients:
    connection: images
    uses: patients
    every: 1s
    changes: {{ start: beginning, query: {{ limit: 3 }} }}
    notify: {{ body: {{ change: = .change.kind, id: = .patient.MainDicomTags.PatientID }} }}
    to: patients
  archive:
    connection: images
    every: 1s
    changes:
      get: /studies?expand
      start: beginning
      records: '.[] | select(.IsStable)'
      id: .ID
      version: .ID
      deletions: told
      hold_back: 50%
    notify: {{ body: {{ change: = .change.kind, id: = .record.MainDicomTags.StudyInstanceUID }} }}
    to: archive
destinations:
{}{}{}",
        destination("studies"),
        destination("patients"),
        destination("archive"),
        user = server::USER,
    )
}
