//! A feed that is asked partition by partition.

use crate::ehr::{Answer, json_answer, parameter, status};
use crate::world::{World, feed_key};
use jiff::{Timestamp, ToSpan};
use rounds_domain::{Cursor, FeedState, Partition};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const DEPARTMENTS: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api", limits: { in_flight: 3 } }
actions:
  visits:
    connection: ehr
    every: 10s
    timeout: 5s
    changes:
      get: /visits
      query: { department: "{{ partition }}", since: "{{ cursor }}" }
      for_each: EACH
      cursor: { time: rfc3339, overlap: 30s, field: .modified }
      start: START
      records: .[]
      id: .id
    notify: { body: { id: = .record.id, status: = .record.status } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// Departments with their visits; some of them may be out of order.
#[derive(Clone, Default)]
struct Clinic {
    visits: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
    broken: Arc<Mutex<Vec<String>>>,
}

impl Clinic {
    fn open(&self, department: &str) {
        let mut visits = self.visits.lock().expect("not poisoned");
        visits.entry(department.to_owned()).or_default();
    }

    fn put(&self, department: &str, id: u64, status: &str, at: Timestamp) {
        let mut visits = self.visits.lock().expect("not poisoned");
        let of_department = visits.entry(department.to_owned()).or_default();
        of_department.retain(|known| known["id"] != id);
        of_department.push(json!({ "id": id, "status": status, "modified": at.to_string() }));
    }

    fn breaks(&self, departments: &[&str]) {
        *self.broken.lock().expect("not poisoned") =
            departments.iter().map(|&name| name.to_owned()).collect();
    }

    fn answer(&self, department: &str, since: Timestamp) -> Answer {
        let broken = self.broken.lock().expect("not poisoned");
        if broken.iter().any(|known| known == department) {
            return Ok(status(403));
        }
        let visits = self.visits.lock().expect("not poisoned");
        let found = visits
            .get(department)
            .into_iter()
            .flatten()
            .filter(|visit| {
                let modified: Timestamp = visit["modified"]
                    .as_str()
                    .expect("text")
                    .parse()
                    .expect("an instant");
                modified >= since
            });
        json_answer(&Value::Array(found.cloned().collect()))
    }
}

fn world(each: &str, start: &str) -> (World, Clinic) {
    world_of(DEPARTMENTS, each, start)
}

fn world_of(yaml: &str, each: &str, start: &str) -> (World, Clinic) {
    let world = World::with(&yaml.replace("EACH", each).replace("START", start));
    let clinic = Clinic::default();
    let asked = clinic.clone();
    world.ehr.on("/api/visits", move |url| {
        let since = parameter(url, "since").parse().expect("an instant");
        asked.answer(&parameter(url, "department"), since)
    });
    let listed = clinic.clone();
    world.ehr.on("/api/departments", move |_| {
        let visits = listed.visits.lock().expect("not poisoned");
        let departments: Vec<_> = visits
            .keys()
            .map(|name| json!({ "number": name }))
            .collect();
        json_answer(&json!({ "departments": departments }))
    });
    (world, clinic)
}

async fn state_of(world: &World, department: &str) -> FeedState {
    let key = feed_key("visits", "changes").of_partition(Partition::new(department));
    world.state_of(key).await
}

const LISTED: &str = "{ get: /departments, records: '.departments[]', id: .number, every: 1m }";

#[tokio::test(start_paused = true)]
async fn each_partition_has_a_cursor_of_its_own_and_all_is_told_once() {
    let (world, clinic) = world("[7, 8, surgery]", "now");
    clinic.put("7", 1, "old", world.now() - 10.seconds());
    world.run_for(15).await;
    assert_eq!(world.told(), [] as [&str; 0]);
    let at_seven = world.now();
    clinic.put("7", 2, "booked", at_seven);
    world.run_for(15).await;
    clinic.put("surgery", 3, "booked", world.now());
    world.run_for(15).await;
    assert_eq!(world.told(), ["2:booked", "3:booked"]);
    assert_eq!(
        state_of(&world, "7").await.cursor,
        Some(Cursor::Time(at_seven))
    );
    assert_ne!(
        state_of(&world, "surgery").await.cursor,
        Some(Cursor::Time(at_seven))
    );
    let whole = world.feed("visits").await;
    assert_eq!((whole.partitions, whole.failing_partitions), (3, 0));
    assert!(world.ehr.most_under_way() <= 3);
}

#[tokio::test(start_paused = true)]
async fn one_partition_that_fails_costs_the_others_nothing_and_is_made_up_for() {
    let (world, clinic) = world("[7, 8, 9]", "now");
    world.run_for(15).await;
    clinic.breaks(&["8"]);
    clinic.put("7", 1, "booked", world.now());
    clinic.put("8", 2, "booked", world.now());
    world.run_for(60).await;
    assert_eq!(world.told(), ["1:booked"]);
    let whole = world.feed("visits").await;
    assert_eq!(whole.failures_in_a_row, 0, "the feed itself goes on");
    assert_eq!((whole.partitions, whole.failing_partitions), (3, 1));
    let eight = state_of(&world, "8").await;
    assert_eq!(eight.failure.expect("a failure").code.as_str(), "R0311");

    // A week later, which is much more than the overlap.
    clinic.breaks(&[]);
    clinic.put("8", 3, "booked", world.now());
    world.run_for(60).await;
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["2:booked", "3:booked"]);
    assert_eq!(world.feed("visits").await.failing_partitions, 0);
}

