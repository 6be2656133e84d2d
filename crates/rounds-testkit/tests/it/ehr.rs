//! The EHR's API on a good day.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use rounds_testkit::ehr::{Boundary, FakeEhr, RecordOrder, RecordTimes, Scope};
use rounds_testkit::hospital::{AppointmentId, HospitalError, PatientId};
use rounds_testkit::wire::Answered;
use serde_json::json;

use crate::client::{get, get_with, ids, post};
use crate::{PATIENCE, hospital, instant, ten_o_clock};

#[tokio::test]
async fn an_appointment_and_its_patient_come_as_on_redoxs_page() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    let booked = hospital.book_anything().appointment;
    let ehr = FakeEhr::start(hospital.clone()).await.expect("it starts");

    let appointments = get(&format!(
        "{}/appointments?changedsince=2022-05-10T10:00:00",
        ehr.base_url()
    ))
    .await
    .json();
    let record = &appointments[0];
    let start = booked.start.to_string();
    assert_eq!(
        *record,
        json!({
            "id": 1, "patientID": "P1001", "status": "booked", "start": start, "duration": booked.duration_minutes,
            "reason": booked.reason, "provider": { "id": booked.provider.id, "first": booked.provider.name.first, "last": booked.provider.name.last },
            "location": booked.location, "version": 1, "lastModified": "2022-05-10T10:00:00Z",
        })
    );
    let patient = get(&format!("{}/patient/P1001", ehr.base_url()))
        .await
        .json();
    let known = hospital
        .patient(&PatientId("P1001".into()))
        .expect("the patient exists");
    assert_eq!(patient, serde_json::to_value(known).expect("it serializes"));
    for field in ["id", "mrn", "name", "dob", "sex", "phone", "address"] {
        assert!(patient.get(field).is_some(), "{field}");
    }
    assert_eq!(
        get(&format!("{}/patient/P9", ehr.base_url())).await.status,
        404
    );
    ehr.stop().await;
}

#[tokio::test]
async fn changedsince_is_inclusive_unless_the_api_is_of_the_other_kind() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    for _ in 0..3 {
        hospital.book_anything();
        clock.advance(SignedDuration::from_millis(500));
    }
    let inclusive = FakeEhr::start(hospital.clone()).await.expect("it starts");
    let exclusive = FakeEhr::builder(hospital)
        .boundary(Boundary::Exclusive)
        .start()
        .await
        .expect("it starts");
    for (since, given, given_exclusively) in [
        ("2022-05-10T09:59:59", vec![1, 2, 3], vec![1, 2, 3]),
        ("2022-05-10T10:00:00", vec![1, 2, 3], vec![2, 3]),
        ("2022-05-10T10:00:00.500", vec![2, 3], vec![3]),
        ("2022-05-10T10:00:01", vec![3], vec![]),
    ] {
        let query = format!("appointments?changedsince={since}");
        assert_eq!(
            get(&format!("{}/{query}", inclusive.base_url()))
                .await
                .ids(),
            given,
            "{since}"
        );
        assert_eq!(
            get(&format!("{}/{query}", exclusive.base_url()))
                .await
                .ids(),
            given_exclusively,
            "{since}"
        );
    }
    assert_eq!(
        get(&format!(
            "{}/appointments?changedsince=lately",
            inclusive.base_url()
        ))
        .await
        .status,
        400
    );
}

#[tokio::test]
async fn a_server_in_new_york_means_new_york_time() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    hospital.book_anything();
    let zone = TimeZone::get("America/New_York").expect("the zone is known");
    let ehr = FakeEhr::builder(hospital)
        .zone(zone)
        .record_times(RecordTimes::NaiveSeconds)
        .start()
        .await
        .expect("it starts");

    let at = async |since: &str| {
        get(&format!(
            "{}/appointments?changedsince={since}",
            ehr.base_url()
        ))
        .await
        .json()
    };
    assert_eq!(
        at("2022-05-10T06:00:00").await[0]["lastModified"],
        "2022-05-10T06:00:00"
    );
    assert_eq!(at("2022-05-10T06:00:01").await, json!([]));
}

