//! Whether a body fits a schema, in the words of our own: the validator's repeat values.

use super::OwnModelError;
use super::tree::Node;
use crate::models::{ModelError, ModelProblem, UNNAMED};
use crate::nearest::nearest;
use crate::{Json, JsonKind};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// How many errors of one body are told.
const MOST_ERRORS: usize = 50;

pub(super) fn validator(schema: &Json) -> Result<Validator, OwnModelError> {
    jsonschema::options()
        .should_validate_formats(true)
        .offline()
        .build(&value(schema))
        .map_err(|error| OwnModelError::NotASchema {
            place: match error.instance_path().as_str() {
                "" => "/".to_owned(),
                place => place.to_owned(),
            },
            reason: error.to_string(),
        })
}

/// The rule of a schema without references that a value breaks, if it breaks one.
pub(super) fn against(schema: &Json, of: &Json) -> Option<String> {
    let validator = validator(schema).ok()?;
    let instance = value(of);
    let broken = validator.iter_errors(&instance).next();
    broken.map(|error| rule(error.kind()))
}

/// Everything that the schema has against a body, but for what is known already.
pub(super) fn errors(
    validator: &Validator,
    tree: &Node,
    body: &Json,
    known: &[ModelError],
) -> Vec<ModelError> {
    let instance = value(body);
    let mut errors: Vec<ModelError> = Vec::new();
    for error in validator.iter_errors(&instance) {
        for error in ours(tree, &error) {
            let is_known = known.iter().any(|known| known.path == error.path);
            if !is_known && !errors.contains(&error) {
                errors.push(error);
            }
        }
        if errors.len() >= MOST_ERRORS {
            break;
        }
    }
    errors
}

fn ours(tree: &Node, error: &ValidationError<'_>) -> Vec<ModelError> {
    let path = path(tree, error.instance_path());
    let under = |name: &str| match path.as_str() {
        "." => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let unexpected = |names: &[String]| {
        let here = node_at(tree, error.instance_path());
        let properties = here.iter().flat_map(|node| &node.properties);
        let properties: Vec<&str> = properties.map(|(known, _)| known.as_str()).collect();
        let one = |name: &String| ModelError {
            path: under(UNNAMED),
            problem: ModelProblem::NotInSchema {
                nearest: nearest(name, properties.iter().copied()).map(str::to_owned),
            },
        };
        names.iter().map(one).collect()
    };
    let problem = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            return vec![ModelError {
                path: under(name),
                problem: ModelProblem::Missing,
            }];
        }
        ValidationErrorKind::AdditionalProperties { unexpected: names }
        | ValidationErrorKind::UnevaluatedProperties { unexpected: names } => {
            return unexpected(names);
        }
        ValidationErrorKind::Type { kind } => ModelProblem::WrongType {
            needed: match kind {
                TypeKind::Single(only) => needed(only.as_str()),
                TypeKind::Multiple(_) => node_at(tree, error.instance_path())
                    .map_or("another type", |node| node.needed()),
            },
            found: kind_of(error.instance()).with_article(),
        },
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }
            if let Some(nearest) = nearest_alternative(context) =>
        {
            let of_nearest = nearest.iter().flat_map(|error| ours(tree, error));
            let keyword = match error.kind() {
                ValidationErrorKind::AnyOf { .. } => "anyOf",
                _ => "oneOf",
            };
            let within = of_nearest.map(|error| ModelError {
                path: error.path,
                problem: ModelProblem::InAlternative {
                    keyword,
                    problem: Box::new(error.problem),
                },
            });
            return within.collect();
        }
        ValidationErrorKind::FalseSchema => match error.schema_path().into_iter().last() {
            Some(LocationSegment::Property(word)) if word.ends_with("roperties") => {
                ModelProblem::Against {
                    rule: format!("{word}: false"),
                }
            }
            _ => ModelProblem::NotInSchema { nearest: None },
        },
        kind => ModelProblem::Against { rule: rule(kind) },
    };
    vec![ModelError { path, problem }]
}

/// Of alternatives of which none fits, the one that was probably meant: whose constants and types are right, and which has the least against it.
fn nearest_alternative<'e>(
    alternatives: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e Vec<ValidationError<'static>>> {
    let is_another = |error: &&ValidationError<'_>| {
        matches!(
            error.kind(),
            ValidationErrorKind::Constant { .. }
                | ValidationErrorKind::Enum { .. }
                | ValidationErrorKind::Type { .. }
        )
    };
    let with_errors = alternatives.iter().filter(|errors| !errors.is_empty());
    with_errors.min_by_key(|errors| (errors.iter().filter(is_another).count(), errors.len()))
}

