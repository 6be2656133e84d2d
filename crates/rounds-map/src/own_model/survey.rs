//! What is wrong with a schema, place by place, before a validator is made of it.
//!
//! A validator says "not valid under any of the schemas in `anyOf`" of a misspelt type and names no place for a reference that leads
//! nowhere; and what it does not know, such as a misspelt `required` or `nullable` of `OpenAPI`, it passes over in silence, as the standard has
//! it. Whoever wrote the schema meant something by it, so it is said here.

use super::OwnModelError;
use crate::nearest::nearest;
use crate::{Json, JsonKind};

/// Something that a schema says and that no validator heeds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaWarning {
    /// A word of `OpenAPI` 3.0.
    #[error(
        "`{place}` is a word of OpenAPI and none of JSON Schema; write the type as a list: `[\"string\", \"null\"]`"
    )]
    Nullable {
        /// A JSON pointer into the schema.
        place: String,
    },
    /// A word of another draft than the schema's.
    #[error(
        "`{place}` is passed over by the draft that `$schema` names: it does not have the word, or reads nothing beside a `$ref`"
    )]
    OtherDraft {
        /// A JSON pointer into the schema.
        place: String,
    },
    /// A format that nobody knows.
    #[error("`{place}` names a format that is none; did you mean `{nearest}`?")]
    UnknownFormat {
        /// A JSON pointer into the schema.
        place: String,
        /// The nearest format that there is.
        nearest: &'static str,
    },
    /// A word that is almost one of the standard.
    #[error("`{place}` is no word of JSON Schema; did you mean `{nearest}`?")]
    Unknown {
        /// A JSON pointer into the schema.
        place: String,
        /// The nearest word that is one.
        nearest: &'static str,
    },
}

/// Whose values are schemas by name.
const MAPS: [&str; 5] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];
/// Whose value is a schema, or a list of them.
const SCHEMAS: [&str; 15] = [
    "items",
    "additionalItems",
    "prefixItems",
    "unevaluatedItems",
    "contains",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "if",
    "then",
    "else",
    "not",
    "allOf",
    "anyOf",
    "oneOf",
];
/// What is often written beside a `$ref`.
const LIMITS_BESIDE: [&str; 8] = [
    "enum",
    "const",
    "maxLength",
    "minLength",
    "pattern",
    "format",
    "required",
    "properties",
];
/// The other words of the drafts from 4 to 2020-12.
const WORDS: [&str; 41] = [
    "$schema",
    "$id",
    "id",
    "$ref",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
    "$comment",
    "title",
    "description",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "examples",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
    "dependencies",
    "format",
    "contentEncoding",
];
/// Words that drafts before 2019-09 do not have.
const OF_LATER_DRAFTS: [&str; 6] = [
    "unevaluatedProperties",
    "unevaluatedItems",
    "dependentRequired",
    "dependentSchemas",
    "minContains",
    "maxContains",
];
const FORMATS: [&str; 19] = [
    "date",
    "date-time",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "uri-template",
    "iri",
    "iri-reference",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
    "regex",
];
/// Annotations of well-known tools.
const OF_TOOLS: [&str; 8] = [
    "example",
    "propertyOrder",
    "enumDescriptions",
    "markdownDescription",
    "tsType",
    "note",
    "discriminator",
    "contentSchema",
];
/// Shorter words are near to too many.
const SHORTEST_SLIP: usize = 5;
/// Formats that tools know besides.
const FORMATS_OF_TOOLS: [&str; 9] = [
    "url",
    "guid",
    "ulid",
    "uid",
    "urn",
    "mime",
    "iso-time",
    "iso-date-time",
    "binary",
];
const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];
/// What `$schema` may be, without its scheme and its fragment.
const DIALECTS: [&str; 5] = [
    "json-schema.org/draft-04/schema",
    "json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema",
];

/// Stands for whatever draft is the latest.
const LATEST: &str = "json-schema.org/schema";
/// `OpenAPI` 3.1 is 2020-12 with words of its own.
const OPENAPI: &str = "spec.openapis.org/oas/3.1/dialect/";

