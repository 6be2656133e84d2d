//! The two sweeps beside the change query: what comes late, what changes in silence, what is gone.

use crate::ehr::json_answer;
use crate::world::{World, feed_key};
use jiff::{SignedDuration, Timestamp};
use rounds_domain::FeedState;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use url::Url;

mod deletions;
mod finding;

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

/// An EHR that takes its filter as "after": it leaves out what changed at that very instant.
fn means_after(world: &World, ward: &Ward) {
    let ward = ward.clone();
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
            ward.find(url).into_iter().filter(after).collect(),
        ))
    });
}
