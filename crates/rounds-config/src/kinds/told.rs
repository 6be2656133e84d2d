//! Who is told: the name of a destination, or one with rules.

use super::Reference;
use crate::diagnostic::Findings;
use crate::face::SubscriptionKeys;
use crate::reading::{Definitions, Read};
use crate::tree::{Node, NodeKind};
use serde_json::{Value, json};

/// A destination, whichever way it is written.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Name(Reference),
    Keys(Box<SubscriptionKeys>),
}

impl Read for Told {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Mapping(_) => {
                SubscriptionKeys::read(node, findings).map(|keys| Self::Keys(Box::new(keys)))
            }
            _ => Reference::read(node, findings).map(Self::Name),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [Reference::schema(definitions), SubscriptionKeys::schema(definitions)] })
    }
}
