//! A notification's body as the user writes it: a tree whose leaves may be jq.

use crate::{EvaluateError, Filter, Json, Needs};

/// A tree of literals and expressions.
#[derive(Debug, Clone)]
pub enum Body {
    /// A fixed value.
    Literal(Json),
    /// A leaf that is jq over the container.
    Expression(Filter),
    /// A list; an expression in it that gives nothing is left out.
    Array(Vec<Body>),
    /// An object; a member whose expression gives nothing (`empty`) is left out.
    Object(Vec<(String, Body)>),
}

/// A leaf that failed, with the path to it as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {source}")]
pub struct BodyError {
    /// Like `Visit.Location.Department` or `Patient.Identifiers[0].ID`; `.` for a body that is one expression.
    pub path: String,
    /// What failed there.
    pub source: EvaluateError,
}

impl Body {
    /// Evaluates every leaf over `scope`. A leaf that gives more than one value is an error, as is a body that is one
    /// expression and gives nothing.
    pub fn render(&self, scope: &Json) -> Result<Json, BodyError> {
        let mut path = Path::default();
        let rendered = self.render_at(&Leaves::any(scope), &mut path)?;
        rendered.ok_or_else(|| path.error(EvaluateError::Count { count: 0 }))
    }

    /// The same where every leaf has to identify something, but for those whose paths are in `optional`, which are left out where
    /// they do not.
    pub fn render_identifying(&self, scope: &Json, optional: &[String]) -> Result<Json, BodyError> {
        let mut path = Path::default();
        let leaves = Leaves {
            scope,
            needs: Needs::Identifier,
            optional,
        };
        let rendered = self.render_at(&leaves, &mut path)?;
        rendered.ok_or_else(|| path.error(EvaluateError::Count { count: 0 }))
    }

    fn render_at(&self, leaves: &Leaves<'_>, path: &mut Path) -> Result<Option<Json>, BodyError> {
        Ok(Some(match self {
            Self::Literal(value) => value.clone(),
            Self::Expression(filter) => {
                return leaves
                    .value(filter, path)
                    .map_err(|source| path.error(source));
            }
            Self::Array(items) => {
                let mut rendered = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let step = path.enter_item(index);
                    rendered.extend(item.render_at(leaves, path)?);
                    path.back(step);
                }
                Json::array(rendered)
            }
            Self::Object(members) => {
                let mut rendered = Vec::with_capacity(members.len());
                for (key, member) in members {
                    let step = path.enter_member(key);
                    let value = member.render_at(leaves, path)?;
                    path.back(step);
                    rendered.extend(value.map(|value| (key.as_str(), value)));
                }
                Json::object(rendered)
            }
        }))
    }

    /// The same, where a body that is one expression may give nothing.
    pub fn render_if_any(&self, scope: &Json) -> Result<Option<Json>, BodyError> {
        self.render_at(&Leaves::any(scope), &mut Path::default())
    }

    /// Evaluates every leaf over `scope`; a leaf that fails is left out, as one that gives nothing is. For states of which nothing is
    /// told, but to compare others with.
    pub fn render_what_can_be(&self, scope: &Json) -> Json {
        self.lenient(scope).unwrap_or_else(Json::null)
    }

    fn lenient(&self, scope: &Json) -> Option<Json> {
        Some(match self {
            Self::Literal(value) => value.clone(),
            Self::Expression(filter) => return filter.optional(scope).ok().flatten(),
            Self::Array(items) => Json::array(items.iter().filter_map(|item| item.lenient(scope))),
            Self::Object(members) => Json::object(
                members
                    .iter()
                    .filter_map(|(key, member)| Some((key.as_str(), member.lenient(scope)?))),
            ),
        })
    }

    /// Whether one of its expressions is so.
    pub fn has_expression(&self, is_so: &impl Fn(&Filter) -> bool) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Expression(filter) => is_so(filter),
            Self::Array(items) => items.iter().any(|item| item.has_expression(is_so)),
            Self::Object(members) => {
                let mut members = members.iter();
                members.any(|(_, member)| member.has_expression(is_so))
            }
        }
    }

    /// All expressions with the paths to them, in the order of the tree.
    pub fn leaves(&self) -> impl Iterator<Item = (String, &Filter)> {
        let mut leaves = Vec::new();
        self.leaves_at(&mut Path::default(), &mut leaves);
        leaves.into_iter()
    }

    fn leaves_at<'b>(&'b self, path: &mut Path, leaves: &mut Vec<(String, &'b Filter)>) {
        match self {
            Self::Literal(_) => {}
            Self::Expression(filter) => leaves.push((path.shown(), filter)),
            Self::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let step = path.enter_item(index);
                    item.leaves_at(path, leaves);
                    path.back(step);
                }
            }
            Self::Object(members) => {
                for (key, member) in members {
                    let step = path.enter_member(key);
                    member.leaves_at(path, leaves);
                    path.back(step);
                }
            }
        }
    }
}

