//! A round by hand, over real HTTP.

use crate::support::{Folder, Said, snapshots};
use jiff::Timestamp;
use rounds_testkit::clock::ManualClock;
use rounds_testkit::ehr::FakeEhr;
use rounds_testkit::hospital::Hospital;

pub(crate) fn configuration(ehr: &FakeEhr) -> String {
    format!(
        r#"
connections:
  hospital: {{ base_url: "{}" }}
actions:
  appointments:
    connection: hospital
    every: 1m
    changes:
      get: /appointments
      query: {{ changedsince: "{{{{ cursor }}}}" }}
      cursor: {{ time: "%Y-%m-%dT%H:%M:%S", zone: UTC, field: .lastModified }}
      start: 2022-05-10T00:00:00Z
      records: .[]
      id: .id
    lookups:
      patient: {{ get: "/patient/{{{{ record.patientID }}}}" }}
    notify:
      body: {{ appointment: = .record.id, status: = .record.status, patient: = .patient.mrn }}
    to: [my-app]
destinations:
  my-app:
    url: https://app.example.org/hook
"#,
        ehr.base_url()
    )
}

/// The program beside the EHR, which must go on answering on this runtime.
pub(crate) async fn rounds(folder: &Folder, words: &[&str]) -> Said {
    let mut command = tokio::process::Command::from(folder.command(words));
    Said::from(command.output().await.expect("the program starts"))
}

