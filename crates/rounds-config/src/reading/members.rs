//! The entries of a mapping with fixed keys: unknown, missing and contradicting ones.

use super::{Given, Here, Keys, Need, Read, duplicate_key, entries, prose, shortened, value_place};
use crate::codes;
use crate::diagnostic::Findings;
use crate::source::Place;
use crate::tree::{Entry, Node};

/// The entries of a mapping that is being read.
pub(crate) struct Members<'n> {
    keys: &'static Keys,
    entries: Vec<&'n Entry>,
    owner: Place,
}

impl<'n> Members<'n> {
    /// Reports what is no mapping, keys that are not known, and keys that come twice.
    pub(crate) fn open(
        keys: &'static Keys,
        node: &'n Node,
        findings: &mut Findings<'_>,
    ) -> Option<Self> {
        let owner = findings.owner;
        let entries = entries(node, findings, || {
            let names: Vec<&str> = keys.names().collect();
            format!("a mapping with {}", crate::diagnostic::list(&names))
        })?;
        let mut known: Vec<&Entry> = Vec::new();
        for entry in entries {
            let name = entry.key.text.as_str();
            if !keys.names().any(|key| key == name) {
                findings
                    .error(
                        codes::UNKNOWN_KEY,
                        entry.key.place,
                        format!("unknown key `{}`", shortened(name)),
                    )
                    .nearest(name, keys.names());
            } else if let Some(first) = known.iter().find(|known| known.key.text == name) {
                duplicate_key(&first.key, &entry.key, findings);
            } else {
                known.push(entry);
            }
        }
        Some(Self {
            keys,
            entries: known,
            owner,
        })
    }

    pub(crate) fn take<T: Read>(
        &self,
        name: &'static str,
        need: Need,
        findings: &mut Findings<'_>,
    ) -> Given<T> {
        let Some(entry) = self.entries.iter().find(|entry| entry.key.text == name) else {
            if need == Need::Optional {
                return Given::Absent;
            }
            let key = self.keys.all.iter().find(|key| key.name == name);
            let what = key.map_or_else(String::new, |key| prose(key.doc));
            let diagnostic = findings.error(
                codes::MISSING_KEY,
                self.owner,
                format!("`{name}` is missing"),
            );
            diagnostic.expected(format!("`{name}` belongs in here"));
            if let Some(example) = key.and_then(|key| key.example) {
                diagnostic.help(format!("for example `{name}: {example}`"));
            }
            diagnostic.help(format!("`{name}`: {what}"));
            return Given::Wrong;
        };
        findings.owner = entry.key.place;
        let value = T::read(&entry.value, findings);
        findings.owner = self.owner;
        match value {
            Some(value) => Given::Here(Here {
                key: entry.key.place,
                place: value_place(entry),
                value,
            }),
            None => Given::Wrong,
        }
    }

    /// Checks which keys are there together.
    pub(crate) fn close(self, findings: &mut Findings<'_>) {
        for group in self.keys.exactly_one {
            let there = |key: &&&str| self.entries.iter().find(|entry| entry.key.text == **key);
            let given: Vec<&&Entry> = group.keys.iter().filter_map(|key| there(&key)).collect();
            match given.as_slice() {
                [_] => {}
                [] => {
                    findings
                        .error(group.none, self.owner, group.message)
                        .expected(format!("one of {}", crate::diagnostic::list(group.keys)))
                        .help(group.help);
                }
                [first, others @ ..] => {
                    for other in others {
                        let (first, other) = (&first.key, &other.key);
                        findings
                            .error(
                                codes::ONE_OF,
                                other.place,
                                format!("`{}` together with `{}`", other.text, first.text),
                            )
                            .expected("only one of the two can hold")
                            .also(first.place, "the other is here")
                            .help(format!(
                                "keep one of {}",
                                crate::diagnostic::list(group.keys)
                            ));
                    }
                }
            }
        }
    }
}
