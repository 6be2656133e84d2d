//! A user's connections and actions over those of their connectors.

use super::ConnectorUse;
use super::facts::{Connector, of_tree, read, text};
use super::settings::{Values, filled, wants};
use crate::built_in::{CONNECTORS, files_of};
use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::kinds::Strategy;
use crate::layers::{entries_of, member, over};
use crate::source::Place;
use crate::tree::{Entry, Node, NodeKind, Scalar};
use std::collections::BTreeMap;

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
        let built_in = |name: &str| files_of(CONNECTORS).find(|(_, known)| *known == name);
        if !self.own.contains_key(wanted) {
            let Some((index, _)) = built_in(wanted) else {
                let own = self.own.keys().map(String::as_str);
                let built_in = files_of(CONNECTORS).map(|(_, name)| name);
                let known: Vec<&str> = built_in.chain(own).collect();
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
