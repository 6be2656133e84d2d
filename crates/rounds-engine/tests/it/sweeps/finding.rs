//! What the sweeps find: what comes late, and what changes in silence.

use super::{HOUR, Ward, ago, busy_for, config, sweep_of, told, told_of_the_first, world};
use crate::ehr::json_answer;
use crate::world::World;
use async_trait::async_trait;
use jiff::Timestamp;
use rounds_domain::Cursor;
use rounds_domain::ports::{Clock, Ehr, EhrError, EhrRequest, EhrResponse};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    let old = ago(&world, 3 * 86_400);
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
    ward.put(1, "booked", ago(&world, 3 * 86_400));
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
