//! A rate, and when it holds.

use super::RateLimit;
use crate::diagnostic::Findings;
use crate::face::RateKeys;
use crate::reading::{Definitions, Read};
use crate::tree::{Node, NodeKind};
use serde_json::{Value, json};

/// A rate that always holds, or one for a part of the week.
#[derive(Debug, Clone)]
pub(crate) enum RateRule {
    Always(RateLimit),
    Keys(Box<RateKeys>),
}

impl Read for RateRule {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Mapping(_) => {
                RateKeys::read(node, findings).map(|keys| Self::Keys(Box::new(keys)))
            }
            _ => RateLimit::read(node, findings).map(Self::Always),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [RateLimit::schema(definitions), RateKeys::schema(definitions)] })
    }
}
