//! A data model: the name of one that comes along, or a schema of the user's.

use super::Text;
use crate::diagnostic::Findings;
use crate::face::OwnModelKeys;
use crate::reading::{Definitions, Read};
use crate::tree::{Node, NodeKind};
use serde_json::{Value, json};

/// The model, whichever way it is written.
#[derive(Debug, Clone)]
pub(crate) enum ModelWord {
    Named(Text),
    Own(Box<OwnModelKeys>),
}

impl Read for ModelWord {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Mapping(_) => {
                OwnModelKeys::read(node, findings).map(|keys| Self::Own(Box::new(keys)))
            }
            _ => Text::read(node, findings).map(Self::Named),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [Text::schema(definitions), OwnModelKeys::schema(definitions)] })
    }
}
