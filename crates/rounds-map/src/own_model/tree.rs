//! A JSON Schema as a tree of what may be where, so far as it is written down plainly.

use super::MOST_NODES;
use crate::models::list_step;
use crate::{Json, JsonKind};
use std::collections::BTreeSet;

/// A place of the schema.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// What may be there; all if it is empty.
    pub(super) types: BTreeSet<JsonKind>,
    /// In the order of the schema.
    pub(super) properties: Vec<(String, Node)>,
    /// Which of them must be there.
    pub(super) required: BTreeSet<String>,
    /// Whether there may be others.
    pub(super) others: Others,
    /// What the items of a list are.
    pub(super) items: Option<Box<Node>>,
    /// Whether a list may be empty.
    pub(super) least: Least,
    /// What is there if nothing else is.
    pub(super) default: Option<Json>,
    /// What is always there.
    pub(super) constant: Option<Json>,
    pub(super) form: Form,
    /// Schemas of what the place says of a value itself, but for its form: how long, how large, which ones.
    pub(super) limits: Vec<Json>,
    /// Whether anything may be there.
    pub(super) room: Room,
    /// Whether `properties` are all that the place and its parts say of members.
    whole: Whole,
}

/// Whether a place may hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Room {
    #[default]
    Open,
    /// Its schema is `false`.
    None,
}

/// What stands where something must be there and nothing was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Completion {
    /// This.
    Value(Json),
    /// An object of what stands at its members.
    Members,
    /// Nothing can.
    None,
}

/// Whether an object may have members that are not among its properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Others {
    #[default]
    Allowed,
    Refused,
}

/// How few items a list may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Least {
    #[default]
    None,
    Some,
}

/// In which form a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    #[default]
    Any,
    Date,
    DateTime,
}

impl Node {
    /// Reads a schema, of which [`super::survey`] has nothing to say.
    ///
    /// # Errors
    /// The reference that leads back to itself and says nothing on the way.
    pub(super) fn of(schema: &Json) -> Result<Self, String> {
        let mut reader = Reader {
            root: schema,
            under_way: Vec::new(),
            depth: 0,
            circle: None,
            left: MOST_NODES,
        };
        let node = reader.node(schema);
        reader.circle.map_or(Ok(node), Err)
    }

    pub(super) fn may_be(&self, wanted: JsonKind) -> bool {
        self.types.is_empty() || self.types.contains(&wanted)
    }

    pub(super) fn may_be_object(&self) -> bool {
        self.may_be(JsonKind::Object)
    }

    /// Whether it says that there may be null, and not only that there may be anything.
    fn says_null(&self) -> bool {
        self.types.contains(&JsonKind::Null)
    }

    /// What stands where it must be there and nothing was given.
    pub(super) fn completion(&self) -> Completion {
        let said = self.constant.as_ref().or(self.default.as_ref());
        if let Some(said) = said {
            return Completion::Value(said.clone());
        }
        if self.says_null() {
            return Completion::Value(Json::null());
        }
        if self.is_object() {
            return Completion::Members;
        }
        let is_list = self.types.iter().eq([&JsonKind::Array]);
        if is_list && self.least == Least::None {
            return Completion::Value(Json::array([]));
        }
        Completion::None
    }

    /// Whether it is an object, or null.
    fn is_object(&self) -> bool {
        self.types.contains(&JsonKind::Object)
            || (self.types.is_empty() && !self.properties.is_empty())
    }

    /// What it must be, if that is one thing besides null.
    pub(super) fn needed(&self) -> &'static str {
        let mut types = self.types.iter().filter(|of| **of != JsonKind::Null);
        match (types.next(), types.next()) {
            (Some(only), None) => only.with_article(),
            _ => "another type",
        }
    }

    pub(super) fn property(&self, name: &str) -> Option<&Self> {
        let found = self.properties.iter().find(|(known, _)| known == name);
        found.map(|(_, node)| node)
    }

    /// What may stand at `path`: none of it if that may be anything, and None if nothing can.
    pub(super) fn kinds_at(&self, path: &str) -> Option<Vec<JsonKind>> {
        let anything = |holds: bool| holds.then(Vec::new);
        let mut here = self;
        for step in path.split('.') {
            let (name, is_list) = list_step(step);
            let Some(next) = here.property(name) else {
                return anything(here.others == Others::Allowed && here.may_be_object());
            };
            here = match (&next.items, is_list) {
                (Some(items), true) => items,
                (None, true) => return anything(next.may_be(JsonKind::Array)),
                (_, false) => next,
            };
        }
        Some(here.types.iter().copied().collect())
    }

    /// Adds what another schema of the same place says.
    fn and(&mut self, other: Self) {
        if self.types.is_empty() {
            self.types = other.types;
        } else if !other.types.is_empty() {
            self.types = self.types.intersection(&other.types).copied().collect();
        }
        for (name, node) in other.properties {
            match self.properties.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => known.and(node),
                None => self.properties.push((name, node)),
            }
        }
        self.required.extend(other.required);
        // Each closes the object for itself, and the tree knows only their sum: the validator says what is refused.
        self.others = Others::Allowed;
        self.items = self.items.take().or(other.items);
        if other.least == Least::Some {
            self.least = Least::Some;
        }
        self.default = self.default.take().or(other.default);
        self.constant = self.constant.take().or(other.constant);
        if self.form == Form::Any {
            self.form = other.form;
        }
        self.limits.extend(other.limits);
        if other.room == Room::None {
            self.room = Room::None;
        }
        self.whole = self.whole.and(other.whole);
    }
}