/// What `$schema` names, without its scheme and whatever stands behind.
fn dialect_name(said: &str) -> &str {
    let name = said.trim_end_matches('#').trim_end_matches('/');
    name.split_once("://").map_or(name, |(_, name)| name)
}

/// The schema as a validator takes it, which knows the drafts by their own names only.
pub(super) fn with_known_dialect(schema: &Json) -> Json {
    let said = schema.get("$schema");
    let Some(said) = said.as_ref().and_then(Json::as_str) else {
        return schema.clone();
    };
    let name = dialect_name(said);
    let is_as_it_should_be = !said.trim_end_matches('#').ends_with('/');
    if DIALECTS.contains(&name) && is_as_it_should_be {
        return schema.clone();
    }
    let members = schema.members().filter(|(word, _)| *word != "$schema");
    let rest = members.map(|(word, value)| (word.to_owned(), value));
    if DIALECTS.contains(&name) {
        let scheme = if name.contains("draft-0") {
            "http"
        } else {
            "https"
        };
        let named = Json::string(format!("{scheme}://{name}"));
        return Json::object(std::iter::once(("$schema".to_owned(), named)).chain(rest));
    }
    Json::object(rest)
}

/// What a schema says that nobody heeds.
///
/// # Errors
/// The first place that cannot be right.
pub(super) fn survey(schema: &Json) -> Result<Vec<SchemaWarning>, OwnModelError> {
    let mut survey = Survey {
        root: schema,
        place: String::new(),
        may_be_null: false,
        warnings: Vec::new(),
    };
    survey.dialect()?;
    survey.schema(schema)?;
    Ok(survey.warnings)
}

struct Survey<'s> {
    root: &'s Json,
    /// A JSON pointer.
    place: String,
    /// Whether the present schema says in JSON Schema's words that there may be null.
    may_be_null: bool,
    warnings: Vec<SchemaWarning>,
}

