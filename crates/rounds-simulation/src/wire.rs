//! How the simulated EHR writes and reads: records, pages, times.

use crate::history::State;
use crate::scenario::{ActionScenario, Wire};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use url::Url;

/// What a request asked for, without its host.
pub(crate) fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    )
}

/// A record in this state.
pub(crate) fn record(action: &ActionScenario, id: u64, state: &State) -> Value {
    json!({
        "id": id,
        "version": state.version(),
        "changed": write_time(action.wire, state.stamp),
        "sequence": state.sequence,
        "patient": format!("p{}", id % 5),
    })
}

/// Joins of databases give a record twice now and then.
pub(crate) fn twice(mut items: Vec<Value>) -> Vec<Value> {
    if items.len().is_multiple_of(3) {
        items.extend(items.first().cloned());
    }
    items
}

/// A page, with the change log's last number and what leads to the next one.
pub(crate) fn answered(items: &[Value], last: Option<u64>, further: &[(&str, Value)]) -> Value {
    let mut body = json!({ "items": items });
    if let Some(last) = last {
        body["last"] = json!(last);
        body["token"] = json!(last.to_string());
    }
    for (key, value) in further {
        body[*key] = value.clone();
    }
    body
}

fn zone() -> TimeZone {
    TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC)
}

fn write_time(wire: Wire, at: Timestamp) -> Value {
    match wire {
        Wire::Rfc3339 => json!(format!("{at:.3}")),
        Wire::NaiveNewYork => {
            json!(
                at.to_zoned(zone())
                    .strftime("%Y-%m-%dT%H:%M:%S")
                    .to_string()
            )
        }
        Wire::Minutes => json!(at.strftime("%Y-%m-%dT%H:%MZ").to_string()),
        Wire::Milliseconds => json!(at.as_millisecond()),
    }
}

/// Reads a time.
pub(crate) fn read_time(wire: Wire, text: &str) -> Option<Timestamp> {
    match wire {
        Wire::Rfc3339 => text.parse().ok(),
        Wire::NaiveNewYork => {
            let local: jiff::civil::DateTime = text.parse().ok()?;
            // An hour that comes twice: this server takes the later one.
            zone().to_ambiguous_timestamp(local).later().ok()
        }
        Wire::Minutes => {
            let local = jiff::civil::DateTime::strptime("%Y-%m-%dT%H:%MZ", text).ok()?;
            TimeZone::UTC.to_timestamp(local).ok()
        }
        Wire::Milliseconds => Timestamp::from_millisecond(text.parse().ok()?).ok(),
    }
}
