//! B. How exact times are, how they are written, and what a record's identity is.

use crate::ehr::{json_answer, parameter, text_answer};
use crate::world::{APPOINTMENTS, World};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

/// The usual config with another format of time and no overlap to help it.
fn with_time(time: &str) -> String {
    APPOINTMENTS.replace(
        "time: \"%Y-%m-%dT%H:%M:%S\", overlap: 30s",
        &format!("time: {time}, overlap: 0s"),
    )
}

/// Lets the clinic understand `changedsince` in any format that is an instant.
fn understands_instants(world: &World) {
    let clinic = world.clinic.clone();
    world.ehr.on("/api/appointments", move |url| {
        let since: Timestamp = parameter(url, "changedsince").parse().expect("an instant");
        json_answer(&Value::Array(clinic.from(since)))
    });
}

#[tokio::test(start_paused = true)]
async fn microseconds_are_kept_in_the_cursor_and_decide_which_state_is_later() {
    // Case 11: meltano/sdk#2999.
    let world = World::with(&with_time("\"%Y-%m-%dT%H:%M:%S%.6fZ\""));
    understands_instants(&world);
    world.run_for(1).await;
    let second = world.now();
    for microsecond in [1_i64, 2, 10, 999_999] {
        let at = second + microsecond.microseconds();
        let id = u64::try_from(microsecond).expect("positive");
        world.clinic.put(id, "p", "booked", at);
        world.run_for(20).await;
        assert_eq!(world.told(), [format!("{id}:booked")]);
        assert_eq!(world.cursor().await, at);
    }

    // Two states of one record in one answer, a microsecond apart, in either order.
    for (id, order) in [(7, [3, 4]), (8, [4, 3])] {
        let states: Vec<_> = order
            .iter()
            .map(|micro: &i64| {
                json!({ "id": id, "status": format!("state {micro}"), "version": micro, "patientID": "p",
                        "lastModified": (second + 1.second() + micro.microseconds()).to_string() })
            })
            .collect();
        world
            .ehr
            .on("/api/appointments", move |_| json_answer(&json!(states)));
        world.run_for(10).await;
        assert_eq!(world.told(), [format!("{id}:state 4")], "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_request_cannot_express_is_rounded_down() {
    // Case 12: airbytehq/airbyte#84400, airbytehq/airbyte#9915: rounded up, a record is lost for good.
    for (time, step_nanoseconds) in [
        ("rfc3339, granularity: 1s", 1_000_000_000_i64),
        ("rfc3339, granularity: 1ms", 1_000_000),
        // Coarser than the format writes: the EHR may read no finer than it stamps.
        ("rfc3339, granularity: 10s", 10_000_000_000),
        ("\"%Y-%m-%dT%H:%MZ\", granularity: 1m", 60_000_000_000),
    ] {
        let world = World::with(&with_time(time));
        let clinic = world.clinic.clone();
        world.ehr.on("/api/appointments", move |url| {
            let asked = parameter(url, "changedsince");
            let asked = asked.parse::<Timestamp>().unwrap_or_else(|_| {
                format!("{}:00Z", asked.trim_end_matches('Z'))
                    .parse()
                    .expect("an instant")
            });
            assert_eq!(asked.as_nanosecond() % i128::from(step_nanoseconds), 0);
            json_answer(&Value::Array(clinic.from(asked)))
        });
        world.run_for(1).await;
        for (id, nanoseconds) in (1_u64..).zip([
            1,
            499_999_999,
            500_000_000,
            500_000_001,
            999_499_999,
            999_500_000,
            999_999_999,
        ]) {
            let whole = Timestamp::from_second(world.now().as_second()).expect("an instant");
            let at = whole + i64::from(nanoseconds).nanoseconds();
            world.clinic.put(2 * id, "p", "first", at);
            world.run_for(12).await;
            assert_eq!(world.cursor().await, at, "the cursor itself is exact");
            // Later by the source's clock, and before it if what was stored had been rounded up.
            world
                .clinic
                .put(2 * id + 1, "p", "second", at + 1.nanosecond());
            world.run_for(12).await;
            assert_eq!(
                world.told(),
                [
                    format!("{}:first", 2 * id),
                    format!("{}:second", 2 * id + 1)
                ],
                "{time}, {nanoseconds} ns"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_within_a_minute_that_was_polled_already_is_told() {
    // Case 14: NIFI-4069, confluentinc/kafka-connect-jdbc#604: the source stamps whole minutes.
    let minute =
        |at: Timestamp| Timestamp::from_second(at.as_second() / 60 * 60).expect("an instant");
    for overlap in ["0s", "30s"] {
        for versioned in [true, false] {
            let mut config = APPOINTMENTS
                .replace("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")
                .replace("overlap: 30s", &format!("overlap: {overlap}"));
            if !versioned {
                config = config.replace("      version: .version\n", "");
            }
            let world = World::with(&config);
            let clinic = world.clinic.clone();
            world.ehr.on("/api/appointments", move |url| {
                let since = format!("{}:00Z", parameter(url, "changedsince"));
                json_answer(&Value::Array(
                    clinic.from(since.parse().expect("an instant")),
                ))
            });
            world.run_for(1).await;
            let mut expected = Vec::new();
            for step in 0..14 {
                let status = format!("state {step}");
                world.clinic.put(1, "p", &status, minute(world.now()));
                expected.push(format!("1:{status}"));
                world.run_for(13).await;
            }
            assert_eq!(
                world.told(),
                expected,
                "overlap {overlap}, versions {versioned}"
            );
        }
    }
}

/// Answers everything there is, each time with these texts as `lastModified` of records 1, 2, 3...
fn shows(world: &World, stamps: &[&str]) {
    let records: Vec<_> = (1..)
        .zip(stamps)
        .map(|(id, stamp)| {
            json!({ "id": id, "status": "booked", "version": 1, "patientID": "p", "lastModified": stamp })
        })
        .collect();
    world
        .ehr
        .on("/api/appointments", move |_| json_answer(&json!(records)));
}

#[tokio::test(start_paused = true)]
async fn times_are_compared_as_instants_and_not_as_text() {
    // Case 15: EC:35b6cef8d (two ways of writing in one field). Case 16: airbytehq/airbyte#7962 (two offsets in one field).
    // The latest instant comes last here; as text it is never the greatest.
    for stamps in [
        [
            "2026-05-01 10:00:09",
            "2026-05-01T10:00:08Z",
            "2026-05-01 10:00:10",
        ],
        [
            "2026-05-01T17:00:08+07:00",
            "2026-05-01T10:00:09Z",
            "2026-05-01T05:00:10-05:00",
        ],
        [
            "2026-05-01T10:00:08.999+00:00",
            "2026-05-01T15:30:09+05:30",
            "2026-05-01 10:00:10",
        ],
    ] {
        for turn in 0..3 {
            let mut order = stamps.to_vec();
            order.rotate_left(turn);
            let world = World::usual();
            world.run_for(8).await;
            shows(&world, &order);
            world.run_for(30).await;
            assert_eq!(
                world.told_sorted(),
                ["1:booked", "2:booked", "3:booked"],
                "{order:?}"
            );
            assert_eq!(
                world.cursor().await,
                "2026-05-01T10:00:10Z".parse().expect("an instant"),
                "{order:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_that_cannot_be_read_is_counted_and_its_record_told() {
    // Case 15, the other half: what is in neither format.
    let world = World::usual();
    world.run_for(8).await;
    shows(
        &world,
        &["2026-05-01T10:00:09Z", "01.05.2026 10 Uhr", "zzz"],
    );
    world.run_for(30).await;
    assert_eq!(world.told_sorted(), ["1:booked", "2:booked", "3:booked"]);
    assert_eq!(
        world.cursor().await,
        "2026-05-01T10:00:09Z".parse().expect("an instant"),
        "as text, `zzz` would be the latest"
    );
}

#[tokio::test(start_paused = true)]
async fn an_identity_stays_the_same_when_its_type_changes() {
    // Case 18: docs.zapier.com, change-perform.
    let world = World::usual();
    world.run_for(1).await;
    let answer = |id: &str| {
        format!(
            r#"[{{"id": {id}, "status": "booked", "patientID": "p", "lastModified": "2026-05-01T10:00:05Z", "version": 1}}]"#
        )
    };
    let (as_number, as_text) = (answer("1"), answer("\"1\""));
    world
        .ehr
        .on("/api/appointments", move |_| text_answer(&as_number));
    world.run_for(20).await;
    world
        .ehr
        .on("/api/appointments", move |_| text_answer(&as_text));
    world.run_for(20).await;
    assert_eq!(world.told().len(), 1);
}