/// How the leaves of a tree are filled.
struct Leaves<'a> {
    scope: &'a Json,
    needs: Needs,
    /// Paths of leaves that are left out where they give less than is needed.
    optional: &'a [String],
}

impl<'a> Leaves<'a> {
    const fn any(scope: &'a Json) -> Self {
        Self {
            scope,
            needs: Needs::Text,
            optional: &[],
        }
    }

    fn value(&self, filter: &Filter, path: &Path) -> Result<Option<Json>, EvaluateError> {
        let value = filter.optional(self.scope)?;
        if self.needs == Needs::Text {
            return Ok(value);
        }
        let enough = match &value {
            Some(value) => self.needs.check(value, None),
            None => Err(EvaluateError::Blank {
                placeholder: None,
                found: "nothing",
            }),
        };
        match enough {
            Err(_) if self.optional.contains(&path.shown()) => Ok(None),
            enough => enough.map(|()| value),
        }
    }
}

/// Where in a tree we are, written as users write it.
#[derive(Debug, Default)]
pub(crate) struct Path(String);

/// Where a path was before a step into it.
#[must_use]
#[derive(Clone, Copy)]
pub(crate) struct Step(usize);

impl Path {
    pub(crate) fn enter_member(&mut self, key: &str) -> Step {
        let step = Step(self.0.len());
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(key);
        step
    }

    pub(crate) fn enter_item(&mut self, index: usize) -> Step {
        let step = Step(self.0.len());
        self.0.push('[');
        self.0.push_str(&index.to_string());
        self.0.push(']');
        step
    }

    pub(crate) fn back(&mut self, step: Step) {
        self.0.truncate(step.0);
    }

    pub(crate) fn shown(&self) -> String {
        if self.0.is_empty() {
            ".".to_owned()
        } else {
            self.0.clone()
        }
    }

    fn error(&self, source: EvaluateError) -> BodyError {
        BodyError {
            path: self.shown(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> Body {
        Body::Expression(Filter::compile(text).expect("compiles"))
    }

    fn object(members: impl IntoIterator<Item = (&'static str, Body)>) -> Body {
        Body::Object(
            members
                .into_iter()
                .map(|(key, member)| (key.to_owned(), member))
                .collect(),
        )
    }

    fn scope() -> Json {
        Json::parse(br#"{"record":{"id":12345678901234567890,"cost":1.10,"phones":["1","2"]}}"#)
            .expect("is JSON")
    }

    #[test]
    fn leaves_are_filled_and_what_gives_nothing_is_left_out() {
        let body = object([
            ("ID", expression(".record.id")),
            ("Cost", expression(".record.cost")),
            ("Gone", expression("empty")),
            (
                "List",
                Body::Array(vec![
                    Body::Literal(Json::integer(1)),
                    expression("empty"),
                    expression("null"),
                ]),
            ),
        ]);
        let rendered = body.render(&scope()).expect("renders").to_bytes();
        assert_eq!(
            String::from_utf8_lossy(&rendered),
            r#"{"ID":12345678901234567890,"Cost":1.10,"List":[1,null]}"#
        );
    }

    #[test]
    fn a_failing_leaf_is_named_by_its_path() {
        let two = Body::Array(vec![object([("ID", expression(".record.phones[]"))])]);
        let error = object([("Patient", object([("Identifiers", two)]))])
            .render(&scope())
            .expect_err("gives two");
        assert_eq!(error.path, "Patient.Identifiers[0].ID");
        assert_eq!(error.source, EvaluateError::Count { count: 2 });
        let error = expression("empty")
            .render(&scope())
            .expect_err("gives none");
        assert_eq!(
            error.to_string(),
            "`.`: the expression gave 0 values where one is needed"
        );
    }

    #[test]
    fn all_leaves_are_listed() {
        let body = object([
            ("A", expression(".a")),
            ("B", Body::Array(vec![expression(".b"), expression(".c")])),
        ]);
        let leaves: Vec<_> = body
            .leaves()
            .map(|(path, filter)| format!("{path} = {}", filter.text()))
            .collect();
        assert_eq!(leaves, ["A = .a", "B[0] = .b", "B[1] = .c"]);
    }
}
