//! Imaging.

use super::{NOTHING, Shared, example, parameter, told};
use crate::ehr::{json_answer, status};
use crate::world::World;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn orthancs_log_has_gaps_and_says_when_it_is_done() {
    let world = World::with(&example("orthanc"));
    let log: Shared<Vec<(u64, &str, &str)>> =
        Shared::new(vec![(2, "NewStudy", "s0"), (5, "StableStudy", "s0")]);
    let asked = log.clone();
    world.ehr.on("/changes", move |url| {
        let since: u64 = parameter(url, "since").parse().expect("a number");
        asked.with(|log| {
            let later: Vec<&(u64, &str, &str)> =
                log.iter().filter(|(seq, ..)| *seq > since).collect();
            // Two to a page.
            let shown: Vec<Value> = (later.iter().take(2))
                .map(|(seq, kind, id)| json!({ "Seq": seq, "ChangeType": kind, "ID": id }))
                .collect();
            let last = shown
                .last()
                .map_or(since, |change| change["Seq"].as_u64().expect("a number"));
            json_answer(&json!({ "Changes": shown, "Done": later.len() <= 2, "Last": last }))
        })
    });
    world.ehr.on("/studies/gone", |_| Ok(status(404)));
    world.ehr.on("/studies/", |url| {
        json_answer(&json!({ "ID": url.path().rsplit('/').next() }))
    });
    world.run_for(30).await;
    assert_eq!(told(&world, &["/record/ID"]), NOTHING);
    log.with(|log| {
        log.extend([
            (7, "NewInstance", "i"),
            (8, "NewStudy", "s1"),
            (11, "StableStudy", "s1"),
            (12, "StableStudy", "gone"),
            (20, "StableStudy", "s2"),
        ]);
    });
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/ID", "/study/ID"]),
        ["s1 s1", "s2 s2"],
        "what is gone already is dropped"
    );
    // A deleted patient takes its rows along, and more instances of a study make it stable again.
    log.with(|log| {
        log.retain(|(_, _, id)| *id != "s1");
        log.push((31, "StableStudy", "s2"));
    });
    world.run_for(120).await;
    assert_eq!(
        told(&world, &["/record/ID", "/change/kind"]),
        ["s2 updated"]
    );
}

#[tokio::test(start_paused = true)]
async fn dicomweb_is_asked_by_days_and_an_answer_without_studies_has_no_body() {
    let world = World::with(&example("dicomweb"));
    let held: Shared<Vec<(&str, &str, u32)>> = Shared::new(Vec::new());
    let asked = held.clone();
    world.ehr.on("/dicom-web/studies", move |url| {
        let range = parameter(url, "StudyDate");
        let (from, to) = range.split_once('-').expect("a range");
        let shown: Vec<Value> = asked.with(|held| {
            let within = held.iter().filter(|(_, day, _)| from <= *day && *day <= to);
            within.map(|(id, day, instances)| json!({ "00080020": { "vr": "DA", "Value": [day] }, "0020000D": { "vr": "UI", "Value": [id] }, "00201208": { "vr": "IS", "Value": [instances] } })).collect()
        });
        if shown.is_empty() { Ok(status(204)) } else { json_answer(&Value::Array(shown)) }
    });
    world.run_for(30).await;
    assert!(world.feed("studies").await.failure.is_none());
    held.set(vec![("1.2.3", "20260430", 10), ("1.2.4", "20260501", 1)]);
    world.run_for(60).await;
    assert_eq!(
        told(&world, &["/record/0020000D/Value/0"]),
        ["1.2.3", "1.2.4"]
    );
    held.with(|held| held[1].2 = 2);
    world.run_for(120).await;
    assert_eq!(
        told(&world, &["/record/0020000D/Value/0", "/change/kind"]),
        ["1.2.4 updated"]
    );
}
