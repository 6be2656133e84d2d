//! What was there before the rounds began: its first change is no new record, or it is said that nobody knows.

use crate::ehr::json_answer;
use crate::versions::shows;
use crate::world::{Received, World, appointments_with as with};
use jiff::{Timestamp, ToSpan};
use rounds_domain::Former;
use serde_json::{Value, json};

/// A body of the data model, whose event follows from the states.
const MODEL: (&str, &str) = (
    "      body: { id: = .record.id, status: = .record.status, was: = .previous.status, kind: = .change.kind, patient: = .patient.name, missing: = .change.missing }",
    "      model: Scheduling
      body:
        Visit:
          VisitNumber: = .record.id | tostring
          VisitDateTime: = .record.start
          Duration: 15
          Status: = .record.status
          Reason: = .change.former
          Location: { Department: Main }",
);

fn appointment(id: u64, start: &str, made: Timestamp, changed: Timestamp, version: u64) -> Value {
    json!({
        "id": id, "status": "booked", "start": start, "patientID": "p", "version": version,
        "lastModified": changed.to_string(), "createdAt": made.to_string(),
    })
}

/// Record, event, the old time if there is one, and what is said of the state before: in the body and beside it.
fn lines(received: &[Received]) -> Vec<String> {
    let line = |received: &Received| {
        let (visit, event) = (&received.body["Visit"], &received.body["Meta"]["EventType"]);
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let beside = match received.former {
            Former::Unknown => " (unknown)",
            Former::None | Former::Known => "",
        };
        format!(
            "{} {} from {}, {}{beside}",
            text(&visit["VisitNumber"]),
            text(event),
            text(&visit["OldDateTime"]),
            text(&visit["Reason"]),
        )
    };
    let mut lines: Vec<String> = received.iter().map(line).collect();
    lines.sort();
    lines
}

const MORNING: &str = "2026-05-11T09:00:00Z";
const NOON: &str = "2026-05-11T12:00:00Z";

/// An appointment that was there for long is moved, another is changed, and a third is booked. With `earlier`, the EHR shows what is there
/// to whoever asks from far back.
async fn told(replacements: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![MODEL];
    all.extend(replacements);
    let world = World::with(&with(&all));
    let long_ago = world.now() - 400.hours();
    let rows = shows(&world);
    let here = rows.clone();
    world.ehr.on("/api/appointments", move |url| {
        let since = format!("{}Z", crate::ehr::parameter(url, "changedsince"));
        let since: Timestamp = since.parse().expect("an instant");
        let rows = here.lock().expect("not poisoned").clone();
        let is_later = |row: &Value| crate::ehr::modified(row) >= since;
        json_answer(&Value::Array(rows.into_iter().filter(is_later).collect()))
    });
    let put = |row: Value| {
        let mut rows = rows.lock().expect("not poisoned");
        rows.retain(|known| known["id"] != row["id"]);
        rows.push(row);
    };
    put(appointment(1, MORNING, long_ago, long_ago, 1));
    put(appointment(2, MORNING, long_ago, long_ago, 1));
    put(appointment(
        3,
        "2020-01-01T09:00:00Z",
        long_ago,
        long_ago,
        1,
    ));
    world.run_for(25).await;
    assert_eq!(
        lines(&world.received()),
        [""; 0],
        "nothing is told of what was there"
    );
    let now = world.now();
    put(appointment(1, NOON, long_ago, now, 2));
    put(appointment(2, MORNING, long_ago, now, 2));
    put(appointment(3, "2020-01-01T09:00:00Z", long_ago, now, 2));
    put(appointment(4, MORNING, now, now, 1));
    world.run_for(25).await;
    lines(&world.received())
}

