//! Who is told of an action's changes, of which of them, and in which words.

use crate::DestinationName;
use rounds_map::{Body, Filter, Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One destination of an action, with what it wants to be told of. All of its rules must hold.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Which destination.
    pub destination: DestinationName,
    /// jq over `{record, previous, change, body, event, <lookups>}`: what gives anything but true is not told.
    pub when: Option<Filter>,
    /// What the message has to say, and must not say.
    pub lists: Vec<ListRule>,
}

impl Subscription {
    /// To whom everything is told.
    pub const fn to_all_of(destination: DestinationName) -> Self {
        Self {
            destination,
            when: None,
            lists: Vec::new(),
        }
    }

    /// Whether everything is told to it.
    pub const fn is_for_all(&self) -> bool {
        self.when.is_none() && self.lists.is_empty()
    }
}

/// The values that a message may have, or may not have, at a path. They are compared as text, upper and lower case apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRule {
    /// Like `Visit.Location.Department`; through lists by `[]`.
    pub path: String,
    /// Which values.
    pub values: Vec<String>,
    /// What they mean.
    pub list: List,
}

/// What it means that a message has one of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// It is told; one that has none of them is not.
    Allow,
    /// It is not told.
    Deny,
}

/// A change of the body before the model completes it.
#[derive(Debug, Clone)]
pub struct Modifier {
    /// Where.
    pub path: String,
    /// What.
    pub deed: ModifierDeed,
}

/// What a modifier does with the value at its path.
#[derive(Debug, Clone)]
pub enum ModifierDeed {
    /// Puts this there. It reads what filters read; where it gives nothing, the value stays.
    Put(Body),
    /// Says it in the receiver's words, by a set of the configuration.
    Translate(Arc<Translation>),
    /// The same by the codes that stand beside the body.
    Codes(Arc<Translation>),
    /// Takes it out.
    Delete,
}

/// A set of values and what they are called elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Its name.
    pub name: String,
    /// From each value, as text, to the other's.
    pub values: BTreeMap<String, Json>,
    /// What becomes of a value that is not in the set.
    pub otherwise: Untranslated,
}

/// What becomes of a value that a translation does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Untranslated {
    /// It stays.
    #[default]
    Keep,
    /// It becomes null.
    Null,
    /// The change waits, parked, until the set has it.
    Park,
}
