//! A user's connections and actions over those of their connectors.
//!
//! Mappings are merged key by key; anything else that the user writes takes the connector's place, and `null` takes it
//! out. Keys of which only one can hold (`get` and `post`, the kinds of paging, of authentication) are one: whichever the user
//! writes puts the connector's away.

use super::facts::{Connector, of_tree, read, text};
use super::settings::{Values, filled, wants};
use super::{BUILT_IN, ConnectorUse};
use crate::codes;
use crate::diagnostic::Findings;
use crate::kinds::Strategy;
use crate::source::Place;
use crate::tree::{Entry, Node, NodeKind, Scalar};
use std::collections::BTreeMap;

/// Keys of which only one can hold, wherever they stand.
const ALTERNATIVES: &[&[&str]] = &[
    &["get", "post"],
    &["version", "ignore"],
    &["cursor", "dates"],
    &[
        "next_link",
        "link_header",
        "page_number",
        "offset",
        "token",
        "after",
    ],
    &[
        "bearer",
        "basic",
        "header",
        "query",
        "oauth2",
        "smart_backend",
        "login",
    ],
    &["json", "form", "graphql", "xml", "text"],
];

/// What became of the trees.
pub(crate) struct Applied {
    /// Those of configurations, with what their connectors say.
    pub(crate) trees: Vec<Node>,
    /// Which actions use which of a connector's.
    pub(crate) uses: Vec<ConnectorUse>,
}

/// The connectors that there are.
struct Library {
    /// Those of the user's folder.
    own: BTreeMap<String, Connector>,
    /// Built-in ones that were asked for.
    built_in: BTreeMap<String, Option<Connector>>,
}

/// A connection over a connector.
struct Based {
    connector: String,
    values: Values,
}

/// Puts what connectors say under what users write. Trees that are connectors themselves are taken out.
pub(crate) fn apply(trees: Vec<Node>, findings: &mut Findings<'_>) -> Applied {
    let mut library = Library {
        own: BTreeMap::new(),
        built_in: BTreeMap::new(),
    };
    let mut configurations = Vec::new();
    for tree in trees {
        if member(&tree, "connector").is_none() {
            configurations.push(tree);
        } else if let Some(connector) = of_tree(&tree, findings) {
            library.own.insert(connector.name().to_owned(), connector);
        }
    }
    let mut based: BTreeMap<String, Option<Based>> = BTreeMap::new();
    for tree in &mut configurations {
        for entry in entries_of(tree, "connections") {
            match connection(entry, &mut library, findings) {
                Ok(None) => {}
                Ok(base) => _ = based.insert(entry.key.text.clone(), base),
                Err(Reported) => {
                    refuse(entry);
                    based.insert(entry.key.text.clone(), None);
                }
            }
        }
    }
    let mut uses = Vec::new();
    for tree in &mut configurations {
        for entry in entries_of(tree, "actions") {
            match action(entry, &based, &mut library, findings) {
                Ok(used) => uses.extend(used),
                Err(Reported) => refuse(entry),
            }
        }
    }
    Applied {
        trees: configurations,
        uses,
    }
}

impl Library {
    /// A connector by its name, or a report that there is none.
    fn find(&mut self, name: &Scalar, findings: &mut Findings<'_>) -> Option<&Connector> {
        let wanted = name.text.as_str();
        let built_in = |name: &str| {
            let path = format!("connectors/{name}.yaml");
            BUILT_IN.iter().position(|(known, _)| *known == path)
        };
        if !self.own.contains_key(wanted) {
            let Some(index) = built_in(wanted) else {
                let own = self.own.keys().map(String::as_str);
                let known: Vec<&str> = BUILT_IN
                    .iter()
                    .map(|(path, _)| name_of(path))
                    .chain(own)
                    .collect();
                let shown = crate::reading::shortened(wanted);
                findings
                    .error(codes::UNKNOWN_CONNECTOR, name.place, format!("unknown connector `{shown}`"))
                    .nearest(wanted, known.iter().copied())
                    .help("`rounds connectors list` lists them; one of your own is a file beside this one that begins with `connector: NAME`");
                return None;
            };
            let file = findings.sources.count() + index;
            if !self.built_in.contains_key(wanted) {
                let connector = read(file, findings);
                self.built_in.insert(wanted.to_owned(), connector);
            }
        }
        self.own
            .get(wanted)
            .or_else(|| self.built_in.get(wanted)?.as_ref())
    }
}

