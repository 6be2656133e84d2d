//! What a dry run notes of conditions: that they read what no record here has.
//!
//! A tombstone's mark or a placeholder's is on few records, so that none has it is no finding. But whoever looks at a dry run knows whether it was
//! meant so, or misspelt.

use rounds_domain::plan::{Action, Feed, OrderBy, VersionRule};
use rounds_engine::ChosenRecord;
use rounds_map::{Filter, Json, JsonKind};

/// Fewer records say nothing.
const ENOUGH: usize = 3;

/// What the rules of a feed read and none of these records has.
pub(super) fn of(action: &Action, feed: &Feed, records: &[ChosenRecord]) -> Vec<String> {
    let records = records.iter();
    let parsed = records.filter_map(|chosen| Json::parse(chosen.record.bytes()).ok());
    let records: Vec<Json> = parsed
        .filter(|record| record.kind() == JsonKind::Object)
        .collect();
    if records.len() < ENOUGH {
        return Vec::new();
    }
    let version = match &feed.version {
        VersionRule::Field(field) => Some(field),
        VersionRule::Fingerprint { .. } => None,
    };
    let rules = [
        ("skip", feed.skip.as_ref()),
        ("gone", feed.gone.as_ref()),
        ("version", version),
    ];
    let mut notes: Vec<String> = (rules.into_iter())
        .filter_map(|(name, filter)| Some((name, filter?)))
        .flat_map(|(name, filter)| unread(name, filter, &records))
        .collect();
    if let OrderBy::Expression(key) = &action.notify.order_by {
        let gives = |record: &Json| {
            let scope = Json::object([("record", record.clone())]);
            let given = key.optional(&scope).ok().flatten();
            given.is_some_and(|given| !given.is_null())
        };
        if !records.iter().any(gives) {
            notes.push(
                "`order_by` gives nothing for any record here: each is in an order of its own"
                    .to_owned(),
            );
        }
    }
    notes
}

fn unread(name: &str, filter: &Filter, records: &[Json]) -> Vec<String> {
    let has = |record: &Json, member: &str| record.members().any(|(known, _)| known == member);
    let reads = filter.reads().iter().map(|(member, _)| member);
    let missing = reads.filter(|member| !records.iter().any(|record| has(record, member)));
    missing
        .map(|member| format!("no record here has `{member}`, which `{name}` reads"))
        .collect()
}
