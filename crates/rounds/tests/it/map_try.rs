//! `rounds map try`, over real HTTP.

use crate::poll::{configuration, rounds};
use crate::support::Folder;
use jiff::Timestamp;
use rounds_testkit::clock::ManualClock;
use rounds_testkit::ehr::FakeEhr;
use rounds_testkit::hospital::Hospital;
use serde_json::Value;
use std::fs;

/// As the poll's, with a body of Redox's model.
fn of_model(ehr: &FakeEhr) -> String {
    let text = configuration(ehr);
    let (before, rest) = text.split_once("      body: {").expect("has a body");
    let (_, after) = rest
        .split_once("    to: [my-app]")
        .expect("has a destination");
    let body = "      model: Scheduling
      body:
        Patient: { Identifiers: [{ ID: = .patient.mrn, IDType: MR }], Demographics: { LastName: = .patient.name.last } }
        Visit: { VisitNumber: = .record.id | tostring, VisitDateTime: = .record.start, Duration: = .record.duration, Status: = .record.status, Reason: = .record.nothing, Location: { Department: Main } }
      put: { Visit.Type: '= \"put\"' }
";
    format!("{before}{body}    to: [my-app]{after}")
}

/// What gave the value at this path of the first record's message.
fn from<'p>(page: &'p Value, path: &str) -> Option<&'p str> {
    let leaves = page["records"][0]["leaves"].as_array().expect("leaves");
    let leaf = leaves.iter().find(|leaf| leaf["path"] == path)?;
    leaf["from"].as_str()
}

/// In how many messages a field had a value.
fn filled(page: &Value, path: &str) -> Option<u64> {
    let mut fields = page["fields"].as_array().expect("fields").iter();
    let found = fields.find(|field| field["path"] == path)?;
    found["filled"].as_u64()
}

#[tokio::test]
async fn each_value_is_shown_beside_what_gave_it_and_nothing_is_changed()
-> Result<(), Box<dyn std::error::Error>> {
    let now: Timestamp = "2022-05-10T10:00:00.25Z".parse()?;
    let hospital = Hospital::new(1, ManualClock::at(now).clock());
    let booked = hospital.book_anything();
    hospital.book_anything();
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let folder = Folder::with_configuration(&of_model(&ehr));
    let trial = ["map", "try", "appointments"];

    // A record that somebody saved; its patient is looked up.
    let record = serde_json::to_string(&*booked.appointment)?;
    fs::write(folder.path().join("record.json"), &record)?;
    let said = rounds(&folder, &[&trial[..], &["record.json", "--json"]].concat()).await;
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let page = said.json();
    assert_eq!(page["records"][0]["event"], "Scheduling.New");
    for (path, by) in [
        ("Visit.VisitNumber", "= .record.id | tostring"),
        ("Visit.Location.Department", "as written"),
        ("Visit.Type", "notify.put"),
        ("Meta.DataModel", "filled in"),
        ("Patient.Identifiers[0].ID", "= .patient.mrn"),
    ] {
        assert_eq!(from(&page, path), Some(by), "{path}");
    }
    assert_eq!(filled(&page, "Visit.Reason"), Some(0));
    assert_eq!(filled(&page, "Visit.Duration"), Some(1));
    let data = folder.path().join("rounds-data");
    assert!(!data.exists(), "nothing is made");

    // One that does not fit, by its path and without its value.
    let duration = format!("\"duration\":{}", booked.appointment.duration_minutes);
    let bad = record.replace(&duration, "\"duration\":\"CONFIDENTIAL\"");
    fs::write(folder.path().join("bad.json"), bad)?;
    let bad = rounds(&folder, &[&trial[..], &["bad.json"]].concat()).await;
    assert_eq!(bad.code, Some(65), "{}", bad.whole());
    let why = "`Visit.Duration` is a string where a number is needed";
    assert!(bad.stdout.contains(why), "{}", bad.whole());
    assert!(bad.stderr.contains("R0723"), "{}", bad.whole());
    assert!(!bad.whole().contains("CONFIDENTIAL"), "{}", bad.whole());

    // Of a sample, what is not tried is counted.
    let lines = of_model(&ehr);
    let lines = (lines.lines()).filter(|line| !line.contains("cursor"));
    let all = lines.collect::<Vec<_>>().join("\n");
    let other = Folder::with_configuration(&all.replace("2022-05-10T00:00:00Z", "now"));
    let sample = rounds(&other, &[&trial[..], &["--sample", "1"]].concat()).await;
    assert_eq!(sample.code, Some(0), "{}", sample.whole());
    let words =
        "not tried: 1 beyond what `--sample` says\nof the fields of 1 message\n  null in all: ";
    assert!(sample.stdout.contains(words), "{}", sample.whole());

    // What is known is read from the data directory, and stays as it is.
    let id = booked.appointment.id.to_string();
    let known = [&trial[..], &["--record", &id, "--json"]].concat();
    let nobody = rounds(&folder, &known).await;
    assert_eq!(nobody.code, Some(64), "{}", nobody.whole());
    rounds(&folder, &["poll", "appointments"]).await;
    let page = rounds(&folder, &known).await.json();
    assert_eq!(page["records"][0]["record"], id.as_str());
    assert_eq!(page["records"][0]["outcome"], "told");
    let status = rounds(&folder, &["status", "--json"]).await.json();
    assert_eq!(status["actions"][0]["containers_open"], 2);
    ehr.stop().await;
    Ok(())
}
