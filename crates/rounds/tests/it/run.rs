//! `rounds run` as a service: between an EHR and a receiver that both misbehave, looked at by an operator, ended by a signal,
//! and silent about patients.

use crate::service::{
    MARK, Outcome, PATIENCE, Service, admit_marked, assert_log_tells_nothing_of, book_marked,
    rounds, until,
};
use crate::support::Folder;
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::{FakeReceiver, SigningSecret};
use rounds_testkit::wire::{Gate, StatusAnswer, WireFault};

/// The first appointment's number: no other number looks like it.
const FIRST_APPOINTMENT: u64 = 777_000_111_222;
const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const EHR_TOKEN: &str = "ehr-token-that-nobody-may-see";
const ENVIRONMENT: [(&str, &str); 2] =
    [("EHR_TOKEN", EHR_TOKEN), ("SIGNING_SECRET", SIGNING_SECRET)];

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

    let service = Service::start(&folder, &[], &ENVIRONMENT)?;
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
    let service = Service::start(&folder, &["--drain-for", "50ms"], &ENVIRONMENT)?;
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
    let ids: Vec<String> = (0..3)
        .map(|nth| (FIRST_APPOINTMENT + nth).to_string())
        .collect();
    let secrets = [EHR_TOKEN, SIGNING_SECRET];
    assert_log_tells_nothing_of(
        log,
        secrets.into_iter().chain(ids.iter().map(String::as_str)),
    )?;
    for word in [
        "container parked",
        "container recovered: it became a notification after ",
        "\"record\":\"",
        "became a notification",
        "not delivered",
        "\"DEBUG\"",
    ] {
        assert!(log.contains(word), "no log line has `{word}`:\n{log}");
    }
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