#[tokio::test(start_paused = true)]
async fn with_a_baseline_what_was_there_changes_and_only_what_is_new_is_new() {
    for baseline in ["all", "60d"] {
        let start = format!("      start: now\n      baseline: {baseline}\n");
        let told = told(&[("      start: now\n", &start)]).await;
        let new = if baseline == "all" {
            "4 New from -, none"
        } else {
            // What did not change for sixty days was not looked at.
            "4 New from -, unknown (unknown)"
        };
        let expected = [
            "1 Reschedule from 2026-05-11T09:00:00Z, known",
            "2 Modification from -, known",
            "3 Modification from -, known",
            new,
        ];
        assert_eq!(told, expected, "{baseline}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_says_when_it_was_made_is_new_only_if_it_was_made_since() {
    let created = (
        "      id: .id\n",
        "      id: .id\n      created: .createdAt\n",
    );
    let expected = [
        "1 Modification from -, unknown (unknown)",
        "2 Modification from -, unknown (unknown)",
        "3 Modification from -, unknown (unknown)",
        "4 New from -, none",
    ];
    assert_eq!(told(&[created]).await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_known_is_said_and_the_past_is_silent() {
    let expected = [
        "1 New from -, unknown (unknown)",
        "2 New from -, unknown (unknown)",
        "4 New from -, unknown (unknown)",
    ];
    assert_eq!(told(&[]).await, expected);
    let tell = (
        "      model: Scheduling\n",
        "      model: Scheduling\n      first_seen_over: tell\n",
    );
    let told = told(&[tell]).await;
    assert_eq!(told.len(), 4, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn where_everything_is_told_the_first_sight_is_new() {
    let world = World::with(&with(&[MODEL, ("start: now", "start: beginning")]));
    let rows = shows(&world);
    let ago = world.now() - 400.hours();
    *rows.lock().expect("not poisoned") = vec![appointment(1, MORNING, ago, ago, 1)];
    world.run_for(15).await;
    assert_eq!(lines(&world.received()), ["1 New from -, none"]);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_over_everything_knows_what_was_there() {
    let reconcile = "    reconcile: { every: 1h, get: /everything }\n    lookups:\n";
    let world = World::with(&with(&[MODEL, ("    lookups:\n", reconcile)]));
    let rows = shows(&world);
    let ago = world.now() - 400.hours();
    let old = appointment(1, MORNING, ago, ago, 1);
    world
        .ehr
        .on("/api/everything", move |_| json_answer(&json!([old])));
    world.run_for(25).await;
    let now = world.now();
    *rows.lock().expect("not poisoned") = vec![
        appointment(1, NOON, ago, now, 2),
        appointment(2, NOON, now, now, 1),
    ];
    world.run_for(25).await;
    let expected = [
        "1 Reschedule from 2026-05-11T09:00:00Z, known",
        "2 New from -, none",
    ];
    assert_eq!(lines(&world.received()), expected);
}

#[tokio::test(start_paused = true)]
async fn the_day_on_which_a_record_was_made_decides_but_for_the_day_of_the_beginning() {
    let created = (
        "      id: .id\n",
        "      id: .id\n      created: .createdAt | .[:10]\n",
    );
    let world = World::with(&with(&[MODEL, created]));
    let rows = shows(&world);
    world.run_for(25).await;
    let now = world.now();
    *rows.lock().expect("not poisoned") = [(1, -24), (2, 0), (3, 24)]
        .map(|(id, hours)| appointment(id, MORNING, now + hours.hours(), now, 1))
        .to_vec();
    world.run_for(25).await;
    let expected = [
        "1 Modification from -, unknown (unknown)",
        "2 New from -, unknown (unknown)",
        "3 New from -, none",
    ];
    assert_eq!(lines(&world.received()), expected);
}

#[tokio::test(start_paused = true)]
async fn what_came_and_went_while_rounds_was_down_is_told() {
    let world = World::with(&with(&[MODEL]));
    let rows = shows(&world);
    world.run_for(25).await;
    let walk_in = world.now() + 24.hours();
    world.pass(3 * 24 * 60 * 60).await;
    *rows.lock().expect("not poisoned") =
        vec![appointment(1, &walk_in.to_string(), walk_in, walk_in, 1)];
    world.run_for(25).await;
    assert_eq!(
        lines(&world.received()),
        ["1 New from -, unknown (unknown)"]
    );
}
