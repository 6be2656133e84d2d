//! What connector files say, for people.

use crate::built_in::{CONNECTORS, files_of};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ConnectorActionKeys, ConnectorKeys};
use crate::kinds::{Certainty, LiteralText, Many, Named, Strategy, Text};
use crate::reading::{Given, Read};
use crate::source::Sources;
use crate::tree::{Node, Parsed, parse};

/// What is known of one EHR's API.
#[derive(Debug, Clone)]
pub struct ConnectorFacts {
    /// Its name, as connections say it.
    pub name: String,
    /// What it is.
    pub about: String,
    /// How sure this is.
    pub certainty: Certainty,
    /// On which server, and when.
    pub verified_with: Option<String>,
    /// Where this comes from.
    pub sources: Vec<String>,
    /// What only the user knows.
    pub settings: Vec<SettingFacts>,
    /// Its actions.
    pub actions: Vec<ActionFacts>,
    /// What has to be known besides.
    pub quirks: Vec<String>,
    /// A user's whole configuration over it.
    pub example: String,
}

/// What only the user knows.
#[derive(Debug, Clone)]
pub struct SettingFacts {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// How it looks.
    pub example: Option<String>,
    /// What it is if nothing is said.
    pub default: Option<String>,
}

/// One API action.
#[derive(Debug, Clone)]
pub struct ActionFacts {
    /// Its name, as actions say it in `uses`.
    pub name: String,
    /// What it tells of.
    pub about: Option<String>,
    /// How it is polled.
    pub strategy: Strategy,
    /// How sure this is.
    pub certainty: Certainty,
    /// On which server, and when.
    pub verified_with: Option<String>,
    /// Where this comes from, if not where the connector does.
    pub sources: Vec<String>,
    /// Why it cannot be polled.
    pub because: Option<String>,
    /// What can be done instead.
    pub instead: Option<String>,
}

/// The built-in connectors, by their names.
pub fn connectors() -> Vec<ConnectorFacts> {
    let sources = Sources::default();
    let mut findings = Findings::new(&sources);
    // A file of ours that cannot be read fails a test.
    files_of(CONNECTORS)
        .filter_map(|(file, _)| read(file, &mut findings))
        .map(|connector| connector.facts())
        .collect()
}

/// A connector file that was read.
pub(super) struct Connector {
    pub(super) keys: ConnectorKeys,
}

/// Reads a connector file, reporting what is wrong with it.
pub(super) fn read(file: usize, findings: &mut Findings<'_>) -> Option<Connector> {
    match parse(file, findings) {
        Parsed::Tree(root) => of_tree(&root, findings),
        Parsed::Empty | Parsed::Failed => None,
    }
}

/// Reads a connector's tree, reporting what is wrong with it.
pub(super) fn of_tree(root: &Node, findings: &mut Findings<'_>) -> Option<Connector> {
    let keys = ConnectorKeys::read(root, findings)?;
    let connector = Connector { keys };
    connector.check(findings);
    Some(connector)
}

/// One of a connector's actions, by the name under which it is used.
pub(super) struct OneAction<'c> {
    pub(super) name: String,
    pub(super) keys: &'c ConnectorActionKeys,
    /// What `{{ each }}` stands for.
    pub(super) each: Option<&'c str>,
}

impl Connector {
    pub(super) fn name(&self) -> &str {
        text(&self.keys.connector).unwrap_or_default()
    }

    pub(super) fn certainty(&self) -> Certainty {
        self.keys.certainty.or(Certainty::Documented)
    }

