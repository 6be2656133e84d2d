//! Whether a whole message is one: for whoever receives them, and for tests of mappings.

use super::check::{self, META, Stage};
use super::{
    Field, Filling, MODELS, Model, ModelError, ModelErrors, ModelProblem, Scalar, Shape, formats,
};
use crate::body::Path;
use crate::nearest::nearest;
use crate::{Body, Json, JsonKind};

/// What a message says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// Its data model.
    pub model: &'static str,
    /// Its event.
    pub event: &'static str,
}

/// What a whole message is, or all that is wrong with it: as [`Model::fill`] would have it, nothing may be left out of it.
///
/// # Errors
/// All that is wrong, by path.
pub fn validate(message: &Json) -> Result<Validated, ModelErrors> {
    let said = |key: &str| message.get(META).and_then(|meta| meta.get(key));
    let text = |key: &str| said(key).and_then(|value| value.as_str().map(str::to_owned));
    let name = text("DataModel").unwrap_or_default();
    let Some(model) = Model::named(&name) else {
        let names = MODELS.iter().map(|model| model.name);
        return Err(ModelErrors(vec![ModelError {
            path: format!("{META}.DataModel"),
            problem: ModelProblem::UnknownModel {
                nearest: nearest(&name, names).map(str::to_owned),
            },
        }]));
    };
    let event = text("EventType").unwrap_or_default();
    let body = Body::Literal(message.clone());
    let mut errors = check::check(model, &event, &body, Stage::Message);
    let Some(event) = model.events.iter().find(|known| **known == event) else {
        return Err(ModelErrors(errors));
    };
    let mut left_out = Walk {
        event,
        path: Path::default(),
        paths: Vec::new(),
        unformed: Vec::new(),
    };
    left_out.object(&model.root, message);
    errors.append(&mut left_out.unformed);
    // What is required and left out is missing already.
    let known: Vec<String> = errors.iter().map(|error| error.path.clone()).collect();
    let new = left_out
        .paths
        .into_iter()
        .filter(|path| !known.contains(path));
    errors.extend(new.map(|path| ModelError {
        path,
        problem: ModelProblem::LeftOut,
    }));
    if errors.is_empty() {
        Ok(Validated {
            model: model.name,
            event,
        })
    } else {
        Err(ModelErrors(errors))
    }
}

struct Walk<'e> {
    event: &'e str,
    path: Path,
    paths: Vec<String>,
    /// Dates and times that are none.
    unformed: Vec<ModelError>,
}

impl Walk<'_> {
    fn object(&mut self, fields: &[Field], value: &Json) {
        if value.kind() != JsonKind::Object {
            return;
        }
        let fields = fields.iter();
        for field in fields.filter(|field| field.present.hold(self.event)) {
            let step = self.path.enter_member(field.name);
            match (value.get(field.name), field.filling) {
                (Some(given), _) => self.field(&field.shape, &given),
                (None, Filling::Always) => self.paths.push(self.path.shown()),
                (None, Filling::Legacy) => {}
            }
            self.path.back(step);
        }
    }

    fn field(&mut self, shape: &Shape, value: &Json) {
        match shape {
            Shape::Scalar(Scalar::Text(format)) => {
                let text = value.as_str();
                if text.is_some_and(|text| !formats::is_formed(*format, text)) {
                    self.unformed.push(ModelError {
                        path: self.path.shown(),
                        problem: ModelProblem::Unreadable {
                            needed: format.with_article(),
                        },
                    });
                }
            }
            Shape::Scalar(_) | Shape::ListOfAny => {}
            Shape::Object(fields) => self.object(fields, value),
            Shape::ListOfObjects(fields) => {
                for (index, item) in value.items().enumerate() {
                    let step = self.path.enter_item(index);
                    self.object(fields, &item);
                    self.path.back(step);
                }
            }
        }
    }
}
