//! The two sweeps beside the change query: what comes late, what changes in silence, what is gone.

use crate::ehr::{json_answer, status};
use crate::world::{World, feed_key};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rounds_domain::ports::{Clock, Ehr, EhrError, EhrRequest, EhrResponse};
use rounds_domain::{Cursor, FeedState};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// Appointments that the story writes as it likes: also with an old date, or without a new one.
#[derive(Clone, Default)]
struct Ward(Arc<Mutex<BTreeMap<u64, Value>>>);

impl Ward {
    /// Writes an appointment that says that it changed at `modified`.
    fn put(&self, id: u64, status: &str, modified: Timestamp) {
        self.put_on(id, status, modified, "2026-05-02");
    }

    /// The same, with the day on which it is.
    fn put_on(&self, id: u64, status: &str, modified: Timestamp, day: &str) {
        let appointment = json!({
            "id": id, "status": status, "day": day, "lastModified": modified.to_string(),
        });
        self.records().insert(id, appointment);
    }

    fn remove(&self, id: u64) {
        self.records().remove(&id);
    }

    fn records(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Value>> {
        self.0.lock().expect("not poisoned")
    }

    /// Those whose parameters of the query lie within it.
    fn find(&self, url: &Url) -> Vec<Value> {
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let since = asked
            .get("since")
            .map(|since| since.parse::<Timestamp>().expect("an instant"));
        let until = asked
            .get("until")
            .map(|until| until.parse::<Timestamp>().expect("an instant"));
        let text = |record: &Value, key: &str| record[key].as_str().expect("text").to_owned();
        self.records()
            .values()
            .filter(|record| {
                let modified: Timestamp = text(record, "lastModified").parse().expect("an instant");
                let day = text(record, "day");
                since.is_none_or(|since| modified >= since)
                    && until.is_none_or(|until| modified <= until)
                    && asked.get("from").is_none_or(|from| day >= *from)
                    && asked.get("to").is_none_or(|to| day <= *to)
            })
            .cloned()
            .collect()
    }
}

/// A change query every ten seconds, with these sweeps beside it.
fn config(start: &str, sweeps: &str) -> String {
    format!(
        r#"
connections:
  ehr: {{ base_url: "https://ehr.example/api" }}
actions:
  appointments:
    connection: ehr
    every: 30s
    timeout: 5s
    changes:
      get: /appointments
      query: {{ since: "{{{{ cursor }}}}" }}
      cursor: {{ time: rfc3339, overlap: 30s, field: .lastModified }}
      start: {start}
      records: .[]
      id: .id
    {sweeps}
    notify:
      body: {{ id: = .record.id, status: = .record.status, was: = .previous.status, kind: = .change.kind }}
    to: app
destinations:
  app: {{ url: "https://app.example/hooks" }}
"#
    )
}

fn world(start: &str, sweeps: &str) -> (World, Ward) {
    let world = World::with(&config(start, sweeps));
    let ward = Ward::default();
    let asked = ward.clone();
    world.ehr.on("/api/appointments", move |url| {
        json_answer(&Value::Array(asked.find(url)))
    });
    (world, ward)
}

fn ago(world: &World, seconds: i64) -> Timestamp {
    world.now() - SignedDuration::from_secs(seconds)
}

/// `id:kind:status` of what was told since the last call, in order of ids.
fn told(world: &World) -> Vec<String> {
    let mut told: Vec<String> = world
        .bodies()
        .iter()
        .map(|body| {
            let text = |key: &str| body[key].as_str().unwrap_or("?").to_owned();
            format!("{}:{}:{}", body["id"], text("kind"), text("status"))
        })
        .collect();
    told.sort();
    told
}

async fn sweep_of(world: &World, feed: &str) -> FeedState {
    world.state_of(feed_key("appointments", feed)).await
}

const HOUR: u64 = 3_600;

/// Changes of other records that the source tells in time, every minute, so that the cursors move as they do in a busy clinic.
async fn busy_for(world: &World, ward: &Ward, minutes: u64) {
    for _ in 0..minutes {
        let id = 1_000 + u64::try_from(world.now().as_second() % 1_000_000).expect("after 1970");
        ward.put(id, "in time", world.now());
        world.run_for(60).await;
    }
}

/// What was told of the first record since the last call.
fn told_of_the_first(world: &World) -> Vec<String> {
    told(world)
        .into_iter()
        .filter(|told| told.starts_with("1:"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_shows_up_late_is_found_by_the_trailing_sweep_and_told_once() {
    // Case 28: Estuary's Jira connector (EC:a9dd5b9e5, EC:a5e72df3c) had to make its horizon 5 minutes, then 2 hours.
    let (world, ward) = world("now", "trailing: { every: 5m, horizon: 2h }");
    world.run_for(5).await;
    let stamped = world.now();
    busy_for(&world, &ward, 90).await;
    ward.put(1, "late", stamped);
    busy_for(&world, &ward, 10).await;
    assert_eq!(told_of_the_first(&world), ["1:created:late"]);
    let trailing = sweep_of(&world, "trailing").await;
    assert_eq!(trailing.late, 1);
    assert!(
        trailing
            .longest_late
            .is_some_and(|late| late.as_secs() >= 90 * 60)
    );
    busy_for(&world, &ward, 180).await;
    assert_eq!(told_of_the_first(&world), Vec::<String>::new());
    // And the sweep does not look back for ever: its cursor follows, a horizon behind.
    let Some(Cursor::Time(cursor)) = sweep_of(&world, "trailing").await.cursor else {
        panic!("no time cursor");
    };
    let behind = world.now().duration_since(cursor).as_secs();
    assert!((7_200..7_200 + 600).contains(&behind), "{behind} s behind");
}

#[tokio::test(start_paused = true)]
async fn a_query_with_an_upper_bound_is_swept_only_where_the_horizon_is() {
    let text = config("now", "trailing: { every: 5m, horizon: 2h }").replace(
        r#"since: "{{ cursor }}""#,
        r#"since: "{{ cursor }}", until: "{{ until }}""#,
    );
    let world = World::with(&text);
    let ward = Ward::default();
    let (asked, clock) = (ward.clone(), Arc::clone(&world.ports.clock));
    let widest = Arc::new(Mutex::new(0));
    let measured = Arc::clone(&widest);
    world.ehr.on("/api/appointments", move |url| {
        let found = asked.find(url);
        // What the trailing sweep is shown is asked for a second time: its rows are what it costs.
        let until: Timestamp = url
            .query_pairs()
            .find(|(name, _)| name == "until")
            .map(|(_, until)| until.parse().expect("an instant"))
            .expect("until is asked");
        if clock.now().duration_since(until).as_secs() >= 7_200 {
            let mut widest = measured.lock().expect("not poisoned");
            *widest = found.len().max(*widest);
        }
        json_answer(&Value::Array(found))
    });
    world.run_for(5).await;
    let stamped = world.now();
    busy_for(&world, &ward, 30).await;
    ward.put(1, "late", stamped);
    busy_for(&world, &ward, 60).await;
    assert_eq!(told_of_the_first(&world), Vec::<String>::new());
    busy_for(&world, &ward, 60).await;
    assert_eq!(told_of_the_first(&world), ["1:created:late"]);
    busy_for(&world, &ward, 120).await;
    // Five minutes of a change a minute, and the overlap.
    let widest = *widest.lock().expect("not poisoned");
    assert!(widest <= 8, "{widest} rows in one trailing round");
}

#[tokio::test(start_paused = true)]
async fn what_shows_up_later_than_the_horizon_is_found_by_the_reconcile_and_counted() {
    // Case 28 again, with a horizon that is too short.
    let (world, ward) = world(
        "now",
        "trailing: { every: 5m, horizon: 20m }\n    reconcile: { every: 6h }",
    );
    world.run_for(5).await;
    let stamped = world.now();
    busy_for(&world, &ward, 90).await;
    ward.put(1, "late", stamped);
    busy_for(&world, &ward, 60).await;
    assert_eq!(sweep_of(&world, "trailing").await.late, 0);
    world.run_for(6 * HOUR).await;
    assert_eq!(told_of_the_first(&world), ["1:created:late"]);
    let reconcile = sweep_of(&world, "reconcile").await;
    assert_eq!((reconcile.late, reconcile.undeclared), (1, 0));
    world.run_for(24 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_change_without_a_new_date_is_found_by_the_reconcile() {
    let (world, ward) = world("now", "reconcile: every 1h");
    let old = ago(&world, 86_400);
    ward.put(1, "booked", old);
    ward.put(2, "booked", old);
    world.run_for(HOUR + 60).await;
    assert_eq!(
        told(&world),
        Vec::<String>::new(),
        "what was there is not told"
    );
    ward.put(1, "cancelled", old);
    world.run_for(HOUR).await;
    assert_eq!(told(&world), ["1:updated:cancelled"]);
    let reconcile = sweep_of(&world, "reconcile").await;
    assert_eq!((reconcile.undeclared, reconcile.late), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_first_look_swallows_no_change() {
    // The sweep is added to a feed that has long been running. A record comes in the very second in which the sweep looks for the
    // first time: it sees it before the change query does.
    let (world, ward) = world("now", "");
    world.run_for(60).await;
    ward.put(1, "booked", ago(&world, 86_400));
    let world = world.reconfigured(&config("now", "reconcile: every 1h"));
    let sneaky = ward.clone();
    let clock = Arc::clone(&world.ports.clock);
    let mut is_first = true;
    world.ehr.on("/api/appointments", move |url| {
        let is_sweep = url.query().is_some_and(|query| query.contains("1970"));
        if is_sweep && std::mem::take(&mut is_first) {
            sneaky.put(2, "new", clock.now());
        }
        json_answer(&Value::Array(sneaky.find(url)))
    });
    world.run_for(60).await;
    assert_eq!(told(&world), ["2:created:new"]);
    world.run_for(3 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn from_the_beginning_every_record_is_told_once_whichever_feed_sees_it_first() {
    let (world, ward) = world(
        "beginning",
        "trailing: { every: 1m, horizon: 10m }\n    reconcile: every 1m",
    );
    for id in 0..50 {
        ward.put(
            id,
            "booked",
            ago(&world, 60 * i64::try_from(id).expect("small")),
        );
    }
    world.run_for(600).await;
    assert_eq!(told(&world).len(), 50);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_told_with_its_last_state_and_may_come_back() {
    let (world, ward) = world("now", "reconcile: every 1h");
    for id in 1..=20 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    world.run_for(60).await;
    ward.remove(7);
    world.run_for(HOUR).await;
    assert_eq!(told(&world), ["7:deleted:booked"]);
    assert_eq!(sweep_of(&world, "reconcile").await.deleted, 1);
    world.run_for(3 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new(), "once");
    ward.put(7, "booked", ago(&world, 86_400));
    world.run_for(HOUR).await;
    assert_eq!(told(&world), ["7:updated:booked"]);
}

#[tokio::test(start_paused = true)]
async fn what_changed_last_before_the_sweep_begins_to_look_is_not_gone() {
    // The change query went back to 1970 and the sweep looks at May only.
    let (world, ward) = world(
        "beginning",
        "reconcile: { every: 1h, since: 2026-04-30T00:00:00Z }",
    );
    ward.put(1, "long ago", ago(&world, 90 * 86_400));
    for id in 2..=20 {
        ward.put(id, "booked", ago(&world, 3_600));
    }
    world.run_for(60).await;
    let told_at_first = told(&world);
    assert!(
        told_at_first.len() == 20 && told_at_first.iter().all(|told| told.contains(":created:")),
        "{told_at_first:?}"
    );
    world.run_for(3 * HOUR).await;
    assert_eq!(
        told(&world),
        Vec::<String>::new(),
        "record 1 is still there"
    );
    // What the sweep has shown and shows no more is gone.
    ward.remove(7);
    world.run_for(HOUR).await;
    assert_eq!(told(&world), ["7:deleted:booked"]);
}

#[tokio::test(start_paused = true)]
async fn what_changed_at_the_very_start_is_not_gone_where_the_ehr_means_after() {
    let (world, ward) = world("2026-05-01T10:00:00Z", "reconcile: every 1h");
    let asked = ward.clone();
    world.ehr.on("/api/appointments", move |url| {
        let since = url
            .query_pairs()
            .find(|(name, _)| name == "since")
            .map(|(_, since)| since.parse::<Timestamp>().expect("an instant"));
        let after = |record: &Value| {
            let modified = record["lastModified"].as_str().expect("text");
            let modified: Timestamp = modified.parse().expect("an instant");
            since.is_none_or(|since| modified > since)
        };
        json_answer(&Value::Array(
            asked.find(url).into_iter().filter(after).collect(),
        ))
    });
    ward.put(1, "at the start", world.now());
    world.run_for(60).await;
    assert_eq!(told(&world), ["1:created:at the start"]);
    for id in 2..=20 {
        ward.put(id, "booked", world.now());
    }
    world.run_for(60).await;
    assert_eq!(told(&world).len(), 19);
    world.run_for(3 * HOUR).await;
    assert_eq!(
        told(&world),
        Vec::<String>::new(),
        "record 1 is still there"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_long_ago_has_its_very_instant_where_the_ehr_means_after() {
    let (world, ward) = world("2026-04-30T00:00:00Z", "");
    let asked = ward.clone();
    world.ehr.on("/api/appointments", move |url| {
        let since = url
            .query_pairs()
            .find(|(name, _)| name == "since")
            .map(|(_, since)| since.parse::<Timestamp>().expect("an instant"));
        let after = |record: &Value| {
            let modified = record["lastModified"].as_str().expect("text");
            let modified: Timestamp = modified.parse().expect("an instant");
            since.is_none_or(|since| modified > since)
        };
        json_answer(&Value::Array(
            asked.find(url).into_iter().filter(after).collect(),
        ))
    });
    let start = "2026-04-30T00:00:00Z".parse().expect("an instant");
    ward.put(1, "at the start", start);
    ward.put(2, "later", ago(&world, 3_600));
    world.run_for(120).await;
    assert_eq!(told(&world), ["1:created:at the start", "2:created:later"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_moved_later_deletes_nothing() {
    let (world, ward) = world("beginning", "reconcile: every 1h");
    ward.put(1, "long ago", ago(&world, 90 * 86_400));
    for id in 2..=20 {
        ward.put(id, "booked", ago(&world, 3_600));
    }
    world.run_for(60).await;
    assert_eq!(told(&world).len(), 20);
    let world = world.reconfigured(&config("2026-04-30T00:00:00Z", "reconcile: every 1h"));
    world.run_for(3 * HOUR).await;
    assert_eq!(
        told(&world),
        Vec::<String>::new(),
        "record 1 is still there"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_dies_on_page_three_deletes_nothing() {
    // Case 88: NangoHQ/nango#1132, #1133 deleted what a sweep that had failed did not show.
    let (world, ward) = world(
        "now",
        "reconcile: { every: 1h, get: /all, paging: { token: { parameter: page, from: .next } }, records: '.items[]' }",
    );
    for id in 0..40 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    let dies = Arc::new(Mutex::new(false));
    let (asked, dies_now) = (ward.clone(), Arc::clone(&dies));
    world.ehr.on("/api/all", move |url| {
        let page = url
            .query_pairs()
            .find(|(name, _)| name == "page")
            .map_or(0, |(_, page)| page.parse::<usize>().expect("a number"));
        if page == 2 && *dies_now.lock().expect("not poisoned") {
            return Ok(status(500));
        }
        let all = asked.find(url);
        let items: Vec<Value> = all.iter().skip(page * 10).take(10).cloned().collect();
        let next = (page < 3).then(|| (page + 1).to_string());
        json_answer(&json!({ "items": items, "next": next }))
    });
    world.run_for(60).await;
    ward.remove(39);
    *dies.lock().expect("not poisoned") = true;
    world.run_for(2 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
    assert!(sweep_of(&world, "reconcile").await.failure.is_some());
    *dies.lock().expect("not poisoned") = false;
    world.run_for(2 * HOUR).await;
    assert_eq!(told(&world), ["39:deleted:booked"]);
}

#[tokio::test(start_paused = true)]
async fn too_many_deletions_at_once_are_held_back_and_said() {
    let (world, ward) = world("now", "reconcile: { every: 1h, hold_back: 20% }");
    for id in 0..100 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    world.run_for(60).await;
    let before = ward.records().clone();
    for id in 0..21 {
        ward.remove(id);
    }
    world.run_for(HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
    assert_eq!(sweep_of(&world, "reconcile").await.held_back, 21);
    // An empty answer with status 200 is the same, only more so.
    ward.records().clear();
    world.run_for(HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
    assert_eq!(sweep_of(&world, "reconcile").await.held_back, 100);
    // All but a few come back: these few are told.
    ward.records()
        .extend(before.into_iter().filter(|(id, _)| *id >= 20));
    world.run_for(HOUR).await;
    assert_eq!(told(&world).len(), 20);
    assert_eq!(sweep_of(&world, "reconcile").await.held_back, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_fewer_records_than_it_says_deletes_nothing() {
    let (world, ward) = world(
        "now",
        "reconcile: { every: 1h, get: /all, records: '.entry[].resource' }",
    );
    for id in 0..30 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    let asked = ward.clone();
    world.ehr.on("/api/all", move |url| {
        let all = asked.find(url);
        // The server cuts its answer and says so in `total` only.
        let entries: Vec<Value> = all
            .iter()
            .take(29)
            .map(|record| json!({ "resource": record, "search": { "mode": "match" } }))
            .collect();
        json_answer(&json!({
            "resourceType": "Bundle", "type": "searchset", "total": all.len(), "entry": entries,
        }))
    });
    world.run_for(60).await;
    let reconcile = sweep_of(&world, "reconcile").await;
    let failure = reconcile.failure.expect("a failure");
    assert_eq!(failure.code.as_str(), "R0323");
    assert_eq!(
        failure.message,
        "a sweep showed 29 of the 30 records that the EHR says there are"
    );
    world.run_for(HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_over_dates_knows_what_only_comes_into_sight_or_leaves_it() {
    let (world, ward) = world(
        "now",
        "reconcile: { every: 6h, get: /appointments, query: { from: '{{ from }}', to: '{{ to }}' }, \
         dates: { from: -1d, to: 3d, field: .day }, hold_back: 100% }",
    );
    let old = ago(&world, 86_400);
    // The story begins on the first of May.
    for (id, day) in [
        (1, "2026-04-30"),
        (2, "2026-05-02"),
        (3, "2026-05-05"),
        (4, "2026-05-20"),
    ] {
        ward.put_on(id, "booked", old, day);
    }
    world.run_for(HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
    let state = sweep_of(&world, "reconcile").await;
    let range = Cursor::Dates {
        from: "2026-04-30".parse().expect("a date"),
        to: "2026-05-04".parse().expect("a date"),
    };
    assert_eq!(state.cursor, Some(range));
    // Two days later the first has left the dates and the third has come into them: nobody changed either.
    world.run_for(48 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
    // One within the dates goes, one that is out of sight too, and one is booked in silence for tomorrow.
    ward.remove(2);
    ward.remove(1);
    ward.put_on(5, "booked", old, "2026-05-04");
    world.run_for(6 * HOUR).await;
    assert_eq!(told(&world), ["2:deleted:booked", "5:created:booked"]);
}

/// An EHR whose answers to the sweep are made at once and arrive late.
struct SlowSweeps {
    ehr: Arc<dyn Ehr>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Ehr for SlowSweeps {
    async fn send(&self, request: EhrRequest) -> Result<EhrResponse, EhrError> {
        let is_sweep = request
            .url
            .query()
            .is_some_and(|query| query.contains("1970"));
        let answer = self.ehr.send(request).await;
        if is_sweep {
            self.clock.sleep(Duration::from_secs(25)).await;
        }
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_a_faster_feed_overtook_is_not_told_after_the_newer_one() {
    let (mut world, ward) = world("now", "reconcile: every 30s");
    world.ports.ehr = Arc::new(SlowSweeps {
        ehr: Arc::clone(&world.ports.ehr),
        clock: Arc::clone(&world.ports.clock),
    });
    ward.put(1, "000", ago(&world, 86_400));
    let edits = ward.clone();
    let clock = Arc::clone(&world.ports.clock);
    let editing = async {
        for edit in 1..=200 {
            clock.sleep(Duration::from_secs(3)).await;
            edits.put(1, &format!("{edit:03}"), clock.now());
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = world.run_for(15 * 60) => {}
        () = editing => {}
    }
    let told: Vec<String> = world
        .bodies()
        .iter()
        .map(|body| body["status"].as_str().expect("text").to_owned())
        .collect();
    assert!(told.is_sorted_by(|one, other| one < other), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("200"));
}