#[tokio::test(start_paused = true)]
async fn when_all_partitions_fail_the_feed_does_and_few_are_asked_in_vain() {
    let many: Vec<String> = (100..200).map(|number| number.to_string()).collect();
    let (world, clinic) = world(&format!("[{}]", many.join(", ")), "now");
    let all: Vec<&str> = many.iter().map(String::as_str).collect();
    clinic.breaks(&all);
    world.run_for(1).await;
    let whole = world.feed("visits").await;
    let failure = whole.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), "R0311");
    assert!(
        failure.message.starts_with("all of "),
        "{}",
        failure.message
    );
    let asked = world.ehr.asked("/api/visits");
    assert!((5..=8).contains(&asked), "{asked} requests");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_appears_later_has_its_first_changes_told() {
    let (world, clinic) = world(LISTED, "now");
    clinic.put("7", 1, "old", world.now() - 10.seconds());
    world.run_for(70).await;
    assert_eq!(world.told(), [] as [&str; 0]);
    // A new department, with one record from before it was there and one that is new, and it is out of order at first.
    clinic.open("new");
    clinic.put("new", 2, "moved here", world.now() - 3_600.seconds());
    clinic.put("new", 3, "booked", world.now());
    clinic.breaks(&["new"]);
    world.run_for(90).await;
    assert_eq!(world.told(), [] as [&str; 0]);
    assert!(state_of(&world, "new").await.failure.is_some());
    clinic.breaks(&[]);
    world.run_for(60).await;
    assert_eq!(world.told(), ["3:booked"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_serves_for_a_while_and_no_longer_than_its_process() {
    let (world, clinic) = world(LISTED, "now");
    clinic.open("7");
    world.run_for(55).await;
    assert_eq!(world.ehr.asked("/api/departments"), 1);
    world.ehr.on("/api/departments", |_| Ok(status(403)));
    world.run_for(11).await;
    let failure = world.feed("visits").await.failure;
    assert_eq!(
        failure.map(|failure| failure.code.as_str()),
        Some("R0311"),
        "a new process has no former list"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_renewed_serves_on() {
    let (world, clinic) = world(LISTED, "now");
    let (mut is_first, begun) = (true, world.now());
    world.ehr.on("/api/departments", move |_| {
        if std::mem::replace(&mut is_first, false) {
            return json_answer(&json!({ "departments": [{ "number": "7" }] }));
        }
        clinic.put("7", 1, "booked", begun + 60.seconds());
        Ok(status(403))
    });
    world.run_for(120).await;
    assert_eq!(world.told(), ["1:booked"]);
    assert_eq!(world.feed("visits").await.failures_in_a_row, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_list_nothing_is_asked_and_the_feed_says_why() {
    let (world, _) = world(LISTED, "now");
    world.ehr.on("/api/departments", |_| {
        json_answer(&json!({ "departments": [{ "name": "no number" }] }))
    });
    world.run_for(30).await;
    let failure = world.feed("visits").await.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), "R0324");
    assert_eq!(world.ehr.asked("/api/visits"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tour_that_is_cut_short_is_continued_where_it_was() {
    let (world, clinic) = world("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", "now");
    // Three at once, four seconds each: a tour takes sixteen.
    *world.ehr.takes.lock().expect("not poisoned") = std::time::Duration::from_secs(4);
    world.run_for(40).await;
    let first: Vec<_> = world.ehr.take_log();
    assert!(first.len() > 12);
    for id in 1..=12 {
        clinic.put(&id.to_string(), id, "booked", world.now());
    }
    // Each life is too short for a tour.
    for _ in 0..12 {
        world.run_for(6).await;
    }
    let mut told = world.told();
    told.sort_by_key(|told| told.split(':').next().and_then(|id| id.parse::<u64>().ok()));
    let all: Vec<_> = (1..=12).map(|id| format!("{id}:booked")).collect();
    assert_eq!(told, all);
}

/// Departments that count their visits alike, and a lookup and a body that name the department.
fn counting_alike() -> (World, Clinic) {
    let body = "{ id: = .record.id, status: = .record.status }";
    let of_partition = "{ id: '= .partition + \"-\" + (.record.id | tostring)', status: = .visit.status, whose: = .visit.whose }";
    let yaml = DEPARTMENTS.replace(body, of_partition);
    assert_ne!(yaml, DEPARTMENTS);
    let lookups =
        "    lookups: { visit: { get: \"/charts/{{ partition }}/{{ record.id }}\" } }\n    notify:";
    let (world, clinic) = world_of(
        &yaml.replace("    notify:", lookups),
        "[north, south]\n      ids: per_partition",
        "now",
    );
    for department in ["north", "south"] {
        let path = format!("/api/charts/{department}/1");
        let visit = json!({ "id": 1, "status": "seen", "whose": department });
        world.ehr.on(&path, move |_| json_answer(&visit));
    }
    (world, clinic)
}

#[tokio::test(start_paused = true)]
async fn partitions_that_count_alike_have_a_record_each() {
    let (world, clinic) = counting_alike();
    world.run_for(15).await;
    clinic.put("north", 1, "booked", world.now());
    clinic.put("south", 1, "cancelled", world.now());
    world.run_for(120).await;
    assert_eq!(
        world.told_sorted(),
        [r#""north-1":seen"#, r#""south-1":seen"#]
    );
    clinic.put("south", 1, "booked", world.now());
    world.run_for(60).await;
    assert_eq!(world.told(), [r#""south-1":seen"#]);
}

#[tokio::test(start_paused = true)]
async fn two_partitions_that_show_one_id_are_a_finding_of_the_feed() {
    let (world, clinic) = world("[north, south]", "now");
    world.run_for(15).await;
    clinic.put("north", 1, "booked", world.now());
    clinic.put("south", 1, "cancelled", world.now());
    world.run_for(60).await;
    let findings = world.feed("visits").await.findings;
    let codes: Vec<&str> = (findings.iter())
        .map(|finding| finding.sighting.code.as_str())
        .collect();
    assert_eq!(codes, ["R0371"]);
    assert_eq!(
        state_of(&world, "south").await.findings,
        [],
        "of the feed as a whole"
    );
}