struct Reader<'s> {
    root: &'s Json,
    /// The references that are being followed, each with the depth at which it was met: one that leads back to itself is not followed again.
    under_way: Vec<(String, usize)>,
    /// How many members and items the reader has gone into.
    depth: usize,
    /// A reference that leads back to the very place where it stands.
    circle: Option<String>,
    left: usize,
}

impl Reader<'_> {
    fn node(&mut self, schema: &Json) -> Node {
        self.left = self.left.saturating_sub(1);
        if schema.as_bool() == Some(false) {
            return Node {
                room: Room::None,
                ..Node::default()
            };
        }
        if self.left == 0 || schema.kind() != JsonKind::Object {
            return Node::default();
        }
        let mut node = self.own(schema);
        if let Some(reference) = schema
            .get("$ref")
            .and_then(|it| it.as_str().map(str::to_owned))
        {
            node.and_also(self.referred(&reference));
        }
        for part in schema.get("allOf").iter().flat_map(Json::items) {
            let part = self.node(&part);
            node.and(part);
        }
        for alternatives in ["anyOf", "oneOf"] {
            let Some(alternatives) = schema.get(alternatives) else {
                continue;
            };
            let whole = self.either(&mut node, &alternatives);
            node.whole = node.whole.and(whole);
        }
        let says_more = ["if", "patternProperties", "dependentSchemas", "$dynamicRef"]
            .iter()
            .any(|key| schema.get(key).is_some());
        // What further members are is said, so they are evaluated.
        let has_others = schema
            .get("additionalProperties")
            .is_some_and(|others| others.as_bool() != Some(false));
        if says_more || has_others {
            node.whole = Whole::Partly;
        }
        let closes_all = refuses(schema, "unevaluatedProperties");
        match node.whole {
            // This word looks at what all parts say together.
            Whole::Read if closes_all => node.others = Others::Refused,
            Whole::Read => {}
            Whole::Partly => node.others = Others::Allowed,
        }
        node
    }

    /// What a member or an item is.
    fn inner(&mut self, schema: &Json) -> Node {
        self.depth += 1;
        let node = self.node(schema);
        self.depth -= 1;
        node
    }

    fn own(&mut self, schema: &Json) -> Node {
        let properties = schema.get("properties");
        let properties = properties.iter().flat_map(Json::members);
        let properties = properties.map(|(name, schema)| (name.to_owned(), self.inner(&schema)));
        let properties: Vec<(String, Node)> = properties.collect();
        let least = schema.get("minItems").and_then(|least| least.scalar_text());
        Node {
            types: types(schema),
            properties,
            required: (schema.get("required").iter())
                .flat_map(Json::items)
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            others: if refuses(schema, "additionalProperties") {
                Others::Refused
            } else {
                Others::Allowed
            },
            items: self.items(schema),
            least: if least.is_none_or(|least| least == "0") {
                Least::None
            } else {
                Least::Some
            },
            default: schema.get("default"),
            constant: schema.get("const").or_else(|| only_choice(schema)),
            form: form(schema),
            limits: limits(schema).into_iter().collect(),
            room: Room::Open,
            whole: Whole::Read,
        }
    }

    /// What every item is; None where the first ones are something else.
    fn items(&mut self, schema: &Json) -> Option<Box<Node>> {
        let items = schema.get("items")?;
        let is_tuple = schema.get("prefixItems").is_some() || items.kind() == JsonKind::Array;
        (!is_tuple).then(|| Box::new(self.inner(&items)))
    }

    fn referred(&mut self, reference: &str) -> Node {
        let Some(schema) = at_pointer(self.root, reference) else {
            return Node::default();
        };
        if let Some((_, depth)) = (self.under_way.iter()).find(|(known, _)| known == reference) {
            if *depth == self.depth {
                self.circle = Some(reference.to_owned());
            }
            // Its own members go on for ever; of which kind it is can be known.
            let mut types = types(&schema);
            if types.is_empty() && schema.get("properties").is_some() {
                types.insert(JsonKind::Object);
            }
            return Node {
                types,
                ..Node::default()
            };
        }
        self.under_way.push((reference.to_owned(), self.depth));
        let node = self.node(&schema);
        self.under_way.pop();
        node
    }

    /// Of alternatives, those that say "this, or null" can be followed; of others it is not known which is meant.
    fn either(&mut self, node: &mut Node, alternatives: &Json) -> Whole {
        let alternatives: Vec<Node> = alternatives.items().map(|one| self.node(&one)).collect();
        let is_null = |one: &&Node| one.types.iter().eq([&JsonKind::Null]);
        let mut others = alternatives.iter().filter(|one| !is_null(one));
        match (others.next(), others.next()) {
            (Some(only), None) => {
                let mut only = only.clone();
                if alternatives.len() > 1 {
                    // What is said of a value is not said of null.
                    only.limits.clear();
                    if !only.types.is_empty() {
                        only.types.insert(JsonKind::Null);
                    }
                }
                node.and_also(only);
                Whole::Read
            }
            _ => Whole::Partly,
        }
    }
}