fn needed(word: &str) -> &'static str {
    match word {
        "integer" => "a whole number",
        "null" => JsonKind::Null.with_article(),
        "boolean" => JsonKind::Boolean.with_article(),
        "number" => JsonKind::Number.with_article(),
        "string" => JsonKind::String.with_article(),
        "array" => JsonKind::Array.with_article(),
        _ => JsonKind::Object.with_article(),
    }
}

/// The keyword, and what the schema says there where that is short and the schema's own.
fn rule(kind: &ValidationErrorKind) -> String {
    let said = match kind {
        ValidationErrorKind::Maximum { limit }
        | ValidationErrorKind::Minimum { limit }
        | ValidationErrorKind::ExclusiveMaximum { limit }
        | ValidationErrorKind::ExclusiveMinimum { limit } => limit.to_string(),
        ValidationErrorKind::MaxItems { limit }
        | ValidationErrorKind::MinItems { limit }
        | ValidationErrorKind::MaxLength { limit }
        | ValidationErrorKind::MinLength { limit }
        | ValidationErrorKind::MaxProperties { limit }
        | ValidationErrorKind::MinProperties { limit } => limit.to_string(),
        ValidationErrorKind::Format { format } => format.clone(),
        ValidationErrorKind::Pattern { pattern } => pattern.clone(),
        ValidationErrorKind::Enum { options } => options.to_string(),
        ValidationErrorKind::Constant { expected_value } => expected_value.to_string(),
        _ => return kind.keyword().to_owned(),
    };
    let shown: String = said.chars().take(80).collect();
    let rest = if shown.len() < said.len() { "..." } else { "" };
    format!("{}: {shown}{rest}", kind.keyword())
}

/// A place of the body as our paths have it. What the schema does not name may be a name that a record gave, and so is not shown.
fn path(tree: &Node, place: &Location) -> String {
    let mut path = crate::body::Path::default();
    let mut here = Some(tree);
    for step in place {
        here = match step {
            LocationSegment::Property(name) => {
                let known = here.and_then(|node| node.property(&name));
                _ = path.enter_member(if known.is_some() { &name } else { UNNAMED });
                known
            }
            LocationSegment::Index(index) => {
                _ = path.enter_item(index);
                here.and_then(|node| node.items.as_deref())
            }
        };
    }
    path.shown()
}

fn node_at<'t>(tree: &'t Node, place: &Location) -> Option<&'t Node> {
    let mut here = tree;
    for step in place {
        here = match (step, &here.items) {
            (LocationSegment::Index(_), Some(items)) => items,
            (LocationSegment::Index(_), None) => return None,
            (LocationSegment::Property(name), _) => here.property(&name)?,
        };
    }
    Some(here)
}

const fn kind_of(value: &Value) -> JsonKind {
    match value {
        Value::Null => JsonKind::Null,
        Value::Bool(_) => JsonKind::Boolean,
        Value::Number(_) => JsonKind::Number,
        Value::String(_) => JsonKind::String,
        Value::Array(_) => JsonKind::Array,
        Value::Object(_) => JsonKind::Object,
    }
}

/// The value as the validator takes it. A number that no float holds is as large as one can be.
fn value(json: &Json) -> Value {
    match json.kind() {
        JsonKind::Null => Value::Null,
        JsonKind::Boolean => Value::Bool(json.as_bool() == Some(true)),
        JsonKind::Number => {
            let text = json.scalar_text().unwrap_or_default();
            let whole = text.parse::<i64>().map(Value::from);
            whole
                .or_else(|_| text.parse::<u64>().map(Value::from))
                .unwrap_or_else(|_| {
                    let number: f64 = text.parse().unwrap_or(f64::MAX);
                    Value::from(number.clamp(f64::MIN, f64::MAX))
                })
        }
        JsonKind::String => Value::from(json.as_str().unwrap_or_default()),
        JsonKind::Array => json.items().map(|item| value(&item)).collect(),
        JsonKind::Object => json
            .members()
            .map(|(name, member)| (name.to_owned(), value(&member)))
            .collect(),
    }
}
