//! YAML as a tree in which every piece knows where it stands.
//!
//! A deserializer stops at its first error, and a person who mends a file wants to know of all. So the text becomes a
//! tree of three kinds of nodes first, and everything else looks at the tree. What YAML has beyond that (anchors,
//! aliases, tags, several documents, keys that are no text) is refused with a word: it hides what a file says, and an
//! alias may stand for a billion nodes.

mod build;
mod inside;
mod syntax;

pub(crate) use build::parse;
pub(crate) use inside::inside;

use crate::source::Place;
use rounds_map::Json;

/// How deep mappings and lists may nest.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many nodes one file may have.
pub(crate) const MAX_NODES: usize = 100_000;

/// What became of a text.
#[derive(Debug, Clone)]
pub(crate) enum Parsed {
    Tree(Node),
    /// Nothing but comments.
    Empty,
    /// It is not YAML, which was reported.
    Failed,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// Something that was refused, and reported, already.
    Refused,
}

/// A key and its value. A key may come twice: who reads the mapping says what that means.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Scalar,
    pub(crate) value: Node,
}

/// Text as YAML gives it, with the place of its source (quotes included).
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// What a scalar is by the core schema of YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarType {
    Null,
    Boolean(bool),
    Number,
    Text,
}

impl Scalar {
    pub(crate) fn scalar_type(&self) -> ScalarType {
        if self.style != Style::Plain {
            return ScalarType::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => ScalarType::Null,
            "true" | "True" | "TRUE" => ScalarType::Boolean(true),
            "false" | "False" | "FALSE" => ScalarType::Boolean(false),
            text if is_number(text) => ScalarType::Number,
            _ => ScalarType::Text,
        }
    }
}

impl Scalar {
    /// What is written, as JSON: a number or a boolean where YAML takes it for one, text otherwise.
    pub(crate) fn as_json(&self) -> Json {
        match self.scalar_type() {
            ScalarType::Boolean(value) => Json::boolean(value),
            // YAML has numbers that JSON has not (`007`, `0x1F`, `.inf`): those are what is written.
            ScalarType::Number => {
                Json::parse(self.text.as_bytes()).unwrap_or_else(|_| Json::string(&self.text))
            }
            ScalarType::Null | ScalarType::Text => Json::string(&self.text),
        }
    }
}

/// The numbers of the core schema: `[-+]?[0-9]+`, `0o[0-7]+`, `0x[0-9a-fA-F]+`, decimals, `.inf` and `.nan`.
fn is_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    let mut rest = &unsigned[whole..];
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        fraction = digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return false;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

impl Node {
    /// With its article, for messages.
    pub(crate) fn found(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(scalar) => match scalar.scalar_type() {
                ScalarType::Null => "nothing",
                ScalarType::Boolean(_) => "a boolean",
                ScalarType::Number => "a number",
                ScalarType::Text => "text",
            },
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a mapping",
            NodeKind::Refused => "something else",
        }
    }

    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            NodeKind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.scalar()
            .is_some_and(|scalar| scalar.scalar_type() == ScalarType::Null)
    }
}
