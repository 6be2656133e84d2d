//! A model as a JSON Schema (2020-12): what a receiver's own validator may hold a message to.
//!
//! A message is whole: every key is there, what has no value is null, `[]` or an object of nulls. So every key that is filled in is
//! `required`, and what must have a value says so by its type or by `minItems`.

use super::{Field, Filling, Format, Model, Scalar, Shape};
use crate::Json;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Model {
    /// The schema of a message; None where the model has no such event.
    pub fn schema(&self, event: &str) -> Option<Json> {
        let event = *self.events.iter().find(|known| **known == event)?;
        let about = format!("{}: {}", self.name, self.about);
        let head = [
            ("$schema", text(DIALECT)),
            ("title", text(&format!("{}.{event}", self.name))),
            ("description", text(&about)),
        ];
        let body = Writer { model: self, event }.object(&self.root, &[]);
        Some(Json::object(head.into_iter().chain(body)))
    }
}

struct Writer<'m> {
    model: &'m Model,
    event: &'m str,
}

type Members = Vec<(&'static str, Json)>;

impl Writer<'_> {
    fn object(&self, fields: &[Field], path: &[&str]) -> Members {
        let present = fields.iter().filter(|field| field.present.hold(self.event));
        let present: Vec<&Field> = present.collect();
        let properties = present.iter().map(|field| {
            let path: Vec<&str> = path.iter().copied().chain([field.name]).collect();
            (field.name, Json::object(self.field(field, &path)))
        });
        let required = present.iter();
        let required = required.filter(|field| field.filling == Filling::Always);
        let required = required.map(|field| text(field.name));
        vec![
            ("type", text("object")),
            ("properties", Json::object(properties.collect::<Vec<_>>())),
            ("required", Json::array(required.collect::<Vec<_>>())),
            ("additionalProperties", Json::boolean(false)),
        ]
    }

    fn field(&self, field: &Field, path: &[&str]) -> Members {
        let is_required = field.required.hold(self.event);
        let mut members: Members = Vec::new();
        members.extend(field.about.map(|about| ("description", text(about))));
        match &field.shape {
            Shape::Scalar(_) if path == ["Meta", "DataModel"] => {
                members.push(("const", text(self.model.name)));
            }
            Shape::Scalar(_) if path == ["Meta", "EventType"] => {
                members.push(("const", text(self.event)));
            }
            Shape::Scalar(scalar) => {
                members.push(("type", of_scalar(*scalar, is_required)));
                if let Scalar::Text(format) = scalar {
                    members.extend(pattern(*format).map(|pattern| ("pattern", text(pattern))));
                }
            }
            Shape::Object(fields) => members.extend(self.object(fields, path)),
            Shape::ListOfObjects(fields) => {
                members.push(("type", text("array")));
                members.push(("items", Json::object(self.object(fields, path))));
            }
            Shape::ListOfAny => members.push(("type", text("array"))),
        }
        let is_list = matches!(field.shape, Shape::ListOfObjects(_) | Shape::ListOfAny);
        if is_list && is_required {
            members.push(("minItems", Json::integer(1)));
        }
        members
    }
}

fn of_scalar(scalar: Scalar, is_required: bool) -> Json {
    if is_required {
        text(scalar.word())
    } else {
        Json::array([text(scalar.word()), text("null")])
    }
}

/// Dates of which not all is known are dates, too, which the standard's own formats have not.
const fn pattern(format: Format) -> Option<&'static str> {
    match format {
        Format::Any | Format::Phone => None,
        Format::Date => Some("^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"),
        Format::DateTime => Some(
            "^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?$",
        ),
    }
}

fn text(words: &str) -> Json {
    Json::string(words)
}
