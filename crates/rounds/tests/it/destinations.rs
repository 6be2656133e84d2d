//! What an operator does to destinations while the service runs: hold, release, replay, test.

use crate::service::{Outcome, PATIENCE, Service, admit_marked, book_marked, rounds, until};
use crate::support::{Folder, Said};
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::FakeEhr;
use rounds_testkit::hospital::Hospital;
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::{FakeReceiver, SigningSecret};
use std::collections::BTreeMap;
use std::process::Command;

const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ENVIRONMENT: [(&str, &str); 1] = [("SIGNING_SECRET", SIGNING_SECRET)];

#[tokio::test]
async fn a_destination_is_held_released_replayed_and_tested() -> Outcome {
    let hospital = Hospital::new(7, system_clock());
    admit_marked(&hospital);
    let ehr = FakeEhr::builder(hospital.clone()).start().await?;
    let receiver = FakeReceiver::builder()
        .signing_secret(SigningSecret::parse(SIGNING_SECRET)?)
        .start()
        .await?;
    let folder =
        Folder::with_configuration(&configuration(&ehr.base_url(), &receiver.url("my-app")));
    let service = Service::start(&folder, &[], &ENVIRONMENT)?;
    book_marked(&hospital)?;
    receiver.wait_for(1, PATIENCE).await?;

    hold_and_release(&folder, &hospital, &receiver).await?;
    replay(&folder, &receiver).await?;
    select_nothing(&folder).await;
    let said = service.terminate().await?;
    assert_eq!(said.code, Some(0), "{}", said.stderr);

    test(&folder, &receiver).await?;
    ehr.stop().await;
    receiver.stop().await;
    Ok(())
}

/// Held: what comes waits, and no retry of a person who does not know of the hold ends it.
async fn hold_and_release(
    folder: &Folder,
    hospital: &Hospital,
    receiver: &FakeReceiver,
) -> Outcome {
    let hold = [
        "destinations",
        "hold",
        "my-app",
        "--reason",
        "maintenance until six",
    ];
    let held = rounds(folder, &hold).await;
    assert_eq!(held.code, Some(0), "{}", held.whole());
    for _ in 0..2 {
        book_marked(hospital)?;
    }
    until(folder, &["status", "--json"], |status| {
        status["destinations"][0]["owed"] == 2
    })
    .await;
    rounds(folder, &["deliveries", "retry", "--destination", "my-app"]).await;
    let list = rounds(folder, &["destinations", "list"]).await;
    for words in [
        "held",
        "maintenance until six",
        "rounds destinations release my-app",
    ] {
        assert!(list.stdout.contains(words), "{}", list.whole());
    }
    let list = rounds(folder, &["destinations", "list", "--json"])
        .await
        .json();
    assert_eq!(list["destinations"][0]["paused"]["code"], "R0511");
    assert_eq!(list["destinations"][0]["owed"], 2);

    let released = rounds(folder, &["destinations", "release", "my-app"]).await;
    assert_eq!(released.code, Some(0), "{}", released.whole());
    receiver.wait_for(3, PATIENCE).await?;
    until(folder, &["status", "--json"], |status| {
        status["destinations"][0]["delivered"] == 3
    })
    .await;
    Ok(())
}

/// Replayed: one, then all that were found lately, under their own ids.
async fn replay(folder: &Folder, receiver: &FakeReceiver) -> Outcome {
    let taken = receiver.wait_for(3, PATIENCE).await?;
    let first = taken[0].notification_id().ok_or("an id")?.to_owned();
    let dry = [
        "replay",
        "--destination",
        "my-app",
        "--since",
        "1h",
        "--dry-run",
        "--json",
    ];
    let dry = rounds(folder, &dry).await.json();
    assert_eq!((&dry["count"], &dry["dry_run"]), (&3.into(), &true.into()));
    let one = rounds(folder, &["replay", &format!("{first}/my-app")]).await;
    assert_eq!(one.stdout, "1 delivery is sent once more\n");
    receiver.wait_for(4, PATIENCE).await?;
    until(folder, &["status", "--json"], |status| {
        status["destinations"][0]["delivered"] == 3
    })
    .await;
    let all = rounds(
        folder,
        &["replay", "--action", "appointments", "--rate", "50/s"],
    )
    .await;
    assert_eq!(all.code, Some(0), "{}", all.whole());
    let taken = receiver.wait_for(7, PATIENCE).await?;
    let mut times = BTreeMap::new();
    for received in &taken {
        *times
            .entry(received.notification_id().ok_or("an id")?)
            .or_insert(0) += 1;
    }
    let mut counts: Vec<i32> = times.values().copied().collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 2, 3]);
    assert_eq!(times[first.as_str()], 3);
    Ok(())
}