/// `connectors/epic.yaml` is `epic`.
fn name_of(path: &'static str) -> &'static str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".yaml").unwrap_or(file)
}

/// Something was wrong, and that was reported.
struct Reported;

/// Nothing more is said of what could not be completed.
fn refuse(entry: &mut Entry) {
    entry.value.kind = NodeKind::Refused;
}

/// Completes a connection; None if it has no connector.
fn connection(
    entry: &mut Entry,
    library: &mut Library,
    findings: &mut Findings<'_>,
) -> Result<Option<Based>, Reported> {
    let name = member(&entry.value, "connector")
        .and_then(Node::scalar)
        .cloned();
    let Some(name) = name else { return Ok(None) };
    let given = member(&entry.value, "settings").cloned();
    let connector = library.find(&name, findings).ok_or(Reported)?;
    let values = values(connector, &name, given.as_ref(), findings)?;
    if let Some(base) = connector.keys.connection.value() {
        let base = filled(&base.0, &values);
        entry.value = over(&entry.value, &base);
    }
    Ok(Some(Based {
        connector: name.text,
        values,
    }))
}

/// The settings, those of the user before the connector's own.
fn values(
    connector: &Connector,
    name: &Scalar,
    given: Option<&Node>,
    findings: &mut Findings<'_>,
) -> Result<Values, Reported> {
    let known: Vec<_> = (connector.keys.settings.value().into_iter())
        .flat_map(|names| &names.0)
        .collect();
    let mut values = Values::new();
    let mut is_whole = true;
    let given: &[Entry] = match given.map(|node| &node.kind) {
        Some(NodeKind::Mapping(entries)) => entries,
        // What is no mapping is reported where the connection is read.
        _ => &[],
    };
    for entry in given {
        if !known.iter().any(|setting| setting.name == entry.key.text) {
            is_whole = false;
            let names: Vec<&str> = known.iter().map(|setting| setting.name.as_str()).collect();
            findings
                .error(
                    codes::BAD_SETTINGS,
                    entry.key.place,
                    format!(
                        "the connector `{}` has no setting `{}`",
                        name.text,
                        crate::reading::shortened(&entry.key.text)
                    ),
                )
                .nearest(&entry.key.text, names.iter().copied());
        } else if let Some(scalar) = entry.value.scalar() {
            values.insert(format!("settings.{}", entry.key.text), scalar.text.clone());
        }
    }
    for setting in known {
        let key = format!("settings.{}", setting.name);
        if values.contains_key(&key) {
            continue;
        }
        let Some(keys) = &setting.value else { continue };
        if let Some(default) = keys.default.value() {
            values.insert(key, default.0.text.clone());
            continue;
        }
        let is_wanted =
            (connector.keys.connection.value()).is_some_and(|tree| wants(&tree.0, &key));
        if is_wanted {
            is_whole = false;
            missing(&setting.name, keys, connector, name.place, findings);
        }
    }
    if is_whole { Ok(values) } else { Err(Reported) }
}

fn missing(
    setting: &str,
    keys: &crate::face::SettingKeys,
    connector: &Connector,
    place: Place,
    findings: &mut Findings<'_>,
) {
    let about = text(&keys.about).unwrap_or_default().to_owned();
    let example = keys
        .example
        .value()
        .map_or("...", |example| example.0.text.as_str());
    findings
        .error(
            codes::BAD_SETTINGS,
            place,
            format!(
                "the connector `{}` wants the setting `{setting}`",
                connector.name()
            ),
        )
        .expected(about)
        .help(format!(
            "for example `settings: {{ {setting}: {example} }}` at the connection"
        ));
}

