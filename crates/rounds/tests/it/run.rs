//! `rounds run` as a service: between an EHR and a receiver that both misbehave, looked at by an operator, ended by a signal,
//! and silent about patients.

use crate::support::{Folder, Said};
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::hospital::{Hospital, Patient, PatientId};
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::{FakeReceiver, SigningSecret};
use rounds_testkit::wire::{Gate, StatusAnswer, WireFault};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Stands in every name, number and reason that is a patient's.
const MARK: &str = "MARKED";
/// The first appointment's number: no other number looks like it.
const FIRST_APPOINTMENT: u64 = 777_000_111_222;
const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const EHR_TOKEN: &str = "ehr-token-that-nobody-may-see";
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_service_through_faults_and_a_person_and_no_log_line_tells_of_a_patient() -> Outcome {
    let hospital = Hospital::new(7, system_clock()).first_appointment_id(FIRST_APPOINTMENT);
    admit_marked(&hospital);
    let ehr = FakeEhr::builder(hospital.clone())
        .bearer_token(EHR_TOKEN)
        .start()
        .await?;
    let receiver = FakeReceiver::builder()
        .signing_secret(SigningSecret::parse(SIGNING_SECRET)?)
        .start()
        .await?;
    let folder = Folder::with_configuration(&configuration(&ehr, &receiver));

    // What goes wrong: pages, lookups, deliveries.
    let down = || StatusAnswer::new(StatusCode::INTERNAL_SERVER_ERROR);
    ehr.next_times(2, Scope::under("/patient/"), down());
    ehr.next(
        Scope::under("/patient/"),
        StatusAnswer::new(StatusCode::NOT_FOUND),
    );
    ehr.next(Scope::path("/appointments"), WireFault::HtmlPage);
    receiver.refuse_next(1, StatusCode::SERVICE_UNAVAILABLE);
    receiver.refuse_next(1, StatusCode::GONE);

    let service = Service::start(&folder, &[])?;
    for _ in 0..3 {
        book_marked(&hospital)?;
    }

    // 410: the destination is paused until a person says otherwise, and the service hears of it.
    until(&folder, &["status", "--json"], |status| {
        status["destinations"][0]["paused"].is_object()
    })
    .await;
    let text = rounds(&folder, &["status"]).await;
    assert!(text.stdout.contains("my-app: paused"), "{}", text.whole());
    let retried = rounds(&folder, &["deliveries", "retry", "--destination", "my-app"]).await;
    assert_eq!(retried.code, Some(0), "{}", retried.whole());
    let taken = receiver.wait_for(3, PATIENCE).await?;
    assert!(taken.iter().all(|received| !received.body.is_empty()));

    // What an operator may ask meanwhile.
    until(&folder, &["status", "--json"], |status| {
        status["destinations"][0]["delivered"] == 3
    })
    .await;
    let list = rounds(&folder, &["notifications", "list", "--json"])
        .await
        .json();
    let notifications = list["notifications"].as_array().ok_or("a list")?;
    assert_eq!(notifications.len(), 3);
    let id = notifications[0]["id"].as_str().ok_or("an id")?;
    let shown = rounds(&folder, &["notifications", "show", id]).await;
    assert!(
        shown.stdout.contains(MARK),
        "who asks is shown the body: {}",
        shown.whole()
    );
    let record = notifications[0]["record"].as_str().ok_or("a record")?;
    let of_record = rounds(
        &folder,
        &["notifications", "list", "--record", record, "--json"],
    )
    .await;
    assert_eq!(
        of_record.json()["notifications"].as_array().map(Vec::len),
        Some(1)
    );
    for words in [&["run"][..], &["poll", "appointments"]] {
        let second = rounds(&folder, words).await;
        assert_eq!(second.code, Some(75), "{}", second.whole());
    }

    // The end.
    let said = service.terminate().await?;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stderr.contains("the drain was clean"),
        "{}",
        said.stderr
    );
    assert_eq!(said.stdout, "", "a service has no data to print");

    assert_tells_of_no_patient(&said.stderr)?;
    ehr.stop().await;
    receiver.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_drain_that_takes_too_long_is_cut_short_and_said_to_be() -> Outcome {
    let ehr = FakeEhr::builder(Hospital::new(7, system_clock()))
        .bearer_token(EHR_TOKEN)
        .start()
        .await?;
    let receiver = FakeReceiver::start().await?;
    let slow = configuration(&ehr, &receiver)
        .replace("every: 1s", "every: 1m")
        .replace("timeout: 1s", "timeout: 30s");
    let folder = Folder::with_configuration(&slow);
    ehr.always(Scope::Everything, WireFault::HeldUntil(Gate::shut()));
    let service = Service::start(&folder, &["--drain-for", "50ms"])?;
    ehr.wait_for_requests(1, PATIENCE).await?;
    let said = service.terminate().await?;
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(
        said.stderr.contains("the drain was cut short"),
        "{}",
        said.stderr
    );
    Ok(())
}

