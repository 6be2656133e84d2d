//! A version is told once and never backwards: duplicates, replicas, servers that never move it, and rules that are edited.

use crate::ehr::{json_answer, with_header};
use crate::world::{World, appointments_with as with};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The version that the usual configuration names, taken out: contents are compared.
const BY_CONTENT: (&str, &str) = ("      version: .version\n", "");

fn row(id: u64, status: &str, at: Timestamp, version: u64) -> Value {
    json!({ "id": id, "status": status, "version": version, "patientID": "p", "lastModified": at.to_string() })
}

/// An EHR that always shows these rows.
pub(crate) fn shows(world: &World) -> Arc<Mutex<Vec<Value>>> {
    let rows: Arc<Mutex<Vec<Value>>> = Arc::default();
    let shown = Arc::clone(&rows);
    world.ehr.on("/api/appointments", move |_| {
        json_answer(&Value::Array(shown.lock().expect("not poisoned").clone()))
    });
    rows
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_holds_two_states_of_a_record_tells_the_later_one_once() {
    for replacements in [vec![], vec![BY_CONTENT]] {
        for order in [[0, 1], [1, 0]] {
            let world = World::with(&with(&replacements));
            let rows = shows(&world);
            world.run_for(1).await;
            let now = world.now();
            let states = [row(1, "old", now - 3.seconds(), 1), row(1, "new", now, 2)];
            *rows.lock().expect("not poisoned") =
                order.iter().map(|at| states[*at].clone()).collect();
            world.run_for(28).await;
            assert_eq!(world.told(), ["1:new"], "{order:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_not_unique_is_not_told_in_turns() {
    // A list joined with its participants, without dates: each row twice, in two contents, in either order.
    let undated = [
        BY_CONTENT,
        (
            "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", overlap: 30s, field: .lastModified }",
            "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", overlap: 30s }",
        ),
    ];
    let world = World::with(&with(&undated));
    let rows = shows(&world);
    world.run_for(1).await;
    let mut both = vec![
        json!({ "id": 1, "status": "booked", "patientID": "p", "who": "doctor" }),
        json!({ "id": 1, "status": "booked", "patientID": "p", "who": "patient" }),
    ];
    for _ in 0..6 {
        *rows.lock().expect("not poisoned") = both.clone();
        world.run_for(30).await;
        both.reverse();
    }
    assert_eq!(world.told().len(), 1, "once");
    // What really changes is told.
    let both: Vec<Value> = (both.into_iter())
        .map(|mut row| {
            row["status"] = json!("moved");
            row
        })
        .collect();
    *rows.lock().expect("not poisoned") = both;
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:moved"]);
}

#[tokio::test(start_paused = true)]
async fn replicas_that_answer_in_turns_tell_no_state_twice() {
    for replacements in [vec![], vec![BY_CONTENT]] {
        let world = World::with(&with(&replacements));
        let now = world.now();
        let (ahead, behind) = (
            row(1, "new", now + 5.seconds(), 2),
            row(1, "old", now + 1.seconds(), 1),
        );
        let (mut turn, clock) = (0, Arc::clone(&world.ports.clock));
        world.ehr.on("/api/appointments", move |_| {
            turn += 1;
            let is_there = clock.now() > now + 4.seconds();
            let row = if turn % 2 == 0 { &ahead } else { &behind };
            json_answer(&if is_there { json!([row]) } else { json!([]) })
        });
        world.run_for(29).await;
        let told = world.told();
        assert!(
            told.len() <= 2 && told.last() == Some(&"1:new".to_owned()),
            "{told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_never_moves_does_not_hide_a_change() {
    let world = World::usual();
    world.run_for(1).await;
    let put = |status: &str| {
        let mut record = row(1, status, world.now(), 1);
        record["version"] = json!(1);
        record
    };
    let rows = Arc::new(Mutex::new(Vec::<Value>::new()));
    let shown = Arc::clone(&rows);
    world.ehr.on("/api/appointments", move |_| {
        json_answer(&Value::Array(shown.lock().expect("not poisoned").clone()))
    });
    for status in ["booked", "moved", "cancelled"] {
        *rows.lock().expect("not poisoned") = vec![put(status)];
        world.run_for(25).await;
        assert_eq!(world.told(), [format!("1:{status}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_versions_that_is_edited_tells_nothing_that_did_not_change() {
    let edits: &[(&str, &str)] = &[
        BY_CONTENT,
        (
            "      version: .version\n",
            "      version: '[.version, .status]'\n",
        ),
        ("      version: .version\n", "      ignore: [.seen]\n"),
    ];
    for edit in edits {
        let world = World::usual();
        world.run_for(1).await;
        for id in 0..5 {
            world.clinic.put(id, "p", "booked", world.now());
        }
        world.run_for(15).await;
        assert_eq!(world.told().len(), 5);
        let world = world.reconfigured(&with(&[*edit]));
        world.run_for(10).await;
        assert_eq!(world.told(), Vec::<String>::new(), "{edit:?}");
        world.clinic.put(3, "p", "moved", world.now());
        world.run_for(15).await;
        assert_eq!(world.told(), ["3:moved"], "{edit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_dated_in_the_future_is_told_when_its_date_is_mended() {
    let world = World::usual();
    let rows = shows(&world);
    world.run_for(1).await;
    *rows.lock().expect("not poisoned") = vec![row(1, "wrong", world.now() + 8_760.hours(), 1)];
    world.run_for(15).await;
    assert_eq!(world.told(), ["1:wrong"]);
    *rows.lock().expect("not poisoned") = vec![row(1, "right", world.now(), 2)];
    world.run_for(15).await;
    assert_eq!(world.told(), ["1:right"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_a_wrong_date_makes_no_past_of_a_date_in_the_future() {
    let world = World::usual();
    let rows = shows(&world);
    world.run_for(1).await;
    *rows.lock().expect("not poisoned") = vec![row(1, "wrong", world.now() + 8_760.hours(), 1)];
    world.run_for(15).await;
    assert_eq!(world.told(), ["1:wrong"]);
    // One server of several says that it is 2046, and by its clock the wrong date is long past.
    let right = Value::Array(vec![row(1, "right", world.now(), 2)]);
    world.ehr.on("/api/appointments", move |_| {
        let date = "Thu, 01 Mar 2046 10:00:00 GMT";
        with_header(json_answer(&right), "date", date)
    });
    world.run_for(15).await;
    assert_eq!(world.told(), ["1:right"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_in_the_hour_that_comes_twice_is_told_though_it_seems_older() {
    let fold: Timestamp = "2026-11-01T05:40:00Z".parse().expect("an instant");
    let config = with(&[(
        "overlap: 30s, field",
        "overlap: 2h, zone: America/New_York, field",
    )]);
    let world = World::beginning_at(fold - 60.seconds(), &config);
    let rows = shows(&world);
    world.run_for(1).await;
    // 01:40 in summer time, then 01:31 in winter time, an hour less nine minutes later.
    let local = |status: &str, at: &str, version: u64| json!({ "id": 1, "status": status, "version": version, "patientID": "p", "lastModified": at });
    world.run_for(70).await;
    *rows.lock().expect("not poisoned") = vec![local("first", "2026-11-01T01:40:00", 1)];
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:first"]);
    world.pass(51 * 60).await;
    *rows.lock().expect("not poisoned") = vec![local("second", "2026-11-01T01:31:00", 2)];
    world.run_for(20).await;
    assert_eq!(world.told(), ["1:second"]);
}