#[tokio::test]
async fn a_dry_run_shows_all_and_changes_nothing() -> Result<(), Box<dyn std::error::Error>> {
    let now: Timestamp = "2022-05-10T10:00:00.25Z".parse()?;
    let hospital = Hospital::new(1, ManualClock::at(now).clock());
    let first = hospital.book_anything();
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let folder = Folder::with_configuration(&configuration(&ehr));

    let dry = rounds(&folder, &["poll", "appointments", "--dry-run"]).await;
    snapshots(|| insta::assert_snapshot!("dry_run", dry.whole()));
    assert!(!folder.path().join("rounds-data").exists());
    // For a ticket: what it is, and not whose.
    let shared = rounds(&folder, &["poll", "appointments", "--dry-run", "--redact"]).await;
    snapshots(|| insta::assert_snapshot!("redacted", shared.whole()));
    assert!(!shared.stdout.contains("MRN") && !shared.stdout.contains("P1001"));
    let raw = rounds(&folder, &["poll", "appointments", "--dry-run", "--raw"]).await;
    assert!(
        raw.stdout.contains("    < [{\"duration\":20,\"id\":1,"),
        "{}",
        raw.whole()
    );

    // For real: the container is there, and the next dry run knows the record.
    let real = rounds(&folder, &["poll", "appointments"]).await;
    snapshots(|| insta::assert_snapshot!("for_real", real.whole()));
    let list = rounds(&folder, &["containers", "list"]).await;
    snapshots(|| insta::assert_snapshot!("containers", list.whole()));
    hospital.cancel(first.appointment.id)?;
    let again = rounds(&folder, &["poll", "appointments", "--dry-run", "--json"]).await;
    let page = again.json();
    assert_eq!(page["records"][0]["choice"], "updated", "{}", again.whole());
    assert_eq!(page["notifications"][0]["body"]["status"], "cancelled");
    let status = rounds(&folder, &["status", "--json"]).await.json();
    assert_eq!(status["actions"][0]["feeds"][0]["rounds"], 1);
    assert_eq!(status["actions"][0]["containers_open"], 1);

    // A person may drop it, by name or all of them, and must say which.
    let nothing = rounds(&folder, &["containers", "drop", "--reason", "test"]).await;
    assert_eq!(nothing.code, Some(64));
    let dropped = rounds(
        &folder,
        &["containers", "drop", "--all", "--reason", "test"],
    )
    .await;
    assert_eq!(dropped.stdout, "1 container dropped\n");
    ehr.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_round_that_fails_says_why() -> Result<(), Box<dyn std::error::Error>> {
    let hospital = Hospital::new(1, ManualClock::at("2022-05-10T10:00:00Z".parse()?).clock());
    let ehr = FakeEhr::builder(hospital)
        .bearer_token("other")
        .start()
        .await?;
    let folder = Folder::with_configuration(&configuration(&ehr));
    let said = rounds(&folder, &["poll", "appointments", "--dry-run"]).await;
    snapshots(|| insta::assert_snapshot!(said.whole()));
    ehr.stop().await;
    Ok(())
}

/// A dry run that says "well" of a mapping that failed for every record is worse than none.
#[tokio::test]
async fn a_dry_run_whose_mapping_fails_does_not_say_that_all_is_well()
-> Result<(), Box<dyn std::error::Error>> {
    let now: Timestamp = "2022-05-10T10:00:00.25Z".parse()?;
    let hospital = Hospital::new(1, ManualClock::at(now).clock());
    hospital.book_anything();
    hospital.book_anything();
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let usual = configuration(&ehr);
    let failing = usual.replace(
        "patient: = .patient.mrn",
        "patient: = .patient.mrn | fromjson.x",
    );
    assert_ne!(failing, usual);
    let folder = Folder::with_configuration(&failing);
    let said = rounds(&folder, &["poll", "appointments", "--dry-run"]).await;
    assert_eq!(said.code, Some(65), "{}", said.whole());
    let words = "2 of 2 changes could not be told";
    assert!(said.stdout.contains(words), "{}", said.whole());

    // What is never there is said of what is shown.
    let misspelt = usual.replace("patient: = .patient.mrn", "patient: = .patient.mnr");
    let folder = Folder::with_configuration(&misspelt);
    let said = rounds(&folder, &["poll", "appointments", "--dry-run"]).await;
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let words = "R0385";
    assert!(said.stdout.contains(words), "{}", said.whole());

    // And where there is nothing, that nothing was tried.
    let later = usual.replace("start: 2022-05-10T00:00:00Z", "start: now");
    let folder = Folder::with_configuration(&later);
    let said = rounds(&folder, &["poll", "appointments", "--dry-run"]).await;
    let words = "nothing would have been told: with `--sample 3` it tells";
    assert!(said.stdout.contains(words), "{}", said.whole());

    // An identity that no record has is no good mapping either.
    let nameless = usual.replace("id: .id", "id: .identifier");
    let folder = Folder::with_configuration(&nameless);
    let said = rounds(&folder, &["poll", "appointments", "--dry-run"]).await;
    assert_eq!(said.code, Some(65), "{}", said.whole());
    let words = "2 of 2 changes could not be told";
    assert!(said.stdout.contains(words), "{}", said.whole());
    ehr.stop().await;
    Ok(())
}

/// What no destination wants is not sent, and a dry run does not say that it is.
#[tokio::test]
async fn a_dry_run_says_to_whom_and_that_nobody_wants_it() -> Result<(), Box<dyn std::error::Error>>
{
    let now: Timestamp = "2022-05-10T10:00:00.25Z".parse()?;
    let hospital = Hospital::new(1, ManualClock::at(now).clock());
    let booked = hospital.book_anything();
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let usual = configuration(&ehr);
    let choosy = usual.replace(
        "to: [my-app]",
        "to: [{ destination: my-app, deny: { status: [booked] } }]",
    );
    assert_ne!(choosy, usual);
    let folder = Folder::with_configuration(&choosy);
    let dry = ["poll", "appointments", "--dry-run"];
    let nobody = rounds(&folder, &dry).await;
    for words in [
        "0 notifications would be sent",
        "to nobody: no destination of the action wants it",
    ] {
        assert!(nobody.stdout.contains(words), "{words}: {}", nobody.whole());
    }
    hospital.cancel(booked.appointment.id)?;
    let somebody = rounds(&folder, &dry).await;
    for words in ["1 notification would be sent", "(created), to my-app"] {
        assert!(
            somebody.stdout.contains(words),
            "{words}: {}",
            somebody.whole()
        );
    }
    ehr.stop().await;
    Ok(())
}

/// Whoever writes a mapping does not want to wait for a change, and not for a configuration that starts in the past.
#[tokio::test]
async fn a_dry_run_of_a_feed_that_starts_from_now_tells_of_what_is_there()
-> Result<(), Box<dyn std::error::Error>> {
    let now: Timestamp = "2022-05-10T10:00:00.25Z".parse()?;
    let hospital = Hospital::new(1, ManualClock::at(now).clock());
    for _ in 0..3 {
        hospital.book_anything();
    }
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let text = configuration(&ehr).replace("start: 2022-05-10T00:00:00Z", "start: now");
    let folder = Folder::with_configuration(&text);
    let dry = ["poll", "appointments", "--dry-run"];
    let told = async |words: &[&str]| {
        let said = rounds(&folder, &[&dry, words].concat()).await;
        assert_eq!(said.code, Some(0), "{}", said.whole());
        said
    };
    let ids = |said: &Said| -> Vec<String> {
        let page = said.json();
        let told = page["notifications"].as_array().expect("a list");
        let ids = told
            .iter()
            .map(|row| row["record"].as_str().expect("an id"));
        ids.map(str::to_owned).collect()
    };
    let since = ["--since", "2022-05-10T00:00:00Z"];
    let all = told(&[&since[..], &["--json"]].concat()).await;
    assert_eq!(ids(&all), ["1", "2", "3"]);
    let two = told(&[&since[..], &["--sample", "2"]].concat()).await;
    snapshots(|| insta::assert_snapshot!("two_of_what_is_there", two.whole()));
    let one = told(&[&since[..], &["--record", "3", "--json"]].concat()).await;
    assert_eq!(ids(&one), ["3"]);
    // The hospital's clock stands in 2022, so a page of the last weeks shows nothing, and that is said.
    let nothing = told(&["--sample", "2"]).await;
    let words = "the EHR shows no record there; `--since` asks from further back";
    assert!(nothing.stdout.contains(words), "{}", nothing.whole());
    let nowhere = rounds(&folder, &[&dry[..], &["--record", "3"]].concat()).await;
    assert_eq!(nowhere.code, Some(64), "{}", nowhere.whole());
    assert!(nowhere.stderr.contains("R0703"), "{}", nowhere.whole());
    let wet = rounds(&folder, &["poll", "appointments", "--sample", "2"]).await;
    assert_eq!(wet.code, Some(64), "{}", wet.whole());
    ehr.stop().await;
    Ok(())
}