/// A selection that selects nothing, and one that is not meant.
async fn select_nothing(folder: &Folder) {
    let nothing = rounds(folder, &["replay", "--until", "2020-01-01T00:00:00Z"]).await;
    assert_eq!(nothing.stdout, "nothing finished matches\n");
    for (words, code) in [
        (&["replay"][..], "R0704"),
        (&["replay", "ntf_nothing"], "R0703"),
        (&["destinations", "hold", "my-ap", "--reason", "x"], "R0717"),
        (&["destinations", "test", "my-ap"], "R0717"),
    ] {
        let said = rounds(folder, words).await;
        assert_eq!(said.code, Some(64), "{}", said.whole());
        assert!(said.stderr.contains(code), "{}", said.whole());
    }
}

/// Tested, with nothing running.
async fn test(folder: &Folder, receiver: &FakeReceiver) -> Outcome {
    let tested = folder.command(&["destinations", "test", "my-app", "--json"]);
    let tested = run(tested).await;
    assert_eq!(tested.code, Some(0), "{}", tested.whole());
    let test = receiver
        .wait_for(8, PATIENCE)
        .await?
        .pop()
        .ok_or("a test")?;
    assert_eq!(test.notification_id(), tested.json()["id"].as_str());
    let body: serde_json::Value = serde_json::from_slice(&test.body)?;
    assert_eq!(body["Meta"]["Test"], true);
    receiver.refuse_next(1, StatusCode::INTERNAL_SERVER_ERROR);
    let refused = run(folder.command(&["destinations", "test", "my-app"])).await;
    assert_eq!(refused.code, Some(2), "{}", refused.whole());
    assert!(refused.stdout.contains("500"), "{}", refused.whole());
    Ok(())
}

async fn run(mut command: Command) -> Said {
    command.envs(ENVIRONMENT);
    let ran = tokio::task::spawn_blocking(move || command.output());
    ran.await
        .expect("it does not panic")
        .expect("the program starts")
        .into()
}

#[test]
fn a_name_that_leads_to_a_private_address_is_an_error_of_check() {
    let folder = Folder::with_configuration(
        &configuration("https://ehr.example.org/", "https://inner.localhost/hooks")
            .replace("    allow_addresses: [127.0.0.1]\n", ""),
    );
    let said = folder.rounds(&["check"]);
    assert_eq!(said.code, Some(65), "{}", said.whole());
    for words in [
        "error[R0505]: destinations.my-app.url: 127.0.0.1 is a loopback address",
        "allow_addresses",
        "cannot be used: 1 error",
    ] {
        assert!(said.stderr.contains(words), "{}", said.whole());
    }
    let page = folder.rounds(&["check", "--json"]).json();
    assert_eq!(page["usable"], false);
    assert_eq!(page["addresses"][0]["code"], "R0505");
}

fn configuration(ehr: &str, receiver: &str) -> String {
    r#"
connections:
  hospital: { base_url: @EHR@ }
actions:
  appointments:
    connection: hospital
    every: 1s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", zone: UTC }
      start: beginning
      records: .[]
      id: .id
    to: [my-app]
destinations:
  my-app:
    url: @RECEIVER@
    signing_secret: { env: SIGNING_SECRET }
    allow_addresses: [127.0.0.1]
"#
    .replace("@EHR@", ehr)
    .replace("@RECEIVER@", receiver)
}
