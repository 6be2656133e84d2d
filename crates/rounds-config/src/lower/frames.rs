//! What messages of data models call their ends, and whether their patients are real: the `Meta` of each action.

use crate::face::{ConnectionKeys, DestinationKeys, PartyKeys};
use crate::kinds::{Named, Text};
use crate::reading::Given;
use rounds_domain::ConnectionName;
use rounds_domain::plan::{Frame, Subscription};
use rounds_map::models::{Party, Traffic};
use std::collections::BTreeMap;

/// By the names of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    sources: BTreeMap<String, (Party, Traffic)>,
    destinations: BTreeMap<String, Party>,
}

impl Frames {
    pub(super) fn of(
        connections: &[&Named<ConnectionKeys>],
        destinations: &[&Named<DestinationKeys>],
    ) -> Self {
        let sources = connections.iter().filter_map(|named| {
            let keys = named.value.as_ref()?;
            let traffic = keys.traffic.or(Traffic::Production);
            Some((
                named.name.clone(),
                (party(&named.name, &keys.known_as), traffic),
            ))
        });
        let destinations = destinations.iter().filter_map(|named| {
            let keys = named.value.as_ref()?;
            Some((named.name.clone(), party(&named.name, &keys.known_as)))
        });
        Self {
            sources: sources.collect(),
            destinations: destinations.collect(),
        }
    }

    /// That of an action. What has no name is not in the plan either.
    pub(super) fn frame(&self, connection: &ConnectionName, to: &[Subscription]) -> Frame {
        let source = self.sources.get(connection.as_str()).cloned();
        let (source, traffic) = source.unwrap_or_default();
        let destinations = to.iter();
        let destinations =
            destinations.filter_map(|to| self.destinations.get(to.destination.as_str()));
        Frame {
            traffic,
            source,
            destinations: destinations.cloned().collect(),
        }
    }
}

/// What is not said is as the configuration calls it.
fn party(name: &str, given: &Given<PartyKeys>) -> Party {
    let text = |text: &Given<Text>| text.value().map(|text| text.0.text.clone());
    let said = given.value();
    let own_name = said.and_then(|keys| text(&keys.name));
    Party {
        id: said.and_then(|keys| text(&keys.id)),
        name: Some(own_name.unwrap_or_else(|| name.to_owned())),
    }
}
