//! One round by hand.

use crate::world::World;
use crate::world::feed_key;
use rounds_domain::RoundEnd;
use rounds_engine::{Choice, PollError, PollMode, poll};

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
    let report = poll(&world.plan, &world.ports, &action, PollMode::DryRun)
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
        .notifications
        .iter()
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
    let report = poll(&world.plan, &world.ports, &action, PollMode::Commit)
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
    let error = poll(&world.plan, &world.ports, &unknown, PollMode::DryRun).await;
    assert!(matches!(error, Err(PollError::UnknownAction(name)) if name == unknown.action));
}
