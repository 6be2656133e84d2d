//! The page of the docs on maps, made of the maps' files: what each field of a message comes from.

use crate::support::made_page;
use rounds_config::{MapFacts, Sources, load, maps};
use rounds_domain::plan::{Action, BodyRule, Lookup, ModifierDeed};
use rounds_map::Body;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What is longer than this stands below its table.
const LONGEST_IN_A_TABLE: usize = 140;

/// An action that begins with the map; None for one that only others begin with.
fn action_of(map: &MapFacts) -> Option<Action> {
    let config = format!(
        "connections: {{ ehr: {{ base_url: 'https://ehr.example' }} }}
actions:
  it: {{ connection: ehr, every: 1m, changes: {{ get: /it, start: now, records: '.[]', id: .id }}, notify: {{ map: {} }}, to: app }}
destinations: {{ app: {{ url: 'https://app.example' }} }}
",
        map.name
    );
    let plan = load(&Sources::from_text("rounds.yaml", config)).plan?;
    let action = plan.actions.first().expect("it has one");
    Some(Action::clone(action))
}

/// Each leaf of a body: its path, and what it comes from.
fn leaves(body: &Body, path: &str, found: &mut Vec<(String, String)>) {
    match body {
        Body::Object(members) => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(member, &format!("{path}{dot}{name}"), found);
            }
        }
        Body::Array(items) => {
            for item in items {
                leaves(item, &format!("{path}[]"), found);
            }
        }
        Body::Expression(filter) => {
            let words: Vec<&str> = filter.text().split_whitespace().collect();
            found.push((path.to_owned(), words.join(" ")));
        }
        Body::Literal(value) => {
            let text = String::from_utf8(value.to_bytes()).expect("JSON is UTF-8");
            found.push((path.to_owned(), text));
        }
    }
}

fn of_lookup(lookup: &Lookup) -> String {
    format!("`{}` from `{}`", lookup.name, lookup.request.path.text())
}

fn section(map: &MapFacts, action: &Action) -> String {
    let BodyRule::Model {
        model,
        status,
        body,
        ..
    } = &action.notify.body
    else {
        panic!("{} is of no model", map.name);
    };
    let mut text = format!("\n## {}\n\n{}\n\n", map.name, map.about.trim());
    _ = writeln!(
        text,
        "Model: [{0}](models.md#{1}). Sources: {2}.",
        model.name(),
        model.name().to_lowercase(),
        map.sources.join("; ")
    );
    let lookups: Vec<String> = action.lookups.iter().map(of_lookup).collect();
    if !lookups.is_empty() {
        _ = writeln!(text, "Lookups: {}.", lookups.join(", "));
    }
    if let Some(status) = status {
        _ = writeln!(text, "Status: `{}`.", status.text().trim());
    }
    for modifier in &action.notify.modifiers {
        if let ModifierDeed::Codes(codes) = &modifier.deed {
            let codes = codes
                .values
                .iter()
                .map(|(code, name)| format!("{code} {}", name.scalar_text().unwrap_or_default()));
            let codes: Vec<String> = codes.collect();
            _ = writeln!(text, "Codes of `{}`: {}.", modifier.path, codes.join(", "));
        }
    }
    text.push_str("\n| field | comes from |\n|---|---|\n");
    let mut found = Vec::new();
    leaves(body, "", &mut found);
    let mut below = BTreeMap::new();
    for (path, from) in found {
        if from.len() > LONGEST_IN_A_TABLE {
            _ = writeln!(text, "| `{path}` | see below |");
            below.insert(path, from);
        } else {
            // A bar would end the cell, in code as well.
            _ = writeln!(text, "| `{path}` | `{}` |", from.replace('|', "\\|"));
        }
    }
    for (path, from) in below {
        _ = write!(text, "\n`{path}`:\n\n```jq\n{from}\n```\n");
    }
    text
}

fn page() -> String {
    let mut page = String::from(
        "# Maps\n\nMade from the files in `maps/`. `notify: { map: fhir-r4/scheduling }` begins with one; what you write comes over it, leaf by leaf, and `null` takes a leaf \
         out. `rounds map show NAME` prints a map to start from, `rounds map test` holds it to fixtures, and `rounds map try ACTION` shows what it makes of the EHR's own \
         records. A file of your own that begins with `map: NAME` is a map too.\n\nWhat is not in a table is `null`, `[]`, or filled in by the model.\n",
    );
    for map in maps() {
        if let Some(action) = action_of(&map) {
            page.push_str(&section(&map, &action));
        }
    }
    page
}

#[test]
fn the_page_of_the_docs_is_made_of_the_maps() {
    made_page("docs/maps.md", &page(), "maps_page");
}
