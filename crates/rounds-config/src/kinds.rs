//! What can stand behind a key: the types of values, each with how it is read and what its schema is.

mod amount;
mod answer;
mod auth;
mod collections;
mod connector;
mod duration;
mod expression;
mod for_each;
mod model;
mod rate;
mod reconcile;
mod secret;
mod text;
mod time;
mod told;
mod web;

pub(crate) use amount::{Count, Natural, Percent, RateLimit, Size};
pub(crate) use answer::{MeaningWord, SessionInBody, StatusText, Wait};
pub(crate) use auth::{ClientWord, Flag, GrantWord, SessionToken, UrlOrPath, WholeBody};
pub(crate) use collections::{Many, Named, Names, OneOrMany, Pairs, same_name};
pub use connector::{Certainty, Strategy};
pub(crate) use duration::{Length, PositiveLength};
pub(crate) use expression::{Condition, Expression, Marked, TemplateText, problem};
pub(crate) use for_each::ForEach;
pub(crate) use model::ModelWord;
pub(crate) use rate::RateRule;
pub(crate) use reconcile::Reconcile;
pub(crate) use secret::{Auth, Command, EnvironmentName, HeaderValueSource, Secret};
pub(crate) use text::{
    BodyTree, DeletionsWord, LiteralText, OrderWord, Reference, Text, Words, read_word,
};
pub(crate) use time::{
    BaselineWord, CronFields, DaysText, InstantText, StartWord, WindowText, Zone,
};
pub(crate) use told::Told;
pub(crate) use web::{
    AddressRangeText, HeaderName, ListenAddress, WebUrl, header_name, header_value, is_public,
};

use crate::diagnostic::Findings;
use crate::reading::wrong_type;
use crate::tree::{Node, Scalar, ScalarType};
use rounds_domain::Code;
use std::ops::Range;

/// A scalar that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Which bytes of its text are wrong.
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn whole(text: &str, message: impl Into<String>) -> Self {
        Self::new(0..text.len(), message)
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Reports it at its place inside the scalar.
    pub(crate) fn report(
        self,
        code: Code,
        scalar: &Scalar,
        expected: &str,
        findings: &mut Findings<'_>,
    ) {
        let place = crate::tree::inside(findings.sources, scalar, self.at.start, self.at.len());
        let diagnostic = findings.error(code, place, self.message);
        diagnostic.expected(format!("expected {expected}"));
        if let Some(help) = self.help {
            diagnostic.help(help);
        }
    }
}

/// A type whose values are written as one scalar.
pub(crate) trait Parse: Sized {
    /// What is expected, for messages.
    const EXPECTED: &'static str;
    /// The code of a scalar that cannot be parsed.
    const CODE: Code;

    fn parse(text: &str) -> Result<Self, Problem>;

    /// What can be meant, and probably is not.
    fn doubt(_text: &str) -> Option<Problem> {
        None
    }

    fn pattern() -> serde_json::Value;
}

/// Reads a scalar: quoted or plain, number or text.
pub(crate) fn read_scalar<T: Parse>(node: &Node, findings: &mut Findings<'_>) -> Option<T> {
    let scalar = match node.scalar() {
        Some(scalar)
            if !matches!(
                scalar.scalar_type(),
                ScalarType::Null | ScalarType::Boolean(_)
            ) =>
        {
            scalar
        }
        _ => {
            wrong_type(node, findings, T::EXPECTED);
            return None;
        }
    };
    match T::parse(&scalar.text) {
        Ok(value) => {
            if let Some(doubt) = T::doubt(&scalar.text) {
                let diagnostic = findings.warning(T::CODE, scalar.place, doubt.message);
                if let Some(help) = doubt.help {
                    diagnostic.help(help);
                }
            }
            Some(value)
        }
        Err(problem) => {
            problem.report(T::CODE, scalar, T::EXPECTED, findings);
            None
        }
    }
}

/// Types that are parsed are read.
macro_rules! parsed {
    ($($type:ty),+) => {$(
        impl crate::reading::Read for $type {
            fn read(
                node: &crate::tree::Node,
                findings: &mut crate::diagnostic::Findings<'_>,
            ) -> Option<Self> {
                crate::kinds::read_scalar(node, findings)
            }

            fn schema(_: &mut crate::reading::Definitions) -> serde_json::Value {
                <Self as crate::kinds::Parse>::pattern()
            }
        }
    )+};
}
use parsed;