#[tokio::test]
async fn each_version_replaces_the_last_and_the_history_keeps_all() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock).first_appointment_id(9_007_199_254_740_993);
    let id = hospital.book_anything().appointment.id;
    clock.advance(SignedDuration::from_millis(1));
    hospital
        .reschedule(id, instant("2022-05-11T09:00:00Z"))
        .expect("it can be moved");
    hospital.cancel(id).expect("it can be cancelled");
    let ended = hospital.mark_no_show(id).expect_err("it was cancelled");
    assert_eq!(
        ended.to_string(),
        "appointment 9007199254740993 ended as Cancelled; only a booked one can change"
    );
    assert_eq!(
        hospital.cancel(AppointmentId(1)),
        Err(HospitalError::UnknownAppointment(AppointmentId(1)))
    );

    let ehr = FakeEhr::start(hospital.clone()).await.expect("it starts");
    let seen = get(&format!("{}/appointments", ehr.base_url()))
        .await
        .json();
    assert_eq!(ids(&seen), [9_007_199_254_740_993]);
    assert_eq!(
        (seen[0]["version"].as_u64(), seen[0]["status"].as_str()),
        (Some(3), Some("cancelled"))
    );

    let history: Vec<_> = hospital
        .history()
        .iter()
        .map(|change| {
            (
                change.sequence,
                change.kind.to_string(),
                change.appointment.version,
            )
        })
        .collect();
    assert_eq!(
        history,
        [
            (1, "booked".into(), 1),
            (2, "rescheduled".into(), 2),
            (3, "cancelled".into(), 3)
        ]
    );
    assert_eq!(
        hospital.history()[2].at,
        instant("2022-05-10T10:00:00.001Z")
    );
}

#[tokio::test]
async fn editing_a_patient_changes_no_appointment() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    let patient = hospital.book_anything().appointment.patient_id.clone();
    hospital
        .edit_patient(&patient, |patient| {
            patient.phone = "+1-608-555-0199".into();
            patient.id = PatientId("another".into());
        })
        .expect("the patient exists");
    let ehr = FakeEhr::start(hospital.clone()).await.expect("it starts");
    assert_eq!(
        get(&format!("{}/patient/{patient}", ehr.base_url()))
            .await
            .json()["phone"],
        "+1-608-555-0199"
    );
    assert_eq!(
        (hospital.history().len(), hospital.patient_history().len()),
        (1, 2)
    );
    let ids: Vec<_> = hospital
        .patient_history()
        .iter()
        .map(|edit| edit.patient.id.clone())
        .collect();
    assert_eq!(
        ids,
        [patient.clone(), patient],
        "an edit cannot change who it is"
    );
}

#[tokio::test]
async fn a_late_change_hides_behind_the_version_before_it() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    let id = hospital.book_anything().appointment.id;
    let late_moves = |change: &rounds_testkit::hospital::Change| {
        SignedDuration::from_mins(if change.appointment.version == 2 {
            90
        } else {
            0
        })
    };
    let ehr = FakeEhr::builder(hospital.clone())
        .visibility(late_moves)
        .start()
        .await
        .expect("it starts");
    hospital
        .reschedule(id, instant("2022-05-11T09:00:00Z"))
        .expect("it can be moved");

    let version = async || {
        get(&format!("{}/appointments/{id}", ehr.base_url()))
            .await
            .json()["version"]
            .as_u64()
    };
    assert_eq!(version().await, Some(1));
    clock.advance(SignedDuration::from_mins(89));
    assert_eq!(version().await, Some(1));
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!(version().await, Some(2));
    let stamped = get(&format!(
        "{}/appointments?changedsince=2022-05-10T10:00:01",
        ehr.base_url()
    ))
    .await
    .json();
    assert_eq!(
        stamped,
        json!([]),
        "it is stamped with the instant of the change, and not of its appearance"
    );
}

#[tokio::test]
async fn only_the_bearer_of_the_token_is_served() {
    let hospital = hospital(&ten_o_clock());
    let ehr = FakeEhr::builder(hospital)
        .bearer_token("first")
        .start()
        .await
        .expect("it starts");
    let url = format!("{}/appointments", ehr.base_url());
    let status = async |token: &str| {
        get_with(&url, &[("authorization", &format!("Bearer {token}"))])
            .await
            .status
    };

    let refused = get(&url).await;
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!((status("first").await, status("second").await), (200, 401));
    ehr.set_bearer_token(Some("second".into()));
    assert_eq!((status("first").await, status("second").await), (401, 200));
}