/// Whether all that a schema says of an object's members is in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Whole {
    #[default]
    Read,
    Partly,
}

impl Whole {
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Read, Self::Read) => Self::Read,
            _ => Self::Partly,
        }
    }
}

fn refuses(schema: &Json, key: &str) -> bool {
    schema.get(key).and_then(|it| it.as_bool()) == Some(false)
}

fn form(schema: &Json) -> Form {
    match schema.get("format").as_ref().and_then(Json::as_str) {
        Some("date") => Form::Date,
        Some("date-time") => Form::DateTime,
        _ => Form::Any,
    }
}

/// A choice among one is a constant.
fn only_choice(schema: &Json) -> Option<Json> {
    let choice = schema.get("enum")?;
    let mut choice = choice.items();
    match (choice.next(), choice.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// What a schema says of a value by itself; None if that is nothing.
fn limits(schema: &Json) -> Option<Json> {
    let is_form = form(schema) != Form::Any;
    let said = LIMITS.iter().filter(|word| !is_form || **word != "format");
    let said: Vec<(&str, Json)> = said
        .filter_map(|word| Some((*word, schema.get(word)?)))
        .collect();
    (!said.is_empty()).then(|| Json::object(said))
}

/// The words that need nothing else of the schema. A date's format is none: dates are brought into it.
const LIMITS: [&str; 14] = [
    "enum",
    "const",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
];

impl Node {
    /// As [`Node::and`], for one other schema: where this place says nothing of its members, it is closed as the other one is.
    fn and_also(&mut self, other: Self) {
        let others = if self.properties.is_empty() {
            other.others
        } else {
            Others::Allowed
        };
        self.and(other);
        self.others = others;
    }
}

/// The kind that a word of `type` means.
fn kind_named(word: &str) -> Option<JsonKind> {
    Some(match word {
        "null" => JsonKind::Null,
        "boolean" => JsonKind::Boolean,
        "integer" | "number" => JsonKind::Number,
        "string" => JsonKind::String,
        "array" => JsonKind::Array,
        "object" => JsonKind::Object,
        _ => return None,
    })
}

fn types(schema: &Json) -> BTreeSet<JsonKind> {
    let Some(given) = schema.get("type") else {
        // What a constant or a choice may be is known as well.
        let choice = schema.get("enum");
        let choice = choice
            .iter()
            .flat_map(Json::items)
            .chain(schema.get("const"));
        return choice.map(|one| one.kind()).collect();
    };
    let words: Vec<Json> = match given.kind() {
        JsonKind::Array => given.items().collect(),
        _ => vec![given],
    };
    let mut types: BTreeSet<JsonKind> = words
        .iter()
        .filter_map(|word| kind_named(word.as_str()?))
        .collect();
    // A choice without null has none, whatever its type.
    let choice = schema.get("enum");
    if choice.is_some_and(|choice| !choice.items().any(|one| one.is_null())) {
        types.remove(&JsonKind::Null);
    }
    types
}

/// The part that is called so by its `$anchor`.
fn anchored(schema: &Json, name: &str) -> Option<Json> {
    let says =
        |key: &str, value: &str| schema.get(key).as_ref().and_then(Json::as_str) == Some(value);
    // Before 2019-09 a name was an identifier that is a fragment.
    let fragment = format!("#{name}");
    if says("$anchor", name)
        || says("$dynamicAnchor", name)
        || says("$id", &fragment)
        || says("id", &fragment)
    {
        return Some(schema.clone());
    }
    let parts = schema.members().map(|(_, member)| member);
    let mut parts = parts.chain(schema.items());
    parts.find_map(|part| anchored(&part, name))
}

/// What a local reference (RFC 6901, in a fragment) leads to.
pub(super) fn at_pointer(root: &Json, reference: &str) -> Option<Json> {
    let pointer = reference.strip_prefix('#')?;
    let pointer = percent_encoding::percent_decode_str(pointer)
        .decode_utf8()
        .ok()?;
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return anchored(root, &pointer);
    }
    let mut here = root.clone();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        here = match here.kind() {
            JsonKind::Array => here.items().nth(step.parse().ok()?)?,
            _ => here.get(&step)?,
        };
    }
    Some(here)
}