/// What the log may not say; and that it is whole and said something at all.
fn assert_tells_of_no_patient(log: &str) -> Outcome {
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let is_whole = ["timestamp", "level", "target", "message"].map(|key| line[key].is_string());
        assert_eq!(is_whole, [true; 4], "{line}");
    }
    let ids: Vec<String> = (0..3)
        .map(|nth| (FIRST_APPOINTMENT + nth).to_string())
        .collect();
    let secrets = [MARK, EHR_TOKEN, SIGNING_SECRET, "changedsince"];
    for secret in secrets.into_iter().chain(ids.iter().map(String::as_str)) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "the log tells `{secret}`");
    }
    for word in [
        "container parked",
        "became a notification",
        "not delivered",
        "\"DEBUG\"",
    ] {
        assert!(log.contains(word), "no log line has `{word}`:\n{log}");
    }
    Ok(())
}

/// `rounds run`, logging all that it can.
struct Service(Child);

impl Service {
    fn start(folder: &Folder, further: &[&str]) -> Outcome<Self> {
        // All crates at their lowest level: that others are kept from it is part of what is shown.
        let words = ["run", "--log", "trace,rounds=trace", "--log-format", "json"];
        let mut command = Command::from(folder.command(&words));
        command.args(further);
        command
            .env("EHR_TOKEN", EHR_TOKEN)
            .env("SIGNING_SECRET", SIGNING_SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(Self(command.spawn()?))
    }

    /// Asks it to end, as a service manager does.
    async fn terminate(mut self) -> Outcome<Said> {
        let process = self.0.id().ok_or("it runs")?.to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &process])
            .status()
            .await?;
        assert!(sent.success());
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let (mut out, mut err) = (
            self.0.stdout.take().ok_or("a pipe")?,
            self.0.stderr.take().ok_or("a pipe")?,
        );
        let (out, err) = tokio::join!(
            out.read_to_string(&mut stdout),
            err.read_to_string(&mut stderr)
        );
        out?;
        err?;
        let code = self.0.wait().await?.code();
        Ok(Said {
            code,
            stdout,
            stderr,
        })
    }
}

async fn rounds(folder: &Folder, words: &[&str]) -> Said {
    let mut command = Command::from(folder.command(words));
    Said::from(command.output().await.expect("the program starts"))
}

/// Asks again and again until `is_so`, for a while.
async fn until(folder: &Folder, words: &[&str], is_so: impl Fn(&serde_json::Value) -> bool) {
    let mut last = String::new();
    let asking = async {
        loop {
            let said = rounds(folder, words).await;
            // The database is made by the service; before, there is nothing to ask.
            if said.code == Some(0) && is_so(&said.json()) {
                break;
            }
            last = said.whole();
        }
    };
    let ended = tokio::time::timeout(PATIENCE, asking).await;
    assert!(ended.is_ok(), "it did not come to pass:\n{last}");
}

fn admit_marked(hospital: &Hospital) {
    let anyone = hospital.admit_anyone();
    let made_up = hospital.patient(&anyone).expect("it was just admitted");
    let mut marked = Patient {
        id: PatientId(format!("P-{MARK}-1")),
        mrn: format!("{MARK}-MRN"),
        phone: format!("{MARK}-PHONE"),
        ..made_up
    };
    marked.name.first = format!("{MARK}-FIRST");
    marked.name.last = format!("{MARK}-LAST");
    marked.address.street = format!("{MARK}-STREET");
    hospital.admit(marked);
}

fn book_marked(hospital: &Hospital) -> Outcome {
    let mut booking = hospital.imagine_booking();
    booking.patient_id = PatientId(format!("P-{MARK}-1"));
    booking.reason = format!("{MARK}-REASON");
    hospital.book(booking)?;
    Ok(())
}

fn configuration(ehr: &FakeEhr, receiver: &FakeReceiver) -> String {
    r#"
connections:
  hospital:
    base_url: @EHR@
    auth: { bearer: { env: EHR_TOKEN } }
actions:
  appointments:
    connection: hospital
    every: 1s
    timeout: 1s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", zone: UTC }
      start: beginning
      records: .[]
      id: .id
    lookups:
      patient: { get: "/patient/{{ record.patientID }}" }
    retry: { waits: [100ms, 100ms, 100ms, 100ms, 100ms] }
    to: [my-app]
destinations:
  my-app:
    url: @RECEIVER@
    signing_secret: { env: SIGNING_SECRET }
    retry: { waits: [100ms, 100ms, 100ms, 100ms] }
    allow_addresses: [127.0.0.1]
"#
    .replace("@EHR@", &ehr.base_url())
    .replace("@RECEIVER@", &receiver.url("my-app"))
}