#[tokio::test]
async fn every_request_is_in_the_log() {
    let clock = ten_o_clock();
    let ehr = FakeEhr::builder(hospital(&clock))
        .log_capacity(3)
        .start()
        .await
        .expect("it starts");
    get(&format!("{}/patient/P1", ehr.base_url())).await;
    get_with(
        &format!(
            "{}/appointments?changedsince=2022-05-10T10:00:00",
            ehr.base_url()
        ),
        &[("x-story", "log")],
    )
    .await;
    post(&format!("{}/appointments", ehr.base_url()), &[], b"{}").await;
    ehr.wait_for_requests(3, PATIENCE).await.expect("all came");

    let log = ehr.requests();
    let lines: Vec<_> = log
        .iter()
        .map(|request| {
            format!(
                "{} {} ?{} {:?}",
                request.method, request.path, request.query, request.answered
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "GET /patient/P1 ? Status(404)",
            "GET /appointments ?changedsince=2022-05-10T10:00:00 Status(200)",
            "POST /appointments ? Status(405)",
        ]
    );
    assert_eq!(
        (log[1].at, log[1].headers["x-story"].as_bytes()),
        (clock.now(), b"log".as_slice())
    );
    assert!(matches!(log[1].answered, Answered::Status(status) if status.is_success()));

    get(&format!("{}/patient/P2", ehr.base_url())).await;
    assert_eq!(
        (
            ehr.total_requests(),
            ehr.requests().len(),
            ehr.count(&Scope::under("/patient/"))
        ),
        (4, 3, 1)
    );
}

#[tokio::test]
async fn the_change_feed_gives_every_version_after_a_number() {
    let hospital = hospital(&ten_o_clock());
    let id = hospital.book_anything().appointment.id;
    hospital
        .reschedule(id, instant("2022-05-11T09:00:00Z"))
        .expect("it can be moved");
    hospital.cancel(id).expect("it can be cancelled");
    let ehr = FakeEhr::start(hospital).await.expect("it starts");

    let mut since = 0;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let page = get(&format!("{}/changes?since={since}&limit=2", ehr.base_url()))
            .await
            .json();
        since = page["Last"].as_u64().expect("a number");
        let versions: Vec<_> = page["Changes"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|change| change["Appointment"]["version"].clone())
            .collect();
        pages.push(json!([versions, page["Last"], page["Done"]]));
    }
    assert_eq!(
        json!(pages),
        json!([[[1, 2], 2, false], [[3], 3, true], [[], 3, true]])
    );
}

#[tokio::test]
async fn records_come_in_the_order_that_was_chosen() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    for _ in 0..8 {
        hospital.book_anything();
        clock.advance(SignedDuration::from_secs(1));
    }
    hospital
        .reschedule(AppointmentId(1), instant("2022-05-11T09:00:00Z"))
        .expect("it can be moved");
    let order = async |order| {
        let ehr = FakeEhr::builder(hospital.clone())
            .order(order)
            .start()
            .await
            .expect("it starts");
        get(&format!("{}/appointments", ehr.base_url())).await.ids()
    };
    assert_eq!(
        order(RecordOrder::OldestChangeFirst).await,
        [2, 3, 4, 5, 6, 7, 8, 1]
    );
    assert_eq!(
        order(RecordOrder::LatestChangeFirst).await,
        [1, 8, 7, 6, 5, 4, 3, 2]
    );
    assert_eq!(order(RecordOrder::ById).await, [1, 2, 3, 4, 5, 6, 7, 8]);
    let mut shuffled = order(RecordOrder::Shuffled { seed: 3 }).await;
    assert_eq!(shuffled, order(RecordOrder::Shuffled { seed: 3 }).await);
    assert!(!shuffled.is_sorted());
    shuffled.sort_unstable();
    assert_eq!(shuffled, [1, 2, 3, 4, 5, 6, 7, 8]);
}
