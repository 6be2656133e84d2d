//! A user's own data model: a JSON Schema, so that nobody needs our language.
//!
//! A receiver's own validator is the judge of a message, so ours is a validator too: the `jsonschema` crate says whether a body fits, in
//! whatever draft the schema names (2020-12 otherwise), formats included. What it cannot say is how to complete a body, and what is wrong
//! with one before there is a record. For that the schema is read once more as a tree ([`tree`]): of it `properties`, `required`, `type`, `items`,
//! `default`, `const`, `format`, local `$ref`s and `allOf`. What a tree cannot hold (`oneOf`, `if`, ...) is judged, not completed.
//!
//! What to mind: nothing is fetched. A schema that refers to another document is refused. And the words of the validator repeat values, so
//! its errors are told in ours: the path, the keyword and what the schema says there.

mod check;
mod fill;
mod judge;
mod survey;
mod tree;

use crate::models::{ModelError, ModelErrors, SourceTimes};
use crate::{Body, Json, JsonKind, ParseError};
use jsonschema::Validator;
use tree::Node;

pub use survey::SchemaWarning;

/// How many places of a schema are read as a tree. What is beyond is judged, not completed.
const MOST_NODES: usize = 10_000;

/// A user's own data model.
pub struct OwnModel {
    name: String,
    tree: Node,
    validator: Validator,
    warnings: Vec<SchemaWarning>,
}

/// Why a text is no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnModelError {
    /// It is no JSON.
    #[error("is no JSON: {0}")]
    NotJson(ParseError),
    /// It is JSON and no schema of an object.
    #[error("describes no object: the body of a notification is one")]
    NoObject,
    /// A place in it is not as JSON Schema has it.
    #[error("is no JSON Schema at `{place}`: {reason}")]
    NotASchema {
        /// A JSON pointer into the schema.
        place: String,
        /// What is wrong there.
        reason: String,
    },
}

impl OwnModel {
    /// Reads a JSON Schema.
    ///
    /// # Errors
    ///
    /// What does not parse, with its place; what is no schema, with its place in it; and a reference to another document, which is not fetched.
    pub fn read(name: impl Into<String>, text: &[u8]) -> Result<Self, OwnModelError> {
        let schema = Json::parse(text).map_err(OwnModelError::NotJson)?;
        let warnings = survey::survey(&schema)?;
        let validator = judge::validator(&survey::with_known_dialect(&schema))?;
        let tree = Node::of(&schema).map_err(|reference| OwnModelError::NotASchema {
            place: reference.trim_start_matches('#').to_owned(),
            reason: "`$ref` leads back to itself and says nothing on the way".to_owned(),
        })?;
        if !tree.may_be_object() {
            return Err(OwnModelError::NoObject);
        }
        Ok(Self {
            name: name.into(),
            tree,
            validator,
            warnings,
        })
    }

    /// What the schema says and no validator heeds.
    pub fn warnings(&self) -> &[SchemaWarning] {
        &self.warnings
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Completes `body` as far as the schema says what must be there, in the schema's order: what is required, is left out, and has a
    /// `const` or a `default`, may be null, or is an object or a list. Dates and times are brought into the form that their `format` has.
    ///
    /// # Errors
    ///
    /// Everything that the schema has against it, by path and never by value.
    pub fn fill(&self, body: &Json, times: SourceTimes<'_>) -> Result<Json, ModelErrors> {
        let (filled, mut errors) = fill::filled(&self.tree, body, times);
        errors.extend(judge::errors(&self.validator, &self.tree, &filled, &errors));
        if errors.is_empty() {
            Ok(filled)
        } else {
            Err(ModelErrors(errors))
        }
    }

    /// `body` with what can be read of its dates and times in the schema's form.
    #[must_use]
    pub fn formed(&self, body: &Json, times: SourceTimes<'_>) -> Json {
        fill::formed(&self.tree, body, times)
    }

    /// What is wrong with `body` whatever the record, as far as the tree holds it: members that the schema does not have, literals of another type,
    /// what must be there and is not.
    pub fn check_shape(&self, body: &Body) -> Vec<ModelError> {
        check::check(&self.tree, body)
    }

    /// What may stand at `path`, such as `visit.items[].code`: none of it if that may be anything, and None where the schema has no such place.
    pub fn kinds_at(&self, path: &str) -> Option<Vec<JsonKind>> {
        self.tree.kinds_at(path)
    }
}

impl std::fmt::Debug for OwnModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OwnModel").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests;
