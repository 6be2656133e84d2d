//! What is wrong with a body before there is a record.

use super::judge;
use super::tree::{Completion, Form, Node, Others, Room};
use crate::body::{Body, Path};
use crate::models::{ModelError, ModelProblem, SourceTimes, date, date_time};
use crate::nearest::nearest;
use crate::{Json, JsonKind};
use jiff::tz::TimeZone;

pub(super) fn check(tree: &Node, body: &Body) -> Vec<ModelError> {
    let mut checker = Checker {
        path: Path::default(),
        errors: Vec::new(),
    };
    checker.body(tree, body);
    checker.errors
}

struct Checker {
    path: Path,
    errors: Vec<ModelError>,
}

impl Checker {
    fn error(&mut self, problem: ModelProblem) {
        self.errors.push(ModelError {
            path: self.path.shown(),
            problem,
        });
    }

    fn body(&mut self, node: &Node, body: &Body) {
        match body {
            Body::Expression(_) if node.room == Room::None => {
                self.error(ModelProblem::NotInSchema { nearest: None });
            }
            Body::Expression(_) => {}
            body if let Some(value) = constant(body) => self.literal(node, &value),
            Body::Literal(_) => {}
            Body::Array(items) => {
                if self.is_of(node, JsonKind::Array) {
                    for (index, item) in items.iter().enumerate() {
                        let step = self.path.enter_item(index);
                        if let Some(of_items) = &node.items {
                            self.body(of_items, item);
                        }
                        self.path.back(step);
                    }
                }
            }
            Body::Object(members) => {
                if self.is_of(node, JsonKind::Object) {
                    self.members(node, members, Self::body);
                }
            }
        }
    }

    fn literal(&mut self, node: &Node, value: &Json) {
        // What is null is left out where the schema has no null.
        if value.is_null() || !self.is_of(node, value.kind()) {
            return;
        }
        if value.kind() != JsonKind::Object {
            self.limits(node, value);
        }
        match (value.kind(), &node.items) {
            (JsonKind::Object, _) => {
                let members = value.members();
                let members: Vec<(String, Json)> = members
                    .map(|(name, member)| (name.to_owned(), member))
                    .collect();
                self.members(node, &members, Self::literal);
            }
            (JsonKind::Array, Some(of_items)) => {
                for (index, item) in value.items().enumerate() {
                    let step = self.path.enter_item(index);
                    self.literal(of_items, &item);
                    self.path.back(step);
                }
            }
            _ => {}
        }
    }

    /// What is said of the value by itself. An object is judged when it is completed.
    fn limits(&mut self, node: &Node, value: &Json) {
        let text = value.as_str().map_or("", str::trim);
        // In some zone: which one is known when there is a record.
        let times = SourceTimes {
            zone: Some(&TimeZone::UTC),
            read: None,
        };
        let unreadable = match node.form {
            Form::Date if date(text).is_none() => Some("a date"),
            Form::DateTime if date_time(text, times).is_none() => Some("a date and time"),
            _ => None,
        };
        if let Some(needed) = unreadable.filter(|_| value.kind() == JsonKind::String) {
            self.error(ModelProblem::Unreadable { needed });
        }
        if let Some(rule) = broken(node, value) {
            self.error(ModelProblem::Against { rule });
        }
    }

    fn is_of(&mut self, node: &Node, kind: JsonKind) -> bool {
        if node.room == Room::None {
            self.error(ModelProblem::NotInSchema { nearest: None });
            return false;
        }
        let fits = node.may_be(kind);
        if !fits {
            self.error(ModelProblem::WrongType {
                needed: node.needed(),
                found: kind.with_article(),
            });
        }
        fits
    }

    fn members<T>(
        &mut self,
        node: &Node,
        members: &[(String, T)],
        check: fn(&mut Self, &Node, &T),
    ) {
        for (name, member) in members {
            let step = self.path.enter_member(name);
            match node.property(name) {
                Some(property) => check(self, property, member),
                None if node.others == Others::Refused => {
                    let known = node.properties.iter().map(|(known, _)| known.as_str());
                    let nearest = nearest(name, known).map(str::to_owned);
                    self.error(ModelProblem::NotInSchema { nearest });
                }
                None => {}
            }
            self.path.back(step);
        }
        for (name, property) in &node.properties {
            if members.iter().any(|(known, _)| known == name) || !node.required.contains(name) {
                continue;
            }
            let step = self.path.enter_member(name);
            self.missing(property);
            self.path.back(step);
        }
        // What must be there and is described nowhere.
        for name in &node.required {
            let is_known =
                node.property(name).is_some() || members.iter().any(|(known, _)| known == name);
            if !is_known {
                let step = self.path.enter_member(name);
                self.error(ModelProblem::Missing);
                self.path.back(step);
            }
        }
    }

    /// What must be there and is not written: completed, if it can be.
    fn missing(&mut self, node: &Node) {
        match node.completion() {
            Completion::Value(value) => {
                if let Some(rule) = broken(node, &value) {
                    self.error(ModelProblem::BadDefault { rule });
                }
            }
            Completion::Members => self.members::<Body>(node, &[], Self::body),
            Completion::None => self.error(ModelProblem::Missing),
        }
    }
}

/// The first of a place's limits that a value does not keep.
fn broken(node: &Node, value: &Json) -> Option<String> {
    let kept = |limits: &Json| judge::against(limits, value);
    let of_type = (!node.may_be(value.kind())).then(|| format!("type: {}", node.needed()));
    of_type.or_else(|| node.limits.iter().find_map(kept))
}

/// A body without expressions.
fn constant(body: &Body) -> Option<Json> {
    match body {
        Body::Literal(value) => Some(value.clone()),
        Body::Expression(_) => None,
        Body::Array(items) => {
            let items: Option<Vec<Json>> = items.iter().map(constant).collect();
            items.map(Json::array)
        }
        Body::Object(members) => {
            let members = members
                .iter()
                .map(|(name, body)| Some((name.clone(), constant(body)?)));
            members.collect::<Option<Vec<_>>>().map(Json::object)
        }
    }
}
