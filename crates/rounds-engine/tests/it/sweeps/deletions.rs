//! What is gone, and what is only out of sight.

use super::{HOUR, ago, config, means_after, sweep_of, told, world};
use crate::ehr::{json_answer, status};
use rounds_domain::ports::{DeletionDecision, DeletionFilter, Operations, PageRequest};
use rounds_domain::{ActionName, Cursor, RecordId};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_told_with_its_last_state_and_may_come_back() {
    let (world, ward) = world("now", "reconcile: every 1h");
    for id in 1..=20 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    world.run_for(60).await;
    ward.remove(7);
    world.run_for(HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new(), "one look is not enough");
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
    world.run_for(2 * HOUR).await;
    assert_eq!(told(&world), ["7:deleted:booked"]);
}

#[tokio::test(start_paused = true)]
async fn what_changed_at_the_very_start_is_not_gone_where_the_ehr_means_after() {
    let (world, ward) = world("2026-05-01T10:00:00Z", "reconcile: every 1h");
    means_after(&world, &ward);
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
    means_after(&world, &ward);
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
    world.run_for(2 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
    assert_eq!(sweep_of(&world, "reconcile").await.held_back, 21);
    // An empty answer with status 200 is the same, only more so.
    ward.records().clear();
    world.run_for(2 * HOUR).await;
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
async fn what_is_held_back_holds_back_nothing_that_goes_later_and_a_person_decides_of_it() {
    let (world, ward) = world("now", "reconcile: every 1h");
    for id in 0..60 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    world.run_for(60).await;
    for id in 0..20 {
        ward.remove(id);
    }
    world.run_for(2 * HOUR).await;
    assert_eq!(sweep_of(&world, "reconcile").await.held_back, 20);
    // Six of forty are more than a tenth, and few.
    for id in 20..26 {
        ward.remove(id);
    }
    world.run_for(2 * HOUR).await;
    assert_eq!(told(&world).len(), 6);
    assert_eq!(sweep_of(&world, "reconcile").await.held_back, 20);

    let of = |id: Option<&str>| DeletionFilter {
        action: Some(ActionName::new("appointments")),
        record_id: id.map(RecordId::new),
    };
    let all = PageRequest {
        offset: 0,
        limit: 100,
    };
    let listed = world.store.held_deletions(of(None), all).await;
    assert_eq!(listed.expect("a list").len(), 20);
    let decided = async |id: Option<&'static str>, decision| {
        let decided = world.store.decide_deletions(of(id), decision).await;
        decided.expect("is decided")
    };
    assert_eq!(decided(Some("3"), DeletionDecision::Forget).await, 1);
    assert_eq!(decided(None, DeletionDecision::Release).await, 19);
    assert_eq!(decided(None, DeletionDecision::Release).await, 0, "once");
    world.run_for(HOUR).await;
    let mut told = told(&world);
    told.sort();
    assert_eq!(told.len(), 19);
    assert!(!told.contains(&"3:deleted:booked".to_owned()));
    assert_eq!(sweep_of(&world, "reconcile").await.held_back, 0);
    world.run_for(3 * HOUR).await;
    assert_eq!(super::told(&world), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn replicas_that_answer_in_turns_delete_nobody() {
    let (world, ward) = world("now", "reconcile: { every: 1h, get: /all }");
    for id in 0..20 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    let (asked, mut turn) = (ward.clone(), 0);
    world.ehr.on("/api/all", move |url| {
        turn += 1;
        let mut all = asked.find(url);
        if turn % 2 == 0 {
            all.pop();
        }
        json_answer(&Value::Array(all))
    });
    world.run_for(12 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_fhir_record_is_looked_for_by_its_own_address_before_it_is_told() {
    let (world, ward) = world(
        "now",
        "reconcile: { every: 1h, get: /Appointment, records: fhir_matches }",
    );
    for id in 0..20 {
        ward.put(id, "booked", ago(&world, 86_400));
    }
    let asked = ward.clone();
    let hides = Arc::new(Mutex::new(Vec::<u64>::new()));
    let hidden = Arc::clone(&hides);
    world.ehr.on("/api/Appointment", move |url| {
        let all = asked.find(url);
        let id_of = |record: &Value| record["id"].as_u64().expect("an id");
        if let Some(id) = url.path().strip_prefix("/api/Appointment/") {
            let found = all.iter().find(|record| id_of(record).to_string() == id);
            return found.map_or_else(
                || Ok(status(410)),
                |_| json_answer(&json!({ "resourceType": "Appointment", "id": id })),
            );
        }
        let hidden = hidden.lock().expect("not poisoned");
        let entries = all.iter().filter(|record| !hidden.contains(&id_of(record)));
        let entries: Vec<Value> = entries
            .map(|record| json!({ "resource": record }))
            .collect();
        json_answer(&json!({ "resourceType": "Bundle", "type": "searchset", "entry": entries }))
    });
    world.run_for(60).await;
    hides.lock().expect("not poisoned").push(3);
    ward.remove(7);
    world.run_for(HOUR).await;
    assert_eq!(
        told(&world),
        ["7:deleted:booked"],
        "at once, and nobody else"
    );
    world.run_for(6 * HOUR).await;
    assert_eq!(told(&world), Vec::<String>::new());
    assert!(
        world.ehr.asked("/api/Appointment/3") <= 1,
        "the look is not repeated"
    );
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
        "the answer showed 29 of the 30 records that the EHR says there are, and names no way to the rest"
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
    world.run_for(12 * HOUR).await;
    assert_eq!(
        {
            let mut told = told(&world);
            told.sort();
            told
        },
        ["2:deleted:booked", "5:created:booked"]
    );
}
