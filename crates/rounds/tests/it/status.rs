//! `rounds status` as a monitor asks it: by its exit code, with since when and why.

use crate::service::{Outcome, Service, rounds, until};
use crate::support::Folder;
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::FakeReceiver;
use rounds_testkit::wire::StatusAnswer;
use serde_json::Value;

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
      start: beginning
      records: .[]
      id: .id
    to: [my-app]
destinations:
  my-app:
    url: "{receiver}"
    allow_addresses: [127.0.0.1]
    retry: {{ waits: [1h] }}
"#,
        ehr = ehr.base_url(),
        receiver = receiver.url("my-app"),
    )
}

#[tokio::test]
async fn it_says_what_fails_since_when_and_why_and_whether_anything_runs() -> Outcome {
    let hospital = Hospital::new(7, system_clock());
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let receiver = FakeReceiver::start().await?;
    let folder = Folder::with_configuration(&configuration(&ehr, &receiver));
    let service = Service::start(&folder, &[], &[])?;
    until(&folder, &["status", "--json"], |status| {
        status["health"] == "well"
    })
    .await;
    let well = rounds(&folder, &["status"]).await;
    assert_eq!(well.code, Some(0), "{}", well.whole());
    assert!(well.stdout.contains("; all is well."), "{}", well.whole());

    // A receiver that refuses everything is not served, long before anything is given up.
    receiver.refuse_next(100, StatusCode::FORBIDDEN);
    hospital.book_anything();
    let refused = until(&folder, &["status", "--json"], |status| {
        status["destinations"][0]["failing"] == 1
    })
    .await;
    assert_eq!(refused["health"], "failing");
    let oldest = &refused["destinations"][0]["oldest_failing"];
    assert_eq!(oldest["code"], "R0509", "{refused:#}");
    let said = rounds(&folder, &["status"]).await;
    assert_eq!(said.code, Some(3), "{}", said.whole());
    for words in [
        "my-app: failing: 1 is tried again, the oldest found ",
        "403 Forbidden",
    ] {
        assert!(said.stdout.contains(words), "{words}: {}", said.whole());
    }
    assert!(!said.stdout.contains("served"), "{}", said.whole());

    // So do rounds that fail.
    let down = StatusAnswer::new(StatusCode::NOT_IMPLEMENTED);
    ehr.always(Scope::path("/appointments"), down);
    until(&folder, &["status", "--json"], |status| {
        status["actions"][0]["feeds"][0]["failures_in_a_row"].as_u64() > Some(0)
    })
    .await;
    let said = rounds(&folder, &["status"]).await;
    let words = ", the last good one ";
    assert!(said.stdout.contains(words), "{}", said.whole());

    // A terminal that goes away is no crash.
    let ended = service.end_by("-HUP").await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("SIGHUP: finishing"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("the drain was clean"),
        "{}",
        ended.stderr
    );
    let said = rounds(&folder, &["status"]).await;
    assert_eq!(said.code, Some(4), "{}", said.whole());
    assert!(said.stdout.contains("Nothing runs"), "{}", said.whole());
    let status = rounds(&folder, &["status", "--json"]).await.json();
    assert_eq!(
        (&status["health"], &status["running"]),
        (&"nothing_runs".into(), &Value::Null)
    );
    ehr.stop().await;
    receiver.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_retry_that_can_do_nothing_says_so_and_why() -> Outcome {
    let hospital = Hospital::new(7, system_clock());
    hospital.book_anything();
    let ehr = FakeEhr::start(hospital.clone()).await?;
    let receiver = FakeReceiver::start().await?;
    let folder = Folder::with_configuration(&configuration(&ehr, &receiver));
    let service = Service::start(&folder, &[], &[])?;
    until(&folder, &["status", "--json"], |status| {
        status["destinations"][0]["delivered"] == 1
    })
    .await;
    let retry = ["deliveries", "retry", "--state"];
    let delivered = rounds(&folder, &[&retry[..], &["delivered"]].concat()).await;
    assert_eq!(delivered.code, Some(64), "{}", delivered.whole());
    for words in ["R0726", "what matches is 1 delivered", "rounds replay"] {
        assert!(
            delivered.stderr.contains(words),
            "{words}: {}",
            delivered.whole()
        );
    }
    // Where nothing matches, nothing is wrong.
    let dead = rounds(&folder, &[&retry[..], &["dead"]].concat()).await;
    assert_eq!(
        (dead.code, dead.stdout.as_str()),
        (Some(0), "0 deliveries retried: none matches\n")
    );
    let containers = ["containers", "retry", "--action", "appointments"];
    let none = rounds(&folder, &containers).await;
    assert_eq!(none.stdout, "0 containers retried: none matches\n");
    service.terminate().await?;
    ehr.stop().await;
    receiver.stop().await;
    Ok(())
}
