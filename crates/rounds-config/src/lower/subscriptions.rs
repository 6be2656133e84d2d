//! Who is told of an action's changes, and of which.

use super::lookups::CONTAINER;
use super::never::Made;
use super::notify::modifiers::{OF_MESSAGES, path};
use super::unmarked;
use super::{Known, never};
use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::{ActionKeys, SubscriptionKeys};
use crate::kinds::{LiteralText, OneOrMany, Pairs, Told};
use crate::reading::Given;
use crate::source::Place;
use rounds_domain::DestinationName;
use rounds_domain::plan::{List, ListRule, Subscription};
use std::collections::BTreeMap;

/// What rules are about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) made: Made<'a>,
    /// The names of the action's lookups.
    pub(super) lookups: &'a [String],
}

pub(super) fn lower<'c>(
    name: &str,
    place: Place,
    keys: &'c ActionKeys,
    about: About<'_>,
    known: &mut Known<'c>,
    findings: &mut Findings<'_>,
) -> Result<Vec<Subscription>, Reported> {
    let Some(to) = keys.to.here() else {
        known.missed();
        return Ok(Vec::new());
    };
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    let mut subscriptions = Vec::new();
    for told in &to.value.0 {
        let (reference, rules) = match &told.value {
            Told::Name(reference) => (reference, None),
            Told::Keys(keys) => {
                let Some(reference) = keys.destination.value() else {
                    known.missed();
                    continue;
                };
                (reference, Some(&**keys))
            }
        };
        let scalar = &reference.0;
        if let Some(first) = seen.get(scalar.text.as_str()) {
            crate::kinds::same_name(&scalar.text, *first, scalar.place, findings);
            continue;
        }
        if !known.destination(scalar, findings) {
            continue;
        }
        seen.insert(&scalar.text, scalar.place);
        let destination = DestinationName::new(scalar.text.as_str());
        subscriptions.push(match rules {
            None => Subscription::to_all_of(destination),
            Some(rules) => subscription(destination, rules, about, findings)?,
        });
    }
    if to.value.0.is_empty() {
        findings
            .warning(
                codes::NOTHING_SENT,
                to.place,
                format!("the changes of `{name}` are told to nobody"),
            )
            .also(place, "this action")
            .help("name a destination, or keep it so to fill the ledger silently");
    }
    Ok(subscriptions)
}

fn subscription(
    destination: DestinationName,
    keys: &SubscriptionKeys,
    about: About<'_>,
    findings: &mut Findings<'_>,
) -> Result<Subscription, Reported> {
    let mut roots: Vec<&str> = CONTAINER.to_vec();
    roots.extend(OF_MESSAGES);
    roots.extend(about.lookups.iter().map(String::as_str));
    let when = keys.when.here();
    if let Some(when) = when
        && let Some((unknown, _)) =
            (when.value.filter.reads().iter()).find(|(name, _)| !roots.contains(&name.as_str()))
    {
        let shown = crate::reading::shortened(unknown);
        findings
            .error(
                codes::UNKNOWN_ROOT,
                when.place,
                format!("`.{shown}` is not known here"),
            )
            .expected(format!(
                "expected one of {}",
                crate::diagnostic::list(&roots)
            ))
            .nearest(unknown, roots.iter().copied());
        return Err(Reported);
    }
    if let Some(when) = when {
        never::when(&when.value.filter, when.place, about.made.rule, findings);
    }
    let mut lists = Vec::new();
    for (given, list) in [(&keys.allow, List::Allow), (&keys.deny, List::Deny)] {
        lists.extend(list_rules(given, list, about, findings)?);
    }
    Ok(Subscription {
        destination,
        when: when.map(|when| when.value.filter.clone()),
        lists,
    })
}

fn list_rules(
    given: &Given<Pairs<OneOrMany<LiteralText>>>,
    list: List,
    about: About<'_>,
    findings: &mut Findings<'_>,
) -> Result<Vec<ListRule>, Reported> {
    let pairs = given.value().into_iter().flat_map(|pairs| &pairs.pairs);
    let rules = pairs.map(|pair| {
        let at = path(&pair.key, about.made.rule, findings)?;
        for value in &pair.value.0 {
            unmarked::check_plain(&value.value.0, findings);
        }
        let given: Vec<(&str, Place)> = (pair.value.0.iter())
            .map(|value| (value.value.0.text.as_str(), value.place))
            .collect();
        never::list(&at, &given, list, pair.key.place, about.made, findings);
        let values = pair.value.0.iter().map(|value| value.value.0.text.clone());
        Ok(ListRule {
            path: at,
            values: values.collect(),
            list,
        })
    });
    rules.collect()
}
