//! Maps: how the records of an API become messages of a data model, so that its user need not write it down.
//!
//! A map file holds what an action's `lookups` and `notify` would: `notify: { map: fhir-r4/scheduling }` begins with it, and what
//! the user writes comes over it, leaf by leaf; `null` takes a leaf out. A map may itself begin with others (`over`), which
//! is how they share a patient's leaves; `{{ placeholders }}` in those say where the patient is.
//!
//! The files of `maps/` are compiled in. A file in the user's own folder that begins with `map:` is one too, and comes before a
//! built-in one of the same name.

use crate::built_in::{MAPS, files_of};
use crate::codes;
use crate::connector::{Values, filled};
use crate::diagnostic::{Findings, Reported};
use crate::face::MapKeys;
use crate::kinds::{Text, same_name};
use crate::layers::{entries_of, member, over};
use crate::reading::{Given, Read, entries};
use crate::source::{Place, Sources};
use crate::tree::{Entry, Node, NodeKind, Parsed, Scalar, parse};
use std::collections::BTreeMap;

/// How many maps may stand over each other: more is a circle.
const MAX_LAYERS: usize = 8;

/// What is known of a built-in map.
#[derive(Debug, Clone)]
pub struct MapFacts {
    /// Its name, as `notify.map` says it.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Where it comes from.
    pub sources: Vec<String>,
    /// Its file, to start from.
    pub text: &'static str,
}

/// The built-in maps, by their names.
pub fn maps() -> Vec<MapFacts> {
    let sources = Sources::default();
    let mut findings = Findings::new(&sources);
    let text = |given: &Given<Text>| {
        given
            .value()
            .map_or_else(String::new, |text| text.0.text.clone())
    };
    // A file of ours that cannot be read fails a test.
    files_of(MAPS)
        .filter_map(|(file, _)| Some((file, read(file, &mut findings)?)))
        .map(|(file, keys)| MapFacts {
            name: text(&keys.map),
            about: text(&keys.about),
            sources: (keys.sources.value().into_iter())
                .flat_map(|sources| &sources.0)
                .map(|source| source.value.0.text.clone())
                .collect(),
            text: crate::built_in::BUILT_IN[file].1,
        })
        .collect()
}

/// The name of the map that one of the texts is, if it is one.
pub fn map_in(sources: &Sources, file: usize) -> Option<String> {
    // What is wrong with the text is told by whoever loads it.
    match parse(file, &mut Findings::new(sources)) {
        Parsed::Tree(root) => Some(member(&root, "map")?.scalar()?.text.clone()),
        Parsed::Empty | Parsed::Failed => None,
    }
}

fn read(file: usize, findings: &mut Findings<'_>) -> Option<MapKeys> {
    findings.owner = start_of(file);
    match parse(file, findings) {
        Parsed::Tree(root) => MapKeys::read(&root, findings),
        Parsed::Empty | Parsed::Failed => None,
    }
}

/// Where a text is said to lack something.
const fn start_of(file: usize) -> Place {
    Place::new(file, 0, 0)
}

/// Puts what maps say under what users write. Trees that are maps themselves are taken out.
pub(crate) fn apply(trees: Vec<Node>, findings: &mut Findings<'_>) -> Vec<Node> {
    let mut library = Library::default();
    let mut configurations = Vec::new();
    for tree in trees {
        if member(&tree, "map").is_none() {
            configurations.push(tree);
            continue;
        }
        findings.owner = start_of(tree.place.file);
        if let Some(keys) = MapKeys::read(&tree, findings) {
            library.add(keys, findings);
        }
    }
    for tree in &mut configurations {
        for entry in entries_of(tree, "actions") {
            let notify = member(&entry.value, "notify");
            let wanted = notify.and_then(|notify| member(notify, "map"));
            let Some(name) = wanted.and_then(Node::scalar).cloned() else {
                continue;
            };
            match library.resolved(&name, MAX_LAYERS, findings) {
                Ok(base) => entry.value = over(&entry.value, &base),
                Err(Reported) => entry.value.kind = NodeKind::Refused,
            }
        }
    }
    configurations
}

