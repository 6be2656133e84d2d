//! `rounds why`, beside the real program, an EHR and a receiver.

use crate::service::{Outcome, Service, rounds, until};
use crate::support::{Folder, Said, snapshots};
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::hospital::{AppointmentId, Hospital};
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::FakeReceiver;
use rounds_testkit::wire::StatusAnswer;

fn configuration(ehr: &FakeEhr, receiver: &FakeReceiver) -> String {
    format!(
        r#"
connections:
  hospital: {{ base_url: "{ehr}" }}
actions:
  appointments:
    connection: hospital
    every: 1s
    changes:
      get: /appointments
      query: {{ changedsince: "{{{{ cursor }}}}" }}
      cursor: {{ time: "%Y-%m-%dT%H:%M:%S", zone: UTC, field: .lastModified }}
      start: now
      baseline: all
      records: .[]
      id: .id
      skip: .status == "draft"
    lookups:
      patient: {{ get: "/patient/{{{{ record.patientID }}}}", when_missing: park }}
    notify:
      order_by: = .record.patientID
      body: {{ appointment: = .record.id, status: = .record.status, patient: = .patient.mrn }}
    to: [my-app]
    retry: {{ waits: [1h] }}
destinations:
  my-app:
    url: "{receiver}"
    allow_addresses: [127.0.0.1]
    retry: {{ waits: [100ms, 100ms] }}
"#,
        ehr = ehr.base_url(),
        receiver = receiver.url("my-app"),
    )
}

/// With what the clock makes of it left out.
fn shown(name: &str, said: &Said) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"asked .* ago; .* shown", "asked [when]; [counts]");
    settings.add_filter(r", after (\d+ ms|\d+\.\d s|\d+ s)\n", ", after [took]\n");
    settings.add_filter(r"asked for changedsince=\S+", "asked for [cursor]");
    settings.bind(|| snapshots(|| insta::assert_snapshot!(name.to_owned(), said.whole())));
}

async fn why(folder: &Folder, words: &[&str]) -> Said {
    let said = rounds(folder, &[&["why", "appointments"], words].concat()).await;
    assert_eq!(said.code, Some(0), "{}", said.whole());
    said
}

/// What happened to a record, in one word each.
async fn happened(folder: &Folder, record: &str) -> Vec<String> {
    let page = why(folder, &[record, "--json"]).await.json();
    let events = page["records"][0]["events"].as_array().expect("a list");
    let words = events.iter().map(|event| event["what"].as_str());
    words.map(|word| word.expect("a word").to_owned()).collect()
}

#[tokio::test]
async fn every_place_where_a_change_may_stop_has_its_answer() -> Outcome {
    let hospital = Hospital::new(7, system_clock());
    let before = hospital.book_anything().appointment;
    let quiet = hospital.book_anything().appointment;
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let receiver = FakeReceiver::start().await?;
    let folder = Folder::with_configuration(&configuration(&ehr, &receiver));
    let id = |id: AppointmentId| id.to_string();

    let service = Service::start(&folder, &[], &[])?;
    until(&folder, &["status", "--json"], |status| {
        status["actions"][0]["known_records"] == 2
    })
    .await;
    // One was there and has not changed; another changed; a third came; of the fourth the patient cannot be had.
    receiver.refuse_next(1, StatusCode::SERVICE_UNAVAILABLE);
    hospital.cancel(before.id)?;
    until(&folder, &["status", "--json"], |status| {
        status["destinations"][0]["delivered"] == 1
    })
    .await;
    ehr.always(
        Scope::under("/patient/"),
        StatusAnswer::new(StatusCode::INTERNAL_SERVER_ERROR),
    );
    let stuck = hospital.book_anything().appointment;
    until(&folder, &["status", "--json"], |status| {
        status["actions"][0]["containers_parked"] == 1
    })
    .await;
    let behind = hospital.book_anything().appointment;
    until(&folder, &["containers", "list", "--json"], |page| {
        page["containers"].as_array().map(Vec::len) == Some(2)
    })
    .await;

    assert_eq!(happened(&folder, &id(quiet.id)).await, ["baselined"]);
    assert_eq!(
        happened(&folder, &id(before.id)).await,
        ["baselined", "told"]
    );
    assert_eq!(happened(&folder, &id(stuck.id)).await, ["parked"]);
    assert_eq!(happened(&folder, "99").await, [""; 0]);
    let told = why(&folder, &[&id(before.id)]).await;
    shown("told", &told);
    let parked = why(&folder, &[&id(stuck.id)]).await;
    shown("parked", &parked);
    let unknown = why(&folder, &["Appointment/1"]).await;
    shown("unknown", &unknown);

    // By the patient, of whom one is parked and the other waits.
    assert_eq!(behind.patient_id, stuck.patient_id);
    assert_eq!(happened(&folder, &id(behind.id)).await, ["waiting"]);
    let of_patient = why(&folder, &["--key", &stuck.patient_id.0, "--json"]).await;
    let records = of_patient.json();
    let records = records["records"].as_array().ok_or("a list")?;
    let found = records.iter().any(|story| story["record"] == id(stuck.id));
    assert!(found, "{}", of_patient.whole());

    let nobody = rounds(&folder, &["why", "apointments", "1"]).await;
    assert_eq!(nobody.code, Some(64), "{}", nobody.whole());
    service.terminate().await?;

    // Mended by an edit: what is parked does not wait for its hour, and the log of both lives names it alike.
    let lookup = r#"    lookups:
      patient: { get: "/patient/{{ record.patientID }}", when_missing: park }
"#;
    let failing = configuration(&ehr, &receiver);
    let mended = failing
        .replace(lookup, "")
        .replace("= .patient.mrn", "= .record.patientID");
    assert!(!mended.contains("lookups"), "{mended}");
    folder.write("rounds.yaml", &mended);
    let service = Service::start(&folder, &[], &[])?;
    until(&folder, &["status", "--json"], |status| {
        status["destinations"][0]["delivered"] == 3
    })
    .await;
    assert_eq!(happened(&folder, &id(stuck.id)).await, ["told"]);
    let log = service.terminate().await?.stderr;
    let words = "the configuration is another: what is parked is tried at once";
    assert!(log.contains(words), "{log}");
    ehr.stop().await;
    receiver.stop().await;
    Ok(())
}
