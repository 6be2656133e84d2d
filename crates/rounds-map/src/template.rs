//! Text with `{{ placeholders }}`, for URLs, queries and headers.

use crate::{CompileError, EvaluateError, Json};

/// How a placeholder's value is written into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As one path segment: `/`, `?`, `#`, `%` and the like are percent-encoded; `.` and `..` alone too.
    PathSegment,
    /// Unchanged. For query values (the URL library encodes the whole value) and headers (checked by the HTTP library).
    Verbatim,
}

/// Text with placeholders, compiled once. Each placeholder is jq whose leading dot may be left out:
/// `{{ record.patientID }}` is `.record.patientID`.
#[derive(Clone, Debug)]
pub struct Template {
    text: std::sync::Arc<str>,
}

impl Template {
    /// Compiles `text`; `names` are the roots that placeholders may use; any other is an error with the nearest known one.
    pub fn compile(_text: &str, _names: &[&str]) -> Result<Self, CompileError> {
        unimplemented!()
    }
    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// The roots that its placeholders use.
    pub fn roots(&self) -> Vec<String> {
        unimplemented!()
    }
    /// Fills the placeholders from `scope`, an object with the roots as members.
    pub fn render(&self, _scope: &Json, _escape: Escape) -> Result<String, EvaluateError> {
        unimplemented!()
    }
}