    /// Its actions, those for each of several things one by one.
    pub(super) fn actions(&self) -> Vec<OneAction<'_>> {
        let named = self
            .keys
            .actions
            .value()
            .into_iter()
            .flat_map(|names| &names.0);
        let mut actions = Vec::new();
        for Named { name, value, .. } in named {
            let Some(keys) = value else { continue };
            let Some(each) = keys.each.value() else {
                actions.push(OneAction {
                    name: name.clone(),
                    keys,
                    each: None,
                });
                continue;
            };
            let prefix = text(&keys.prefix).unwrap_or_default();
            actions.extend(each.0.iter().map(|each| OneAction {
                name: format!("{prefix}{}", snake_case(&each.value.0.text)),
                keys,
                each: Some(each.value.0.text.as_str()),
            }));
        }
        actions
    }

    /// Says what no connector may say, and what it must.
    fn check(&self, findings: &mut Findings<'_>) {
        let named = self
            .keys
            .actions
            .value()
            .into_iter()
            .flat_map(|names| &names.0);
        for Named { place, value, .. } in named {
            let Some(keys) = value else { continue };
            let is_pollable = keys.strategy.value() != Some(&Strategy::None);
            if is_pollable && keys.action.is_absent() {
                findings
                    .error(
                        codes::BAD_CONNECTOR,
                        *place,
                        "an action that does not say how it is polled",
                    )
                    .help("write it under `action`, or say `strategy: none`");
            }
            if !is_pollable && (keys.because.is_absent() || keys.instead.is_absent()) {
                findings
                    .error(
                        codes::BAD_CONNECTOR,
                        *place,
                        "an action that cannot be polled, without `because` or `instead`",
                    )
                    .help("say why, and what can be done instead");
            }
            let entries = match keys.action.value().map(|tree| &tree.0.kind) {
                Some(crate::tree::NodeKind::Mapping(entries)) => entries.as_slice(),
                _ => &[],
            };
            let users_own = ["every", "at", "between", "zone", "to", "connection", "uses"];
            for entry in entries
                .iter()
                .filter(|entry| users_own.contains(&entry.key.text.as_str()))
            {
                findings
                    .error(
                        codes::BAD_CONNECTOR,
                        entry.key.place,
                        format!("`{}` in a connector", entry.key.text),
                    )
                    .help("only who uses it knows that");
            }
        }
    }

    fn facts(&self) -> ConnectorFacts {
        let keys = &self.keys;
        let owned = |given: &Given<Text>| text(given).map(str::to_owned);
        let literal = |given: &Given<LiteralText>| given.value().map(|text| text.0.text.clone());
        let settings = keys.settings.value().into_iter().flat_map(|names| &names.0);
        ConnectorFacts {
            name: self.name().to_owned(),
            about: owned(&keys.about).unwrap_or_default(),
            certainty: self.certainty(),
            verified_with: owned(&keys.verified_with),
            sources: texts(&keys.sources),
            settings: settings
                .filter_map(|named| {
                    let setting = named.value.as_ref()?;
                    Some(SettingFacts {
                        name: named.name.clone(),
                        about: owned(&setting.about).unwrap_or_default(),
                        example: literal(&setting.example),
                        default: literal(&setting.default),
                    })
                })
                .collect(),
            actions: (self.actions().iter())
                .map(|action| ActionFacts {
                    name: action.name.clone(),
                    about: owned(&action.keys.about),
                    strategy: action.keys.strategy.or(Strategy::None),
                    certainty: action.keys.certainty.or(self.certainty()),
                    verified_with: owned(&action.keys.verified_with),
                    sources: texts(&action.keys.sources),
                    because: owned(&action.keys.because),
                    instead: owned(&action.keys.instead),
                })
                .collect(),
            quirks: texts(&keys.quirks),
            example: owned(&keys.example).unwrap_or_default(),
        }
    }
}

pub(super) fn text(given: &Given<Text>) -> Option<&str> {
    given.value().map(|text| text.0.text.trim_end())
}

fn texts(given: &Given<Many<Text>>) -> Vec<String> {
    let items = given.value().into_iter().flat_map(|many| &many.0);
    items
        .map(|item| item.value.0.text.trim_end().to_owned())
        .collect()
}

/// `DiagnosticReport` as `diagnostic_report`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (index, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}
