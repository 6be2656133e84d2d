//! Over what a query is asked: a list of values, or a request that gives them.

use super::{LiteralText, Many};
use crate::diagnostic::Findings;
use crate::face::ForEachKeys;
use crate::reading::{Definitions, Read};
use crate::tree::{Node, NodeKind};
use serde_json::{Value, json};

/// The partitions, whichever way they are written.
#[derive(Debug, Clone)]
pub(crate) enum ForEach {
    Values(Many<LiteralText>),
    Keys(Box<ForEachKeys>),
}

impl Read for ForEach {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Sequence(_) => Many::read(node, findings).map(Self::Values),
            _ => ForEachKeys::read(node, findings).map(|keys| Self::Keys(Box::new(keys))),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [Many::<LiteralText>::schema(definitions), ForEachKeys::schema(definitions)] })
    }
}