/// The maps that there are.
#[derive(Default)]
struct Library {
    /// Those of the user's folder.
    own: BTreeMap<String, MapKeys>,
    /// Built-in ones that were asked for.
    built_in: BTreeMap<String, Option<MapKeys>>,
}

impl Library {
    /// Takes a map of the user's own. Of two that have one name nobody knows which is meant.
    fn add(&mut self, keys: MapKeys, findings: &mut Findings<'_>) {
        for tree in [keys.lookups.value(), keys.notify.value()] {
            let expected = || "a mapping, as an action has it".to_owned();
            // What is none would be passed over where an action's own comes over it.
            _ = tree.and_then(|tree| entries(&tree.0, findings, expected));
        }
        let Some(name) = keys.map.value().map(|name| name.0.clone()) else {
            return;
        };
        let first = self.own.get(&name.text).and_then(|known| known.map.value());
        if let Some(first) = first {
            same_name(&name.text, first.0.place, name.place, findings);
            return;
        }
        self.own.insert(name.text, keys);
    }

    /// What an action gets from a map: its `lookups` and its `notify`, with all that it begins with.
    fn resolved(
        &mut self,
        name: &Scalar,
        layers: usize,
        findings: &mut Findings<'_>,
    ) -> Result<Node, Reported> {
        if layers == 0 {
            findings
                .error(
                    codes::MAP_OVER_ITSELF,
                    name.place,
                    "a map that begins with itself",
                )
                .expected(format!("at most {MAX_LAYERS} maps over each other"));
            return Err(Reported);
        }
        let keys = self.find(name, findings).ok_or(Reported)?;
        let (lookups, notify) = (keys.lookups.value().cloned(), keys.notify.value().cloned());
        let bases: Vec<(Scalar, Values)> = (keys.over.value().into_iter())
            .flat_map(|bases| &bases.pairs)
            .map(|base| {
                let values = base.value.pairs.iter();
                let values = values.map(|pair| (pair.key.text.clone(), pair.value.0.text.clone()));
                (base.key.clone(), values.collect())
            })
            .collect();
        let own = [("lookups", lookups), ("notify", notify)];
        let entries = own.into_iter().filter_map(|(key, tree)| {
            let tree = tree?.0;
            let key = Scalar {
                text: key.to_owned(),
                ..name.clone()
            };
            Some(Entry { key, value: tree })
        });
        let mut whole = Node {
            place: name.place,
            kind: NodeKind::Mapping(entries.collect()),
        };
        for (base, values) in bases {
            let base = self.resolved(&base, layers - 1, findings)?;
            whole = over(&whole, &filled(&base, &values));
        }
        Ok(whole)
    }

    fn find(&mut self, name: &Scalar, findings: &mut Findings<'_>) -> Option<&MapKeys> {
        let wanted = name.text.as_str();
        if !self.own.contains_key(wanted) && !self.built_in.contains_key(wanted) {
            let Some((index, _)) = files_of(MAPS).find(|(_, known)| *known == wanted) else {
                let own = self.own.keys().map(String::as_str);
                let known: Vec<&str> = files_of(MAPS).map(|(_, name)| name).chain(own).collect();
                let shown = crate::reading::shortened(wanted);
                findings
                    .error(codes::UNKNOWN_MAP, name.place, format!("unknown map `{shown}`"))
                    .nearest(wanted, known.iter().copied())
                    .help("`rounds map list` lists them; one of your own is a file beside this one that begins with `map: NAME`");
                return None;
            };
            let keys = read(findings.sources.count() + index, findings);
            self.built_in.insert(wanted.to_owned(), keys);
        }
        self.own
            .get(wanted)
            .or_else(|| self.built_in.get(wanted)?.as_ref())
    }
}
