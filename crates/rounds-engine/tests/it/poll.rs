//! One round by hand.

use crate::world::{World, appointments_with, feed_key};
use jiff::ToSpan;
use rounds_domain::{ChangeKind, RecordId, RoundEnd};
use rounds_engine::{Choice, PollError, Subject, Trial, Which, poll, rehearse};

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_everything_and_changes_nothing() {
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    world.run_for(20).await;
    world.received();
    world.clinic.put(1, "p", "moved", world.now());
    world.clinic.put(2, "p", "booked", world.now());
    let (cursor, feed) = (world.cursor().await, world.feed("appointments").await);

    let action = feed_key("appointments", "changes");
    let report = rehearse(&world.plan, &world.ports, &action, Subject::NextRound)
        .await
        .expect("a report");
    assert_eq!(report.end, RoundEnd::Succeeded);
    let mut choices: Vec<(String, Choice)> = report
        .records
        .iter()
        .map(|chosen| {
            (
                chosen.id.clone().expect("an id").expose().to_owned(),
                chosen.choice,
            )
        })
        .collect();
    choices.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        choices,
        [("1".into(), Choice::Updated), ("2".into(), Choice::Created)]
    );
    let bodies: Vec<String> = report
        .notifications()
        .map(|told| String::from_utf8(told.body.bytes().to_vec()).expect("UTF-8"))
        .collect();
    assert!(
        bodies.iter().any(|body| body.contains(r#""was":"booked""#)),
        "{bodies:?}"
    );
    assert_eq!(
        report.exchanges.len(),
        2,
        "one page, and one lookup for both"
    );
    assert_ne!(report.cursor_before, report.cursor_after);

    assert_eq!(world.cursor().await, cursor);
    assert_eq!(world.feed("appointments").await, feed);
    world.run_for(20).await;
    assert_eq!(world.told().len(), 2, "the real round still finds them");
}

#[tokio::test(start_paused = true)]
async fn a_round_for_real_leaves_its_containers_to_the_running_engine() {
    let world = World::usual();
    world.run_for(1).await;
    world.clinic.put(1, "p", "booked", world.now());
    let action = feed_key("appointments", "changes");
    let report = poll(&world.plan, &world.ports, &action)
        .await
        .expect("a report");
    assert_eq!(report.counts.changed, 1);
    assert_eq!(world.overview().await.actions[0].containers_open, 1);
    world.run_for(1).await;
    assert_eq!(world.told(), ["1:booked"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_action_is_said() {
    let world = World::usual();
    let unknown = feed_key("apointments", "changes");
    let error = rehearse(&world.plan, &world.ports, &unknown, Subject::NextRound).await;
    assert!(matches!(error, Err(PollError::UnknownAction(name)) if name == unknown.action));
}

#[tokio::test(start_paused = true)]
async fn a_sample_is_one_page_of_what_is_there_told_as_new_and_nothing_is_noted() {
    let paged = appointments_with(&[(
        "      version: .version\n",
        "      version: .version\n      paging: { page_number: { parameter: page } }\n",
    )]);
    let world = World::with(&paged);
    for id in 0..9 {
        world
            .clinic
            .put(id, "p", "booked", world.now() - 24.hours());
    }
    world.run_for(15).await;
    let told_before = world.told();
    world.ehr.asked("/api/appointments");
    let feed = feed_key("appointments", "changes");
    let sample = Subject::Shown(None, Which::First(4));
    let report = rehearse(&world.plan, &world.ports, &feed, sample)
        .await
        .expect("is tried");
    assert_eq!(report.end, RoundEnd::Succeeded);
    assert_eq!(report.tried.len(), 4);
    assert_eq!((report.beyond, report.passed().count()), (5, 0));
    for tried in &report.tried {
        let Trial::Told(notification, _) = &tried.outcome else {
            panic!("{:?}", tried.outcome);
        };
        assert_eq!(notification.kind, ChangeKind::Created);
    }
    assert_eq!(world.ehr.asked("/api/appointments"), 1, "one page");
    assert_eq!(told_before, [""; 0]);
    world.run_for(30).await;
    assert_eq!(world.told(), [""; 0], "nothing came of it");
}

/// What `--since` and `--record` show, of a feed that starts from now and has seen all of it already.
#[tokio::test(start_paused = true)]
async fn what_is_known_is_told_all_the_same_to_whoever_asks_from_when_or_of_which() {
    let world = World::usual();
    world.run_for(1).await;
    for id in 1..4 {
        world.clinic.put(id, "p", "booked", world.now());
    }
    world.run_for(20).await;
    assert_eq!(world.told().len(), 3);
    let feed = feed_key("appointments", "changes");
    let of = async |subject| {
        let report = rehearse(&world.plan, &world.ports, &feed, subject).await;
        let told = report.map(|report| {
            let ids = report.notifications().map(|told| told.record_id.clone());
            let mut ids: Vec<String> = ids.map(|id| id.expose().to_owned()).collect();
            ids.sort();
            (ids, report.records.len(), report.exchanges.len())
        });
        told.map_err(|error| error.to_string())
    };
    let ids = |ids: &[&str]| -> Vec<String> { ids.iter().map(ToString::to_string).collect() };
    assert_eq!(of(Subject::NextRound).await.expect("a report").0, ids(&[]));

    let since = world.now() - 1.hours();
    let all = of(Subject::Shown(Some(since), Which::All)).await;
    assert_eq!(all.expect("a report").0, ids(&["1", "2", "3"]));
    let later = world.now() + 1.hours();
    let none = of(Subject::Shown(Some(later), Which::All)).await;
    assert_eq!(none.expect("a report").0, ids(&[]));

    // Known: the EHR is asked for what it refers to, and not for the record.
    let known = of(Subject::Record(RecordId::new("2"))).await;
    assert_eq!(known, Ok((ids(&["2"]), 0, 1)));
    // Not known, but there: only it is shown and looked up.
    world.clinic.put(4, "p", "booked", world.now());
    let there = of(Subject::Record(RecordId::new("4"))).await;
    assert_eq!(there, Ok((ids(&["4"]), 1, 2)));
    let nowhere = of(Subject::Record(RecordId::new("5"))).await;
    let words = nowhere.expect_err("is nowhere");
    assert!(words.contains("not among the 4 that"), "{words}");
}
