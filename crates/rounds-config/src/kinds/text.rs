//! Texts: free ones, references to names, words from a short list, and the tree of a body.

use crate::codes;
use crate::diagnostic::Findings;
use crate::reading::{Definitions, Read, wrong_type};
use crate::tree::{Node, Scalar, ScalarType};
use serde_json::{Value, json};

/// Text as it is; not a number.
#[derive(Debug, Clone)]
pub(crate) struct Text(pub(crate) Scalar);

/// The name of a connection or destination.
#[derive(Debug, Clone)]
pub(crate) struct Reference(pub(crate) Scalar);

/// A literal value where text is sent: numbers and booleans are taken as they are written.
#[derive(Debug, Clone)]
pub(crate) struct LiteralText(pub(crate) Scalar);

/// A body as written.
#[derive(Debug, Clone)]
pub(crate) struct BodyTree(pub(crate) Node);

fn text_of(node: &Node, findings: &mut Findings<'_>, expected: &str) -> Option<Scalar> {
    match node.scalar() {
        Some(scalar) if scalar.scalar_type() == ScalarType::Text => Some(scalar.clone()),
        Some(scalar) if scalar.scalar_type() == ScalarType::Number => {
            wrong_type(
                node,
                findings,
                &format!(
                    "{expected}; write `\"{}\"` if it is meant as text",
                    crate::reading::shortened(&scalar.text)
                ),
            );
            None
        }
        _ => {
            wrong_type(node, findings, expected);
            None
        }
    }
}

/// A scalar that is sent as text, whatever YAML takes it for.
pub(crate) fn literal_of(node: &Node, findings: &mut Findings<'_>) -> Option<Scalar> {
    match node.scalar() {
        Some(scalar) if scalar.scalar_type() != ScalarType::Null => Some(scalar.clone()),
        _ => {
            wrong_type(node, findings, "text, a number or a boolean");
            None
        }
    }
}

impl Read for Text {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        text_of(node, findings, "text").map(Self)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string" })
    }
}

impl Read for Reference {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        text_of(node, findings, "a name").map(Self)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": super::collections::NAME_PATTERN })
    }
}

impl Read for LiteralText {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        literal_of(node, findings).map(Self)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

impl Read for BodyTree {
    fn read(node: &Node, _: &mut Findings<'_>) -> Option<Self> {
        Some(Self(node.clone()))
    }

    fn schema(_: &mut Definitions) -> Value {
        // Whatever YAML can hold.
        json!({})
    }
}

/// One of a few words.
pub(crate) trait Words: Sized + Copy + 'static {
    /// The words, each with what it means.
    const WORDS: &'static [(&'static str, Self)];
}

pub(crate) fn read_word<W: Words>(node: &Node, findings: &mut Findings<'_>) -> Option<W> {
    let words: Vec<&str> = W::WORDS.iter().map(|(word, _)| *word).collect();
    // `null` without quotes is YAML's null, and a word of ours.
    let scalar = node.scalar().filter(|scalar| !scalar.text.is_empty());
    let Some(scalar) = scalar else {
        wrong_type(
            node,
            findings,
            &format!("one of {}", crate::diagnostic::list(&words)),
        );
        return None;
    };
    let found = W::WORDS.iter().find(|(word, _)| *word == scalar.text);
    if found.is_none() {
        let shown = crate::reading::shortened(&scalar.text);
        findings
            .error(
                codes::UNKNOWN_WORD,
                scalar.place,
                format!("unknown word `{shown}`"),
            )
            .expected(format!(
                "expected one of {}",
                crate::diagnostic::list(&words)
            ))
            .nearest(&scalar.text, words.iter().copied());
    }
    found.map(|(_, meaning)| *meaning)
}

/// Gives a type its words.
macro_rules! words {
    ($type:ty { $($word:literal => $meaning:expr),+ $(,)? }) => {
        impl crate::kinds::Words for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $meaning)),+];
        }

        impl crate::reading::Read for $type {
            fn read(
                node: &crate::tree::Node,
                findings: &mut crate::diagnostic::Findings<'_>,
            ) -> Option<Self> {
                crate::kinds::read_word(node, findings)
            }

            fn schema(_: &mut crate::reading::Definitions) -> serde_json::Value {
                let mut words = vec![$(serde_json::Value::from($word)),+];
                if words.contains(&serde_json::Value::from("null")) {
                    // Without quotes it is YAML's null, and read as the word.
                    words.push(serde_json::Value::Null);
                }
                serde_json::json!({ "enum": words })
            }
        }
    };
}
pub(super) use words;

words!(rounds_domain::plan::WhenMissing {
    "null" => Self::Null,
    "park" => Self::Park,
    "drop" => Self::Drop,
});

words!(rounds_domain::plan::Expect {
    "one" => Self::One,
    "many" => Self::Many,
});

/// Whether a record that is gone is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeletionsWord {
    Told,
    Ignored,
}

/// In which order pages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderWord {
    Unordered,
    Ascending,
    Descending,
}

words!(DeletionsWord {
    "told" => Self::Told,
    "ignored" => Self::Ignored,
});

words!(OrderWord {
    "unordered" => Self::Unordered,
    "ascending" => Self::Ascending,
    "descending" => Self::Descending,
});

words!(rounds_domain::plan::Rows {
    "move" => Self::Move,
    "stay" => Self::Stay,
});

words!(rounds_domain::plan::Ids {
    "shared" => Self::Shared,
    "per_partition" => Self::PerPartition,
});

words!(rounds_domain::plan::Links {
    "as_given" => Self::AsGiven,
    "rebased" => Self::Rebased,
});

words!(rounds_domain::plan::Challenge {
    "none" => Self::None,
    "post" => Self::Post,
    "get" => Self::Get,
});

words!(rounds_domain::DeliveryOrder {
    "key" => Self::Key,
    "destination" => Self::Destination,
});

words!(rounds_map::models::Traffic {
    "production" => Self::Production,
    "test" => Self::Test,
});

words!(rounds_map::models::FirstSeenOver {
    "silent" => Self::Silent,
    "tell" => Self::Tell,
});

words!(rounds_domain::plan::Shape {
    "plain" => Self::Plain,
    "cloudevents" => Self::CloudEvents,
    "cloudevents_binary" => Self::CloudEventsBinary,
    "fhir_message" => Self::FhirMessage,
    "fhir_subscription_r4" => Self::FhirSubscriptionR4,
    "fhir_subscription_r5" => Self::FhirSubscriptionR5,
});

words!(rounds_domain::plan::Payload {
    "full" => Self::Full,
    "id_only" => Self::IdOnly,
    "empty" => Self::Empty,
});

words!(rounds_domain::plan::Untranslated {
    "keep" => Self::Keep,
    "null" => Self::Null,
    "park" => Self::Park,
});