/// Completes an action; None if it uses none of a connector's.
fn action(
    entry: &mut Entry,
    based: &BTreeMap<String, Option<Based>>,
    library: &mut Library,
    findings: &mut Findings<'_>,
) -> Result<Option<ConnectorUse>, Reported> {
    let wanted = member(&entry.value, "uses").and_then(Node::scalar).cloned();
    let connection = member(&entry.value, "connection")
        .and_then(Node::scalar)
        .cloned();
    let (Some(wanted), Some(connection)) = (wanted, connection) else {
        return Ok(None);
    };
    // Without a connector there is nothing to begin with, which is said where the action is lowered.
    let Some(base) = based.get(&connection.text) else {
        return Ok(None);
    };
    let base = base.as_ref().ok_or(Reported)?;
    let place = wanted.place;
    let name = Scalar {
        text: base.connector.clone(),
        ..wanted.clone()
    };
    let connector = library.find(&name, findings).ok_or(Reported)?;
    let actions = connector.actions();
    let Some(found) = actions.iter().find(|action| action.name == wanted.text) else {
        let names: Vec<&str> = actions.iter().map(|action| action.name.as_str()).collect();
        let shown = crate::reading::shortened(&wanted.text);
        findings
            .error(
                codes::UNKNOWN_CONNECTOR_ACTION,
                place,
                format!("the connector `{}` has no action `{shown}`", base.connector),
            )
            .nearest(&wanted.text, names.iter().copied())
            .help(format!(
                "`rounds connectors show {}` shows them",
                base.connector
            ));
        return Err(Reported);
    };
    let strategy = found.keys.strategy.or(Strategy::None);
    if strategy == Strategy::None {
        let because = text(&found.keys.because).unwrap_or_default().to_owned();
        let instead = text(&found.keys.instead).unwrap_or_default().to_owned();
        findings
            .error(
                codes::NOT_POLLABLE,
                place,
                format!("`{}` of `{}` cannot be polled", wanted.text, base.connector),
            )
            .expected(because)
            .help(instead);
        return Err(Reported);
    }
    let tree = found.keys.action.value().ok_or(Reported)?;
    let mut values = base.values.clone();
    values.extend(found.each.map(|each| ("each".to_owned(), each.to_owned())));
    let tree = filled(&tree.0, &values);
    check_wanted(&tree, connector, place, findings)?;
    entry.value = over(&entry.value, &tree);
    Ok(Some(ConnectorUse {
        action: entry.key.text.clone(),
        connector: base.connector.clone(),
        uses: wanted.text,
        strategy,
        certainty: found.keys.certainty.or(connector.certainty()),
    }))
}

/// Settings that only this action wants and nobody gave.
fn check_wanted(
    tree: &Node,
    connector: &Connector,
    place: Place,
    findings: &mut Findings<'_>,
) -> Result<(), Reported> {
    let settings = connector.keys.settings.value();
    let mut all = settings.into_iter().flat_map(|names| &names.0);
    let unsaid = all.find_map(|setting| {
        let keys = setting.value.as_ref()?;
        wants(tree, &format!("settings.{}", setting.name)).then_some((&setting.name, keys))
    });
    match unsaid {
        None => Ok(()),
        Some((name, keys)) => {
            missing(name, keys, connector, place, findings);
            Err(Reported)
        }
    }
}

/// The member of a mapping.
fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.kind {
        NodeKind::Mapping(entries) => (entries.iter())
            .find(|entry| entry.key.text == name)
            .map(|entry| &entry.value),
        _ => None,
    }
}

/// The entries of a section of a configuration.
fn entries_of<'n>(tree: &'n mut Node, section: &str) -> impl Iterator<Item = &'n mut Entry> {
    let entries: &mut [Entry] = match &mut tree.kind {
        NodeKind::Mapping(entries) => entries,
        _ => &mut [],
    };
    let section = entries.iter_mut().find(|entry| entry.key.text == section);
    let inner: &mut [Entry] = match section.map(|entry| &mut entry.value.kind) {
        Some(NodeKind::Mapping(entries)) => entries,
        _ => &mut [],
    };
    inner.iter_mut()
}

/// What the user wrote over what the connector says.
fn over(user: &Node, base: &Node) -> Node {
    let (NodeKind::Mapping(users), NodeKind::Mapping(bases)) = (&user.kind, &base.kind) else {
        return user.clone();
    };
    let says = |name: &str| users.iter().any(|entry| entry.key.text == name);
    let mut entries = Vec::new();
    for based in bases {
        let name = based.key.text.as_str();
        let has_other = ALTERNATIVES.iter().any(|group| {
            group.contains(&name) && group.iter().any(|other| *other != name && says(other))
        });
        if !says(name) && !has_other {
            entries.push(based.clone());
        }
    }
    for own in users {
        if is_taken_out(own, bases) {
            continue;
        }
        let based = bases.iter().find(|based| based.key.text == own.key.text);
        entries.push(Entry {
            key: own.key.clone(),
            value: based.map_or_else(|| own.value.clone(), |based| over(&own.value, &based.value)),
        });
    }
    Node {
        place: user.place,
        kind: NodeKind::Mapping(entries),
    }
}

/// `null` over something of the connector's means that it is not wanted.
fn is_taken_out(own: &Entry, bases: &[Entry]) -> bool {
    own.value.is_null() && bases.iter().any(|based| based.key.text == own.key.text)
}

#[cfg(test)]
mod tests;
