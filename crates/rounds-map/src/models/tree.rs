//! A model as a tree of fields, for people: what each is, of which type, and where it must be.

use super::{Events, Field, Format, Model, Scalar, Shape};

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRow {
    /// From the message to it: `Visit.Location.Department`, `Orders[].ID`.
    pub path: String,
    /// Its own name.
    pub name: &'static str,
    /// How many objects it stands in.
    pub depth: usize,
    /// What its value is: `string`, `date-time`, `object[]`.
    pub kind: &'static str,
    /// The events that have it.
    pub events: Vec<&'static str>,
    /// The events that must have a value here.
    pub required: Vec<&'static str>,
    /// What it holds.
    pub about: Option<&'static str>,
}

impl Model {
    /// Every field of a message, in its order: of one event, or of all of them.
    pub fn fields(&self, event: Option<&str>) -> Vec<FieldRow> {
        let mut walk = Walk {
            model: self,
            event,
            rows: Vec::new(),
        };
        walk.fields(&self.root, "", 0, &self.events);
        walk.rows
    }
}

struct Walk<'m> {
    model: &'m Model,
    event: Option<&'m str>,
    rows: Vec<FieldRow>,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &[Field], prefix: &str, depth: usize, within: &[&'static str]) {
        for field in fields {
            let events = self.of(&field.present, within);
            if self.event.is_some_and(|event| !events.contains(&event)) {
                continue;
            }
            let path = format!("{prefix}{}{}", field.name, field.shape.brackets());
            self.rows.push(FieldRow {
                path: path.clone(),
                name: field.name,
                depth,
                kind: field.shape.word(),
                required: self.of(&field.required, &events),
                events: events.clone(),
                about: field.about,
            });
            if let Shape::Object(members) | Shape::ListOfObjects(members) = &field.shape {
                self.fields(members, &format!("{path}."), depth + 1, &events);
            }
        }
    }

    fn of(&self, events: &Events, within: &[&'static str]) -> Vec<&'static str> {
        let all = self.model.events.iter().copied();
        all.filter(|event| events.hold(event) && within.contains(event))
            .collect()
    }
}

impl Shape {
    const fn word(&self) -> &'static str {
        match self {
            Self::Scalar(Scalar::Text(Format::Date)) => "date",
            Self::Scalar(Scalar::Text(Format::DateTime)) => "date-time",
            Self::Scalar(Scalar::Text(Format::Phone)) => "phone",
            Self::Scalar(scalar) => scalar.word(),
            Self::Object(_) => "object",
            Self::ListOfObjects(_) => "object[]",
            Self::ListOfAny => "any[]",
        }
    }

    const fn brackets(&self) -> &'static str {
        match self {
            Self::Scalar(_) | Self::Object(_) => "",
            Self::ListOfObjects(_) | Self::ListOfAny => "[]",
        }
    }
}