impl Survey<'_> {
    fn wrong(&self, reason: String) -> OwnModelError {
        OwnModelError::NotASchema {
            place: self.place.clone(),
            reason,
        }
    }

    /// Does `deed` at a member of the present place.
    fn within<T>(&mut self, step: &str, deed: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.place.len();
        self.place.push('/');
        self.place
            .push_str(&step.replace('~', "~0").replace('/', "~1"));
        let done = deed(self);
        self.place.truncate(length);
        done
    }

    fn dialect(&mut self) -> Result<(), OwnModelError> {
        let said = self.root.get("$schema");
        let Some(said) = said.as_ref().and_then(Json::as_str) else {
            return Ok(());
        };
        let name = dialect_name(said);
        if DIALECTS.contains(&name) || name == LATEST || name.starts_with(OPENAPI) {
            return Ok(());
        }
        self.within("$schema", |here| {
            Err(here.wrong("names no draft from 4 to 2020-12; write `https://json-schema.org/draft/2020-12/schema`, or leave it out".to_owned()))
        })
    }

    fn schema(&mut self, schema: &Json) -> Result<(), OwnModelError> {
        let is_old = self.is_old();
        let refers = is_old && schema.get("$ref").is_some();
        for (word, value) in schema.members() {
            // Beside a `$ref` the old drafts read nothing.
            let is_read = !is_old || !OF_LATER_DRAFTS.contains(&word);
            let is_limit = LIMITS_BESIDE.contains(&word);
            self.may_be_null = (schema.get("type").iter().flat_map(Json::items))
                .any(|of| of.as_str() == Some("null"));
            if !is_read || (refers && is_limit) {
                self.within(word, |here| {
                    let place = here.place.clone();
                    here.warnings.push(SchemaWarning::OtherDraft { place });
                });
            }
            self.within(word, |here| here.word(word, &value))?;
        }
        Ok(())
    }

    fn word(&mut self, word: &str, value: &Json) -> Result<(), OwnModelError> {
        match word {
            "type" => self.types(value),
            "$ref" => self.reference(value),
            "format" => {
                self.format(value);
                Ok(())
            }
            "nullable" if value.as_bool() == Some(true) && !self.may_be_null => {
                let place = self.place.clone();
                self.warnings.push(SchemaWarning::Nullable { place });
                Ok(())
            }
            _ if MAPS.contains(&word) => {
                for (name, schema) in value.members() {
                    self.within(name, |here| here.schema(&schema))?;
                }
                Ok(())
            }
            _ if SCHEMAS.contains(&word) => match value.kind() {
                JsonKind::Array => {
                    for (index, schema) in value.items().enumerate() {
                        self.within(&index.to_string(), |here| here.schema(&schema))?;
                    }
                    Ok(())
                }
                _ => self.schema(value),
            },
            _ => {
                self.unknown(word);
                Ok(())
            }
        }
    }

    /// Whether the schema is of a draft before 2019-09.
    fn is_old(&self) -> bool {
        let said = self.root.get("$schema");
        let said = said.as_ref().and_then(Json::as_str).unwrap_or_default();
        said.contains("draft-0")
    }

    fn format(&mut self, value: &Json) {
        let is_known =
            |format: &&str| FORMATS.contains(format) || FORMATS_OF_TOOLS.contains(format);
        let Some(format) = value.as_str().filter(|format| !is_known(format)) else {
            return;
        };
        if let Some(nearest) = nearest(format, FORMATS) {
            let place = self.place.clone();
            self.warnings
                .push(SchemaWarning::UnknownFormat { place, nearest });
        }
    }

    fn types(&self, value: &Json) -> Result<(), OwnModelError> {
        let words: Vec<Json> = match value.kind() {
            JsonKind::Array => value.items().collect(),
            _ => vec![value.clone()],
        };
        for word in words.iter().filter_map(Json::as_str) {
            if TYPES.contains(&word) {
                continue;
            }
            let help = nearest(word, TYPES).map_or_else(
                || format!("a type is one of {}", TYPES.join(", ")),
                |nearest| format!("did you mean `{nearest}`?"),
            );
            return Err(self.wrong(format!("`{}` is no type; {help}", shown(word))));
        }
        Ok(())
    }

    /// A reference by a fragment must lead somewhere, and another document is not fetched. Where parts have names of their own (`$id`), the
    /// validator knows which they are.
    fn reference(&self, value: &Json) -> Result<(), OwnModelError> {
        let Some(reference) = value.as_str() else {
            return Ok(());
        };
        if reference.starts_with('#') && super::tree::at_pointer(self.root, reference).is_none() {
            return Err(self.wrong(format!(
                "`{}` leads to nothing in this file",
                shown(reference)
            )));
        }
        if !reference.starts_with('#') && !has_named_parts(self.root) {
            return Err(self.wrong(format!(
                "`{}` is another document, and none is fetched; put what it says under `$defs` of this file and refer to it as `#/$defs/NAME`",
                shown(reference)
            )));
        }
        Ok(())
    }

    fn unknown(&mut self, word: &str) {
        let mut words = WORDS.iter().chain(&MAPS).chain(&SCHEMAS).copied();
        // Words of tools, and what is too short to be a slip.
        let is_of_a_tool =
            word.starts_with("x-") || OF_TOOLS.contains(&word) || word.len() < SHORTEST_SLIP;
        if is_of_a_tool || words.any(|known| known == word) {
            return;
        }
        let known = WORDS.iter().chain(&MAPS).chain(&SCHEMAS).copied();
        if let Some(nearest) = nearest(word, known) {
            self.warnings.push(SchemaWarning::Unknown {
                place: self.place.clone(),
                nearest,
            });
        }
    }
}

fn has_named_parts(schema: &Json) -> bool {
    let is_text = |key: &str| {
        schema
            .get(key)
            .is_some_and(|value| value.as_str().is_some())
    };
    is_text("$id")
        || is_text("id")
        || schema
            .members()
            .any(|(_, member)| member.kind() == JsonKind::Object && has_named_parts(&member))
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
